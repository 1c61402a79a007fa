"""Small disks of our own that can be filled, cut off and taken away: an ext4 file system in a file."""

import fcntl
import os
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN: the file system stops as if the power was gone
_NOTHING_MORE = 2  # not even the journal is written


class LoopDisk:
    """Needs root. `size` in MB; `path` is where it is mounted; `kind` is ext4 or xfs."""

    def __init__(self, folder: Path, size: int, kind: str = "ext4") -> None:
        self._image, self.path = folder / "disk.img", folder / "disk"
        self.path.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(size << 20)
        _run(f"mkfs.{kind}", "-q", *(["-m", "0"] if kind == "ext4" else []), self._image)
        self._device = ""

    def mount(self, how: str = "rw") -> None:
        _run("mount", "-o", how, self._device, self.path)

    def unmount(self) -> None:
        _run("umount", self.path)

    def recover(self) -> None:
        """Play the journal back, as the first mount after a power cut does; before a mount that may not write."""
        subprocess.run(["fsck.ext4", "-p", self._device], check=False, capture_output=True)

    def let_go(self) -> bool:
        """Unmount it if nobody uses it."""
        return subprocess.run(["umount", self.path], check=False, capture_output=True).returncode == 0

    def cut(self) -> None:
        """What was not flushed to the device is gone; everything fails until it is mounted anew."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NOTHING_MORE))
        finally:
            os.close(fd)

    def read_only(self, *, on: bool) -> None:
        _run("mount", "-o", f"remount,{'ro' if on else 'rw'}", self.path)

    def fill(self) -> None:
        """Another program takes all that is left."""
        fd = os.open(self.path / "hog", os.O_WRONLY | os.O_CREAT)
        try:
            for size in (1 << 20, 4096):
                _write_until_full(fd, bytes(size))
        finally:
            os.close(fd)

    def written(self) -> int:
        """Bytes that have gone to the device since it is there."""
        sectors = Path(f"/sys/block/{Path(self._device).name}/stat").read_text("ascii").split()[6]
        return 512 * int(sectors)

    def __enter__(self) -> Self:
        self._device = _run("losetup", "--find", "--show", self._image).strip()
        self.mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for command in (["umount", "--lazy", self.path], ["losetup", "--detach", self._device]):
            subprocess.run(command, check=False, capture_output=True)


def _write_until_full(fd: int, piece: bytes) -> None:
    try:
        while True:
            os.write(fd, piece)
    except OSError:
        pass


def _run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout
