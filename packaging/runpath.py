"""Where the libraries of a bundle look for others: within the bundle and on the system, not where it was built.

A Python that is not Debian's has the folder that it was built for in its libraries (DT_RUNPATH). On another machine
that folder may be anybody's, and what lies there would be loaded before the system's own. (gABI, Dynamic Section)
"""

import re
from pathlib import Path

import elf
from context import Context, Failure

HERE = "$ORIGIN"  # the folder of the file itself
_FOUND = re.compile(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]")


def forget(context: Context, folder: Path) -> None:
    """Have each ELF file in it look beside itself instead. Raises Failure for one that cannot be changed."""
    for name, path in foreign(elf.told(context, "--dynamic", folder)).items():
        Path(name).write_bytes(changed(name, Path(name).read_bytes(), path))


def foreign(told: str) -> dict[str, str]:
    """Of what readelf tells: the files that look elsewhere than beside themselves, and where."""
    found = ((name, _FOUND.search(text)) for name, text in elf.by_file(told).items())
    return {name: path[1] for name, path in found if path and not path[1].startswith(HERE)}


def changed(name: str, content: bytes, path: str) -> bytes:
    """With another path in the table of strings, where all that follows keeps its place."""
    was, now = (b"\0" + each.encode() + b"\0" for each in (path, HERE.ljust(len(path), "\0")))
    if len(was) != len(now) or content.count(was) != 1:
        hint = "take a Python that was built without a RUNPATH, such as Debian's: PYTHON=/usr/bin/python3"
        raise Failure(f"{name} would look for libraries in {path}", hint=hint)
    return content.replace(was, now)
