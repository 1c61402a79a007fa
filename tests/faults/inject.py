"""A disk that fails as told: `inject.c` under a process, and the file by which it is told."""

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
        library, control = folder / "inject.so", folder / "inject.control"
        source = Path(__file__).with_name("inject.c")
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        control.write_bytes(bytes(12))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 12)
        self.environ = {"LD_PRELOAD": str(library), "INJECT": str(control)}

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
