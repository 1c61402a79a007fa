"""A second, tiny file that remembers how far the store had come, so that a store which went back in time is noticed.

A database whose -wal file is gone, or that somebody replaced by a copy of last week, is sound in itself: only something
outside of it can tell that frames are missing. The head says after each commit which frame was the last one, the body
about once a second what each sink is owed. Neither is synced: a kill does not take it away, and after a power cut it
may be older than the database, which then proves nothing.
"""

import json
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from zlib import crc32

from agent.model import host
from buffer.debtor import Debtor
from buffer.ranges import Ranges, parse

_HEAD = struct.Struct(">8s8sQQI")  # magic, the file's id, last seq, samples ever accepted, CRC-32 of these
_BODY = struct.Struct(">II")  # length and CRC-32 of the JSON that follows
_BODY_AT = 64
_MAGIC = b"FLGTWIT1"
_MOST = 1 << 20  # bytes of a body


@dataclass(slots=True)
class Testimony:
    """What was known of the file `file`: the last seq, all samples ever, and up to `settled` what each sink is owed."""

    file: bytes
    last: int
    samples: int
    settled: int = 0
    sinks: dict[str, tuple[int, Ranges]] = field(default_factory=dict)  # active ones by name: id and debt


class Witness(Protocol):
    """Is told of each commit, and about once a second of the debts."""

    def note(self, last: int, samples: int) -> None: ...
    def settle(self, settled: int, sinks: Iterable[Debtor]) -> None: ...
    def close(self) -> None: ...


class Nobody:
    """For a store in memory, which cannot go back in time without going away."""

    def note(self, last: int, samples: int) -> None:
        pass

    def settle(self, settled: int, sinks: Iterable[Debtor]) -> None:
        pass

    def close(self) -> None:
        pass


class FileWitness:
    """Written by the owner of the store; each call costs one system call or two."""

    def __init__(self, path: Path, file: bytes) -> None:
        self._fd: int | None = os.open(path, os.O_RDWR | os.O_CREAT | host.RAW, 0o600)
        self._file = file

    def note(self, last: int, samples: int) -> None:
        """A commit has happened."""
        assert self._fd is not None
        head = _HEAD.pack(_MAGIC, self._file, last, samples, 0)[:-4]
        with suppress(OSError):  # the disk fails: the database will say so
            host.pwrite(self._fd, head + struct.pack(">I", crc32(head)), 0)

    def settle(self, settled: int, sinks: Iterable[Debtor]) -> None:
        """The books were written."""
        assert self._fd is not None
        owed = {sink.name: [sink.id, sink.debt.text()] for sink in sinks if sink.active}
        body = json.dumps({"settled": settled, "sinks": owed}).encode()
        with suppress(OSError):
            host.pwrite(self._fd, _BODY.pack(len(body), crc32(body)) + body, _BODY_AT)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def place(path: Path) -> Path:
    """Where the witness of the store `path` lies."""
    return path.with_name(f"{path.stem}.witness")


def testimony(path: Path) -> Testimony | None:
    """What the witness says; None if there is none or it cannot be trusted."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST)
    except OSError:
        return None
    if len(raw) < _HEAD.size:
        return None
    magic, name, last, samples, crc = _HEAD.unpack_from(raw)
    if magic != _MAGIC or crc != crc32(raw[: _HEAD.size - 4]):
        return None
    found = Testimony(name, last, samples)
    found.settled, found.sinks = _body(raw) or (0, {})
    return found


def _body(raw: bytes) -> tuple[int, dict[str, tuple[int, Ranges]]] | None:
    if len(raw) < _BODY_AT + _BODY.size:
        return None
    length, crc = _BODY.unpack_from(raw, _BODY_AT)
    body = raw[_BODY_AT + _BODY.size :][:length]
    if len(body) < length or crc32(body) != crc:
        return None
    try:
        said = json.loads(body)
        return int(said["settled"]), {str(name): (int(id_), parse(owed)) for name, (id_, owed) in said["sinks"].items()}
    except (ValueError, TypeError, LookupError):
        return None
