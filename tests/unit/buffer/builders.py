"""Frames, clocks and stores for the tests of the store."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.model.clock import Clock
from agent.model.frame import Entry, Frame, Value
from agent.model.tag import DType, Schema, Tag
from buffer.store import Store

SECOND = 10**9
NOON = 1_700_000_000 * SECOND
BIG = 64 << 20
OPENED: list[Store] = []  # what a test has opened; the fixture `shut` closes it


@dataclass
class Hands:
    """A clock whose hands the test moves; both start at values that no test depends on."""

    wall: int = NOON
    mono: int = 1000 * SECOND
    synced: bool = True

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.wall, mono=lambda: self.mono, synced=lambda: self.synced)

    def move(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.mono += round(seconds * SECOND)


def schema(
    device: str = "meter", tags: int = 3, dtype: DType = "float64", group: str = "1s", *, made: bool = False
) -> Schema:
    return Schema(device, group, tuple(Tag(f"t{i}", dtype) for i in range(tags)), 1.0, made)


METER = schema()


def frame(*values: Value, of: Schema = METER, ts: int = NOON, mono: int = 0) -> Frame:
    """A good frame; without values one that is all 1.5."""
    columns = values or (1.5,) * len(of.tags)
    return Frame(of, ts, columns, bytes(len(columns)), mono)


def frames(count: int, of: Schema = METER, ts: int = NOON, mono: int = 0) -> list[Frame]:
    """Frames that differ in their first value."""
    return [frame(float(i), *(0.5,) * (len(of.tags) - 1), of=of, ts=ts, mono=mono) for i in range(count)]


def open_store(
    path: Path,
    hands: Hands | None = None,
    *,
    sinks: Sequence[str] = (),
    boot: str = "boot-1",
    keep: float = 86400.0,
    max_size: int = BIG,
    reserve: int = 0,
    synced: bool = False,
) -> Store:
    """Unless it is to be `synced`, the disk is not waited for: processes die in these tests, and no machine does."""
    clock = (hands or Hands()).clock()
    store = Store.open(path, clock=clock, boot=boot, keep=keep, max_size=max_size, reserve=reserve)
    if not synced:
        store._log.connection.execute("PRAGMA synchronous=OFF")
    OPENED.append(store)
    if sinks:
        store.attach(sinks)
    return store


def seqs(entries: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


def look(path: Path, query: str) -> list[tuple[object, ...]]:
    """What the file says when nobody has it open."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def change(path: Path, statement: str, *parameters: object) -> None:
    """Someone else's hand in a file at rest."""
    connection = sqlite3.connect(path)
    try:
        connection.execute(statement, parameters)
        connection.commit()
    finally:
        connection.close()
