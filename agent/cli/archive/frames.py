"""The store in an archive: `store/frames` is blocks of rows, each behind its length, `store/tables` all else.

Both are MessagePack. Every block is small, so that neither side ever holds more of the frames than one of them.
"""

import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from agent.cli.archive.container import BadArchive
from agent.model.errors import StoreError
from buffer.copying import Piece, Table, Written

FRAMES, TABLES = "store/frames", "store/tables"
MOST_TABLES = 256 << 20  # bytes
_LENGTH = struct.Struct(">I")
_MOST_BLOCK = 32 << 20  # bytes
_HINT = "take another backup; nothing was changed"


class Whole(msgspec.Struct):
    """What is not frames: the version of the file, the columns of a frame, the other tables by name."""

    version: int
    columns: list[str]
    tables: dict[str, Table]


_encode = msgspec.msgpack.Encoder().encode
_whole = msgspec.msgpack.Decoder(Whole).decode
_rows = msgspec.msgpack.Decoder(list[list[Any]]).decode


class Flow:
    """The pieces of a store as the bytes of a member; what the last of them holds besides is in `whole` afterwards."""

    def __init__(self, piece: Callable[[int], Piece], done: Callable[[int], None]) -> None:
        self._piece, self._done = piece, done
        self.frames = 0
        self.whole = b""

    def blocks(self) -> Iterator[bytes]:
        """Raises StoreError."""
        cursor, piece = 0, self._piece(0)
        while True:
            if piece.frames:
                body = _encode(piece.frames)
                yield _LENGTH.pack(len(body)) + body
                cursor = piece.frames[-1][piece.columns.index("seq")]
                self.frames += len(piece.frames)
                self._done(self.frames)
            if piece.tables is not None:
                self.whole = _encode(Whole(piece.version, piece.columns, piece.tables))
                return
            piece = self._piece(cursor)


def whole(data: bytes, path: Path) -> Whole:
    """Raises BadArchive."""
    try:
        return _whole(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:  # text that is no UTF-8 is a ValueError
        raise _bad(path, error) from error


def write(path: Path, archive: Path, found: Whole, chunks: Iterable[bytes], done: Callable[[int], None]) -> Written:
    """A store of these frames as the new file `path`, which belongs to a new instance. Raises BadArchive and
    StoreError."""
    made: Written | None = None
    complete = False
    try:
        made = Written(path, found.version, found.tables)
        for block in _blocks(chunks, archive):
            made.add(found.columns, _rows(block))
            done(made.frames)
        complete = True
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {error}", hint="is there room?") from error
    except (sqlite3.Error, msgspec.MsgspecError, *_SENSELESS) as error:
        raise _bad(archive, error) from error
    finally:
        if made is not None:
            made.close(whole=complete)
    return made


_SENSELESS = (ValueError, TypeError, LookupError, OverflowError, RecursionError)


def _blocks(chunks: Iterable[bytes], path: Path) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(held)
            if length > _MOST_BLOCK:
                raise _bad(path, f"a block of {length >> 20} MB")
            end = _LENGTH.size + length
            if len(held) < end:
                break
            yield bytes(held[_LENGTH.size : end])
            del held[:end]
    if held:
        raise _bad(path, "the last block is not whole")


def _bad(path: Path, error: object) -> BadArchive:
    return BadArchive(f"{path}: its store makes no sense: {error}", hint=_HINT)
