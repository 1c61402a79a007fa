"""The programs and libraries in a folder, and what readelf tells of them."""

import re
from pathlib import Path

from context import Context

MAGIC = b"\x7fELF"
_FILE = re.compile(r"^File: (.*)$", re.MULTILINE)


def files(folder: Path) -> list[Path]:
    """All in it, however deep; a link counts as what it leads to."""
    return [each for each in sorted(folder.rglob("*")) if each.is_file() and head(each) == MAGIC]


def head(file: Path) -> bytes:
    """Its first four bytes."""
    with file.open("rb") as opened:
        return opened.read(4)


def told(context: Context, option: str, folder: Path) -> str:
    """What readelf prints of all of them; an empty text where there are none."""
    found = files(folder)
    one_more = found[:1]  # readelf names files where there are several
    return context.run("readelf", option, "--wide", *found, *one_more) if found else ""


def by_file(text: str) -> dict[str, str]:
    """What readelf prints, for each file."""
    _, *parts = _FILE.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
