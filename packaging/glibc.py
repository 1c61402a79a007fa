"""Which glibc a bundle needs: the highest that any ELF file in it asks for. Also by hand: `glibc.py FOLDER`."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import elf
from context import Context, here

_NEEDED = re.compile(r"\bName: GLIBC_(\d+(?:\.\d+)+)\b")


class Floor(NamedTuple):
    """The oldest glibc that will do, and the file that wants it."""

    version: str
    file: str


def floor(context: Context, folder: Path) -> Floor:
    """Of all ELF files in a folder."""
    return highest(elf.told(context, "--version-info", folder), folder)


def highest(told: str, folder: Path) -> Floor:
    """Of what readelf tells of the files in a folder. (ELF symbol versioning, .gnu.version_r: what each needs)"""
    found = [
        Floor(version, str(Path(name).relative_to(folder)))
        for name, text in elf.by_file(told).items()
        for version in _NEEDED.findall(text)
    ]
    return max(found, key=lambda each: [*map(int, each.version.split("."))], default=Floor("0", "nothing"))


if __name__ == "__main__":
    print(*floor(here(), Path(sys.argv[1])))
