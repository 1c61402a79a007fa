"""What happened to the store itself, told as frames of the device `$gateway`: they go the way of all frames.

A loss is told when its sink is back: it has confirmed something newer, so the loss grows no more.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from agent.model.clock import Clock
from agent.model.frame import Frame
from agent.model.tag import DType, Schema, Tag

DEVICE = "$gateway"
MOST = 50  # reports at a time
_MS = 1_000_000


def _schema(group: str, **tags: DType) -> Schema:
    return Schema(DEVICE, group, tuple(Tag(name, dtype, kind="event") for name, dtype in tags.items()))


LOSS = _schema(
    "loss",
    sink="str",
    reason="str",
    from_seq="int64",
    to_seq="int64",
    frames="int64",
    samples="int64",
    first_ts="int64",
    last_ts="int64",
)
CLOCK = _schema("clock", before_ts="int64", after_ts="int64", step_s="float64", synced="bool")

_LOSSES = (
    "SELECT loss.id, name, reason, from_seq, to_seq, frames, samples, t0, t1 FROM loss JOIN sink ON sink.id = loss.sink"
    " WHERE reported IS NULL AND active AND acked > to_seq ORDER BY loss.id LIMIT ?"
)
_STEPS = "SELECT id, before, after, synced FROM clock WHERE reported IS NULL AND before != after ORDER BY id LIMIT ?"


class Report(NamedTuple):
    """A frame, and the statement that marks its row with the seq it gets."""

    frame: Frame
    mark: str
    row: int


def due(connection: sqlite3.Connection, clock: Clock) -> list[Report]:
    """What has not been told yet and can be; usually nothing."""
    return [*_losses(connection, clock), *_steps(connection, clock)]


def _losses(connection: sqlite3.Connection, clock: Clock) -> Iterator[Report]:
    for row, *values, t0, t1 in connection.execute(_LOSSES, (MOST,)).fetchall():
        yield _report(LOSS, (*values, t0 // _MS, t1 // _MS), clock, "UPDATE loss SET reported = ? WHERE id = ?", row)


def _steps(connection: sqlite3.Connection, clock: Clock) -> Iterator[Report]:
    for row, before, after, state in connection.execute(_STEPS, (MOST,)).fetchall():
        values = (before // _MS, after // _MS, (after - before) / 1e9, state > 1)
        yield _report(CLOCK, values, clock, "UPDATE clock SET reported = ? WHERE id = ?", row)


def _report(schema: Schema, values: Sequence[Any], clock: Clock, mark: str, row: int) -> Report:
    return Report(Frame(schema, clock.wall(), tuple(values), bytes(len(values)), clock.mono()), mark, row)
