"""Writes a recording while it happens: a tap that never raises and never grows beyond its bound."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agent.model import host
from agent.model.clock import SYSTEM, Clock
from agent.model.errors import AgentError
from agent.record.format import LARGEST, MAGIC, End, Entry, Header, Wire, framed

ROOM = 256  # bytes that are kept free for the last record
LEAST, MOST = 64 << 10, 4 << 30  # bytes that a recording may be allowed to have
BUFFER = 256 << 10  # bytes before they are written to the file


@dataclass(slots=True)
class Progress:
    """How far it is: `why` it has ended, or nothing."""

    bytes: int = 0
    notes: int = 0
    why: str = ""


def vacant(path: Path) -> None:
    """Whether a recording may be written there, over nothing but another one. Raises AgentError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            if not path.is_file() or not _is_recording(path):
                raise AgentError(f"{path}: is there already, and is no recording", hint="name another file with -o")
        elif not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}", hint="name a file that may be written with -o") from error


def _is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class Recorder:
    """One file of at most `size` bytes. When it is full the recording ends: what came first is kept."""

    def __init__(self, path: Path, header: Header, size: int, clock: Clock = SYSTEM) -> None:
        """Raises AgentError."""
        self.path, self._size, self._clock = path, size, clock
        self.progress = Progress()
        self.ended: Callable[[], None] = _nothing
        self._wires: dict[str, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.RAW, 0o600)
        except OSError as error:
            raise AgentError(f"{path}: {error.strerror}", hint="name a file that may be written with -o") from error
        self._file: IO[bytes] | None = os.fdopen(number, "wb", BUFFER)
        header.wall, header.mono = clock.wall(), clock.mono()
        self._put(MAGIC + framed(header))

    def __call__(self, wire: str, what: str, data: bytes) -> None:
        """One note; nothing once it has ended."""
        if self._file is None:
            return
        frame = b""
        number = self._wires.get(wire)
        if number is None:
            number = self._wires[wire] = len(self._wires)
            frame = framed(Wire(number, wire))
        frame += framed(Entry(number, what, self._clock.wall(), self._clock.mono(), data[: LARGEST - ROOM]))
        if self.progress.bytes + len(frame) + ROOM > self._size:
            self.stop("full")
            return
        self._put(frame)
        self.progress.notes += 1

    def _put(self, frame: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(frame)
        except OSError as error:
            self.progress.why = f"{self.path}: {error.strerror}"
            self._abandon()
        else:
            self.progress.bytes += len(frame)

    def flush(self) -> None:
        """What has come so far goes to the file."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                self.progress.why = f"{self.path}: {error.strerror}"
                self._abandon()

    def stop(self, why: str = "stopped") -> None:
        """The end of it; once is enough."""
        if self._file is None:
            return
        self._put(framed(End(why[:100], self._clock.wall(), self._clock.mono())))
        file, self._file = self._file, None
        self.progress.why = self.progress.why or why
        try:
            if file is not None:
                file.close()
        except OSError as error:
            self.progress.why = f"{self.path}: {error.strerror}"
        self.ended()

    def _abandon(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # the one that is known says enough
                file.close()
        self.ended()


def _nothing() -> None:
    """Nobody waits for the end."""
