"""What is kept of windows over a restart: columns, by the names of tags, so that thousands are read at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from agent.model.frame import Value
from agent.normalise.windows.tally import Tally

VERSION = 1
Reading = tuple[int, int, Value, int]  # time, slot, value, quality
Numbers = list[bool | int | float | str | None]  # a whole number of more than 64 bits is text, in base 16


class Columns(msgspec.Struct, array_like=True):
    """One entry for each tally."""

    seen: list[bool]
    count: list[int]
    late: list[int]
    doubt: list[int]
    bad: list[int]
    good: list[int]
    first_at: list[int]
    last_at: list[int]
    held_at: list[int]
    reach: list[int]
    low: Numbers
    high: Numbers
    first: Numbers
    last: Numbers
    held: Numbers
    total: Numbers
    lost: Numbers
    area: Numbers


class KeptWindow(msgspec.Struct, array_like=True):
    """The window from `start` and before `end`, as it was at `now`; `told` are the ends of those before. `waiting` are
    readings of the windows after it: time, place in `names`, value, quality."""

    every: int
    late: int
    hold: int | None
    start: int
    end: int
    now: int
    told: list[int]
    names: list[str]
    columns: Columns
    waiting: list[tuple[int, int, bool | int | float | str | None, int]] = []


_PLAIN = ("seen", "count", "late", "doubt", "bad", "good", "first_at", "last_at", "held_at", "reach")
_VALUES = ("low", "high", "first", "last", "held")
_SUMS = ("total", "lost", "area")
_DECODER = msgspec.msgpack.Decoder(tuple[int, list[KeptWindow]])


def columns_of(tallies: Sequence[Tally], start: int, now: int) -> Columns:
    """As they are at `now`, with what holds accounted for up to then."""
    rows = [_row(tally, start, now) for tally in tallies]
    return Columns(*(list(column) for column in zip(*rows, strict=True)))


def _row(tally: Tally, start: int, now: int) -> list[Any]:
    before = tally.good, tally.area, tally.low, tally.high, tally.reach
    if start:
        tally.settle(start, now)
    row = [getattr(tally, name) for name in _PLAIN]
    row += [_written(getattr(tally, name)) for name in (*_VALUES, *_SUMS)]
    tally.good, tally.area, tally.low, tally.high, tally.reach = before
    return row


def take_over(kept: KeptWindow, tallies: Mapping[str, Tally], *, is_open: bool) -> None:
    """What fits goes into the tallies. Nobody has looked between the two runs: a value that holds until another comes
    did so until the first run ended."""
    plain = [getattr(kept.columns, name) for name in _PLAIN]
    written = [getattr(kept.columns, name) for name in (*_VALUES, *_SUMS)]
    for place, name in enumerate(kept.names):
        tally = tallies.get(name)
        if tally is None or any(len(column) <= place for column in (*plain, *written)):
            continue
        try:
            values = [_read(column[place], text=tally.text) for column in written]
        except ValueError:
            continue
        found = dict(zip((*_VALUES, *_SUMS), values, strict=True))
        if any(isinstance(found[name], str) or found[name] is None for name in _SUMS):
            continue
        counts: dict[str, int] = {name: column[place] for name, column in zip(_PLAIN, plain, strict=True)}
        if not all(0 <= counts[name] < 256 for name in ("doubt", "bad")):  # no qualities
            continue
        found |= counts
        if tally.hold is None:
            found["held"] = None
        for field in found if is_open else ("held", "held_at"):
            setattr(tally, field, found[field])


def written_waiting(waiting: Sequence[Reading]) -> list[Reading]:
    return [(at, slot, _written(value), quality) for at, slot, value, quality in waiting]


def waiting_of(kept: KeptWindow, tallies: Sequence[Tally], names: Sequence[str]) -> Iterator[Reading]:
    """The readings that waited, with the slots that their tags have now; `names` are those of the tallies."""
    slots = {name: slot for slot, name in enumerate(names)}
    for at, place, value, quality in kept.waiting:
        slot = slots.get(kept.names[place]) if 0 <= place < len(kept.names) else None
        if slot is None or at < kept.end or not 0 <= quality < 256:
            continue
        with suppress(ValueError):
            yield at, slot, _read(value, text=tallies[slot].text), quality


def as_bytes(windows: Sequence[KeptWindow]) -> bytes:
    return msgspec.msgpack.encode((VERSION, windows))


def from_bytes(kept: bytes) -> Sequence[KeptWindow]:
    """None when they are damaged, or of a version that is not known."""
    try:
        version, windows = _DECODER.decode(kept)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    return windows if version == VERSION else ()


def _written(value: Value) -> Value:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"{value:x}"
    return value


def _read(value: Value, *, text: bool) -> Value:
    """Raises ValueError for what cannot be."""
    if isinstance(value, str) and not text:
        return int(value, 16)
    if text and isinstance(value, float):
        raise ValueError("a number for text")
    return value
