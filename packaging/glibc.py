"""Which glibc a bundle needs: the highest that any ELF file in it asks for. Also by hand: `glibc.py FOLDER`."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from context import Context, here

_NEEDED = re.compile(r"\bName: GLIBC_(\d+(?:\.\d+)+)\b")
_FILE = re.compile(r"^File: (.*)$", re.MULTILINE)
_MAGIC = b"\x7fELF"


class Floor(NamedTuple):
    """The oldest glibc that will do, and the file that wants it."""

    version: str
    file: str


def floor(context: Context, folder: Path) -> Floor:
    """Of all ELF files in a folder."""
    files = elf(folder)
    one_more = files[:1]  # readelf names files where there are several
    return highest(context.run("readelf", "--version-info", "--wide", *files, *one_more), folder)


def highest(told: str, folder: Path) -> Floor:
    """Of what readelf tells of the files in a folder. (ELF symbol versioning, .gnu.version_r: what each needs)"""
    _, *parts = _FILE.split(told)
    found = [
        Floor(version, str(Path(name).relative_to(folder)))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
        for version in _NEEDED.findall(text)
    ]
    return max(found, key=lambda each: [*map(int, each.version.split("."))], default=Floor("0", "nothing"))


def elf(folder: Path) -> list[Path]:
    """The programs and libraries in it."""
    return [each for each in sorted(folder.rglob("*")) if each.is_file() and _is_elf(each)]


def _is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == _MAGIC


if __name__ == "__main__":
    print(*floor(here(), Path(sys.argv[1])))
