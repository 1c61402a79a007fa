"""Runs first in a bundle: modules that are loaded later come out of the program that runs, also when its path is gone.

PyInstaller opens its archive by the path that the program was started from, each time, and ends the process where there
is none any more: in an upgrade, at the next page that is asked for. /proc/self/exe is the file itself, whatever has
become of its name (proc(5)).
"""

import os
import sys

SELF = "/proc/self/exe"


def hold(archive: object) -> None:
    """Have PyInstaller's ZlibArchiveReader read from the program, where that is the file that it reads anyway."""
    if os.path.exists(SELF) and os.path.samefile(SELF, vars(archive)["_filename"]):  # noqa: PTH110, PTH121  # pathlib takes a tenth of a start
        vars(archive)["_filename"] = SELF


if sys.platform == "linux" and hasattr(sys, "_MEIPASS"):
    import pyimod02_importers  # type: ignore[import-not-found]  # PyInstaller's, in a bundle only

    hold(pyimod02_importers.pyz_archive)
