"""Answers with many values, from their bytes into columns: values of one layout are taken all at once.

A server encodes thousands of values alike: a handle, a mask, a type, a number, a time or two. So the layout of the
first one is looked up, the bytes that would have to be the same are compared at its stride, and one `struct` takes the
lot. Whatever is not a plain number goes one by one through `binary`.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from drivers.opcua.binary import ARRAY, NUMBERS, Malformed, count, data_value, diagnostics, node_id, octets, structure

PUBLISH, READ, FAULT = "i=829", "i=634", "i=397"
HISTORY, HISTORY_DATA = "i=667", "i=658"
DATA_CHANGE, STATUS_CHANGE, EVENTS = "i=811", "i=820", "i=916"
SHORT, LONGER = 16, 8  # values that are compared at first, and how many times more after each full run

_UINT32, _INT32 = struct.Struct("<I").unpack_from, struct.Struct("<i").unpack_from
_RESPONSE = struct.Struct("<qII")
_NOTIFICATION = struct.Struct("<?Iq")
OTHER = 0xFF  # stands in `kinds` for values that are no numbers


@dataclass(slots=True)
class Batch:
    """Columns of data values. `handles` is empty where the request says whose they are; times are ticks, 0 is none.

    `kinds` are the types that occur. `codes` is empty when every value is good.
    """

    handles: list[int] = field(default_factory=list)
    values: list[object] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    served: list[int] = field(default_factory=list)
    kinds: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.values)

    def good(self, place: int) -> object:
        """The value there, unless its status is bad."""
        return None if self.codes and self.codes[place] >> 31 else self.values[place]


@dataclass(frozen=True, slots=True)
class Message:
    """What a subscription says. `ended` is the status of its end; `others` are notifications of another kind.

    `published` is the server's time in ticks; with `more`, not all was said that the server knew then.
    """

    subscription: int
    sequence: int
    changes: tuple[Batch, ...] = ()
    ended: int | None = None
    others: tuple[tuple[str, bytes], ...] = ()
    published: int = 0
    more: bool = False

    @property
    def empty(self) -> bool:
        """Whether it is a keep-alive, which is not acknowledged."""
        return not self.changes and self.ended is None and not self.others


@dataclass(frozen=True, slots=True)
class Past:
    """What a server kept of one node; with a `point` there is more."""

    code: int
    point: bytes
    kept: Batch


@dataclass(frozen=True, slots=True)
class Layout:
    """One data value as a struct; where in its fields the handle is, the value, the code, the times (-1: none)."""

    struct: struct.Struct
    handle: int
    value: int
    code: int
    ticks: int
    served: int


def service(body: bytes) -> tuple[str, int, int]:
    """The type of an answer, its service result, and where its parameters start. Raises Malformed."""
    try:
        kind, at = node_id(body, 0)
        _, _, code = _RESPONSE.unpack_from(body, at)
        at = diagnostics(body, at + _RESPONSE.size)
        strings, at = count(body, at, 4)
        for _ in range(strings):
            _, at = octets(body, at)
        _, at = structure(body, at)
    except (struct.error, IndexError) as error:
        raise Malformed(f"an answer that is cut off: {error}") from None
    return kind, code, at


def publish(body: bytes, at: int) -> Message:
    """The parameters of a PublishResponse (part 4, 5.13.5 and 7.25). Raises Malformed."""
    try:
        (subscription,) = _UINT32(body, at)
        available, at = count(body, at + 4, 4)
        at += 4 * available
        more, sequence, published = _NOTIFICATION.unpack_from(body, at)
        at += 1
        notifications, at = count(body, at + 12, 3)
        changes: list[Batch] = []
        others: list[tuple[str, bytes]] = []
        ended = None
        for _ in range(notifications):
            held, at = structure(body, at)
            if held is None:
                continue
            if held.kind == DATA_CHANGE:
                changes.append(values(held.body, handled=True))
            elif held.kind == STATUS_CHANGE:
                (ended,) = _UINT32(held.body, 0)
            else:
                others.append((held.kind, held.body))
    except (struct.error, IndexError) as error:
        raise Malformed(f"a message that is cut off: {error}") from None
    return Message(subscription, sequence, tuple(changes), ended, tuple(others), published, more)


def past(body: bytes, at: int) -> list[Past]:
    """The results of a HistoryReadResponse (part 4, 5.10.3). Raises Malformed."""
    found = []
    try:
        results, at = count(body, at, 11)
        for _ in range(results):
            (code,) = _UINT32(body, at)
            point, at = octets(body, at + 4)
            held, at = structure(body, at)
            kept = values(held.body) if held is not None and held.kind == HISTORY_DATA else Batch()
            found.append(Past(code, point or b"", kept))
    except (struct.error, IndexError) as error:
        raise Malformed(f"a history that is cut off: {error}") from None
    return found


def values(body: bytes, at: int = 0, *, handled: bool = False) -> Batch:
    """An array of data values, each after its client handle where `handled`. Raises Malformed."""
    batch = Batch()
    try:
        left, at = count(body, at, 5 if handled else 1)
        reach = SHORT
        while left:
            layout = _layout_at(body, at + 4 if handled else at, handled)
            taken = layout and _run(body, at, min(left, reach), layout)
            if layout is None or not taken:
                at, left = _one(batch, body, at, handled), left - 1
                continue
            _take(batch, body, at, taken, layout)
            at, left = at + taken * layout.struct.size, left - taken
            reach = reach * LONGER if taken == reach else SHORT
    except (struct.error, IndexError) as error:
        raise Malformed(f"values that are cut off: {error}") from None
    if not any(batch.codes):
        batch.codes.clear()
    return batch


def _layout_at(body: bytes, mask_at: int, handled: bool) -> Layout | None:
    return _layout(body[mask_at], body[mask_at + 1], handled) if body[mask_at] & 1 else None


def _run(body: bytes, at: int, most: int, layout: Layout) -> int:
    """How many values from here on have the same mask and type, and are there to their end."""
    size = layout.struct.size
    most = min(most, (len(body) - at) // size)
    if most < 1:
        raise Malformed("a value that is cut off")
    mask_at = at + 4 if layout.handle >= 0 else at
    end = mask_at + (most - 1) * size + 2
    for place in (mask_at, mask_at + 1):
        same = body[place:end:size][:most]
        most = min(most, most - len(same.lstrip(same[:1])))
        end = mask_at + (most - 1) * size + 2
    return most


def _take(batch: Batch, body: bytes, at: int, taken: int, layout: Layout) -> None:
    size = layout.struct.size
    columns: Sequence[tuple[int, ...]]
    columns = tuple(zip(*layout.struct.iter_unpack(memoryview(body)[at : at + taken * size]), strict=True))
    nothing = bytes(taken)
    if layout.handle >= 0:
        batch.handles.extend(columns[layout.handle])
    batch.values.extend(columns[layout.value])
    batch.codes.extend(nothing if layout.code < 0 else columns[layout.code])
    batch.ticks.extend(nothing if layout.ticks < 0 else columns[layout.ticks])
    batch.served.extend(nothing if layout.served < 0 else columns[layout.served])
    batch.kinds.add(body[at + 5 if layout.handle >= 0 else at + 1])


def _one(batch: Batch, body: bytes, at: int, handled: bool) -> int:
    if handled:
        batch.handles.append(_UINT32(body, at)[0])
        at += 4
    found, at = data_value(body, at)
    batch.values.append(found.value)
    batch.codes.append(found.code)
    batch.ticks.append(found.ticks)
    batch.served.append(found.served)
    batch.kinds.add(OTHER)
    return at


@lru_cache(1024)
def _layout(mask: int, kind: int, handled: bool) -> Layout | None:
    """None unless it is a single number."""
    if kind not in NUMBERS or mask & 0xC1 != 1 or kind & ARRAY:
        return None
    fields = [
        ("handle", "I", handled),
        ("", "xx", True),
        ("value", NUMBERS[kind].format[1:], True),
        ("code", "I", mask & 2),
        ("ticks", "q", mask & 4),
        ("", "2x", mask & 16),
        ("served", "q", mask & 8),
        ("", "2x", mask & 32),
    ]
    there = [(name, letters) for name, letters, is_there in fields if is_there]
    names = [name for name, _ in there if name]
    places = {name: names.index(name) if name in names else -1 for name, _, _ in fields if name}
    return Layout(struct.Struct("<" + "".join(letters for _, letters in there)), **places)
