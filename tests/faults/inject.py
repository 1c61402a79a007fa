"""What can be put under a process: a disk that fails as told (`inject.c`), a wall clock that is set (`wallclock.c`)."""

import mmap
import struct
import subprocess
from enum import IntFlag
from pathlib import Path


class Fault(IntFlag):
    """What may fail, as in `inject.c`."""

    WRITE_EIO = 1
    WRITE_FULL = 2
    WRITE_SHORT = 4
    SYNC_EIO = 8
    SYNC_SLOW = 16  # 500 ms each
    READ_EIO = 32


class Injector:
    """`environ` is what a process needs to be in its power."""

    def __init__(self, folder: Path) -> None:
        self._control, self.environ = _preload(folder, "inject", 12)

    def fail(self, faults: Fault, permille: int = 1000) -> None:
        """From now on, these in so many of 1,000 calls."""
        self._control[:8] = struct.pack("=II", faults, permille)

    def heal(self) -> None:
        self.fail(Fault(0), 0)

    @property
    def made(self) -> int:
        """How many faults there were."""
        (made,) = struct.unpack("=I", self._control[8:12])
        return int(made)


class WallClock:
    """`environ` is what a process needs to see this wall clock; its monotonic clock stays true."""

    def __init__(self, folder: Path) -> None:
        self._offset, self.environ = _preload(folder, "wallclock", 8)

    def set(self, seconds: float) -> None:
        """By how much it is off from now on."""
        self._offset[:8] = struct.pack("=q", round(seconds * 1e9))


def _preload(folder: Path, name: str, size: int) -> tuple[mmap.mmap, dict[str, str]]:
    """The memory by which the library `name`.c is told, and the environment of the process that it is put under."""
    library, control = compiled(folder, name), folder / f"{name}.control"
    control.write_bytes(bytes(size))
    with control.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), size)
    return memory, {"LD_PRELOAD": str(library), name.upper(): str(control)}


def compiled(folder: Path, name: str) -> Path:
    """The library `name`.c."""
    library, source = folder / f"{name}.so", Path(__file__).with_name(f"{name}.c")
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library
