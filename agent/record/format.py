"""The file of a recording: a magic number, then records that each carry their length and checksum.

    89 46 47 52 0d 0a 1a 01                      magic, the last byte is the version
    length (4)  CRC-32 of the payload (4)        big-endian, then the payload: a MessagePack array
      ["header", {…}]                            first, once
      ["wire", number, name]                     before the first note of a wire
      ["note", wire, what, wall, mono, data]     what happened there (`drivers.tapping`), times in ns
      ["end", why, wall, mono]                   last, when the recording ended in order

So a file that was cut off or damaged is good up to there. The header holds the files of the configuration as they are
on the disk, where secrets are references; what a reference leads to is never in it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from zlib import crc32

import msgspec

from agent.model.errors import AgentError
from drivers.tapping import Note

MAGIC = b"\x89FGR\r\n\x1a\x01"
HEAD = struct.Struct(">II")
LARGEST = 16 << 20  # bytes of one record
MOST_WIRES = 100_000
_WRONG = "name a file that `floorgate record` wrote"


class Header(msgspec.Struct, array_like=True, tag="header"):
    """`files` are those of the configuration, `site` the name of the first of them; `program` wrote the recording."""

    program: str = ""
    gateway: str = ""
    wall: int = 0
    mono: int = 0
    site: str = ""
    files: dict[str, bytes] = {}


class Wire(msgspec.Struct, array_like=True, tag="wire"):
    """A wire and its number."""

    number: int
    name: str


class Entry(msgspec.Struct, array_like=True, tag="note"):
    """A note of the wire with this number."""

    wire: int
    what: str
    wall: int
    mono: int
    data: bytes


class End(msgspec.Struct, array_like=True, tag="end"):
    """Why it ended: `stopped`, `full`, `time`, or what was wrong."""

    why: str
    wall: int
    mono: int


Record = Header | Wire | Entry | End
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


@dataclass(slots=True)
class Recording:
    """What a file holds. `damage` says up to where it can be read when that is not all."""

    path: Path
    header: Header
    notes: list[Note] = field(default_factory=list)
    end: str = ""
    damage: str = ""


def framed(record: Record) -> bytes:
    payload = _encode(record)
    return HEAD.pack(len(payload), crc32(payload)) + payload


def read_recording(path: Path) -> Recording:
    """All that can be read of it. Raises AgentError for a file that is none."""
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}", hint=_WRONG) from error


def read_header(path: Path, file: IO[bytes]) -> Header:
    """The first record; the file stands behind it then. Raises AgentError for a file that is no recording."""
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        if magic[:-1] == MAGIC[:-1]:
            raise AgentError(f"{path}: a recording of version {magic[-1]}", hint="take a newer floorgate")
        raise AgentError(f"{path}: is no recording", hint=_WRONG)
    first = next(iter(_Records(file)), None)
    if not isinstance(first, Header):
        raise AgentError(f"{path}: its header is damaged", hint="record it once more")
    return first


def _read(path: Path, file: IO[bytes]) -> Recording:
    found = Recording(path, read_header(path, file))
    records = _Records(file)
    wires: dict[int, str] = {}
    for record in records:
        if isinstance(record, Wire) and len(wires) < MOST_WIRES:
            wires[record.number] = record.name
        elif isinstance(record, Entry) and record.wire in wires and _is_time(record.wall, record.mono):
            found.notes.append(Note(wires[record.wire], record.what, record.wall, record.mono, record.data))
        elif isinstance(record, End):
            found.end = record.why
            break
        else:
            records.damage = f"a record that makes no sense before byte {records.at:,}"
            break
    found.damage = records.damage
    if not found.end and not found.damage:
        found.damage = f"it was cut off at byte {records.at:,}"
    return found


def _is_time(wall: int, mono: int) -> bool:
    return 0 <= wall < 1 << 63 and 0 <= mono < 1 << 63


class _Records:
    """The records of a file up to its end, or to the first that is damaged."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.at, self.damage = file, file.tell(), ""

    def __iter__(self) -> Iterator[Record]:
        while head := self._file.read(HEAD.size):
            if len(head) < HEAD.size:
                self.damage = f"it was cut off at byte {self.at:,}"
                return
            size, checksum = HEAD.unpack(head)
            payload = self._file.read(size) if size <= LARGEST else b""
            if size > LARGEST or (len(payload) == size and crc32(payload) != checksum):
                self.damage = f"it is damaged at byte {self.at:,}"
                return
            if len(payload) < size:
                self.damage = f"it was cut off at byte {self.at:,}"
                return
            try:
                record = _decode(payload)
            except (msgspec.MsgspecError, RecursionError, UnicodeError):
                self.damage = f"a record that makes no sense at byte {self.at:,}"
                return
            self.at += HEAD.size + size
            yield record
