"""The table of schemas: each frame on disk names its tags by one number."""

import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec

from agent.model.tag import Schema, Tag
from buffer.codec import narrow
from buffer.ledger import Source, origin

_MADE: tuple[list[int], ...] = ([], [0], [1])  # the last column of a row; version 2 did not have it
_MOST = 10_000  # schemas known by identity; a driver that makes a new one at each connect must not fill the memory
Key = tuple[str, str, bytes, float, bool]  # device, group, tags, interval, made
_encode = msgspec.json.encode
_tags = msgspec.json.Decoder(tuple[Tag, ...]).decode
_SELECT = "SELECT id, device, grp, tags, interval, crc, made FROM schema ORDER BY id DESC"
_INSERT = "INSERT INTO schema (id, device, grp, tags, interval, made, crc) VALUES (?, ?, ?, CAST(? AS TEXT), ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Known:
    """A schema with its number in the file and what packs its frames."""

    id: int
    schema: Schema
    packer: struct.Struct | None


class Schemas:
    """Rows of the table by number, by content and by instance; new rows wait for the next transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._ids: dict[Key, int] = {}
        self._rows: dict[int, Key] = {}
        self._known: dict[Schema, Known] = {}
        self._schemas: dict[int, Schema] = {}
        self._waiting: list[int] = []
        self._last = 0
        for id_, device, group, tags, interval, crc, made in connection.execute(_SELECT).fetchall():
            self._last = max(self._last, abs(id_))
            key = (device, group, str(tags).encode(), interval, bool(made))
            if crc is None or crc == _checksum(key):
                self._enter(abs(id_), key)

    def known(self, schema: Schema) -> Known:
        return self._known.get(schema) or self._learn(schema)

    def get(self, id_: int) -> Schema | None:
        """The schema with this number, the live instance where there is one; None if its row is missing or damaged."""
        return self._schemas.get(id_) or self._revive(id_)

    def device(self, id_: int) -> str:
        """The device of a schema; a number without a row is named, so that its samples are not hidden."""
        row = self._rows.get(id_)
        return row[0] if row else f"schema {id_}"

    def source(self, id_: int) -> Source:
        """The device of a schema, and whether what is in its frames was read or made."""
        row = self._rows.get(id_)
        return self.device(id_), origin(made=bool(row and row[4]))

    def adopt(self, keys: Mapping[int, Key]) -> None:
        """Rows of another file, to be written under the same numbers as there."""
        for id_, key in keys.items():
            self._last = max(self._last, id_)
            self._enter(id_, key)
            self._waiting.append(id_)

    @property
    def rows(self) -> Mapping[int, Key]:
        return self._rows

    def write(self, connection: sqlite3.Connection) -> None:
        """Each twice, the copy under the negative id: a flipped bit in it would cost every frame of the group."""
        waiting = [(id_, self._rows[id_]) for id_ in self._waiting]
        rows = [(copy, *key, _checksum(key)) for id_, key in waiting for copy in (id_, -id_)]
        connection.executemany(_INSERT, rows)

    def written(self) -> None:
        self._waiting.clear()

    def _learn(self, schema: Schema) -> Known:
        key = key_of(schema)
        id_ = self._ids.get(key)
        if id_ is None:
            id_ = self._last = self._last + 1
            self._enter(id_, key)
            self._waiting.append(id_)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._schemas[id_] = schema
        known = self._known[schema] = Known(id_, schema, narrow(schema))
        return known

    def _revive(self, id_: int) -> Schema | None:
        row = self._rows.get(id_)
        schema = revive(row) if row else None
        if schema is not None:
            self._schemas[id_] = schema
        return schema

    def _enter(self, id_: int, key: Key) -> None:
        self._rows.setdefault(id_, key)
        self._ids[key] = id_


def key_of(schema: Schema) -> Key:
    """What two schemas have in common that are one on disk."""
    return schema.device, schema.group, _encode(schema.tags), float(schema.interval), schema.made


def revive(key: Key) -> Schema | None:
    """A new instance of the schema with this content; None for tags that cannot be read."""
    device, group, tags, interval, made = key
    try:
        return Schema(device, group, _tags(tags), interval, made)
    except msgspec.MsgspecError:
        return None


def revived(columns: Sequence[object]) -> Key | None:
    """What the row of a schema says; None for any other row, or one that does not match its checksum."""
    match columns:
        case [None, str(device), str(group), str(tags), float() | int() as interval, int(crc), *made] if made in _MADE:
            key = (device, group, tags.encode(), float(interval), made == [1])
            return key if crc == _checksum(key) else None
    return None


def _checksum(key: Key) -> int:
    device, group, tags, interval, made = key
    said = f"{device}\0{group}\0{interval!r}\0" + ("made\0" if made else "")
    return crc32(said.encode(), crc32(tags))
