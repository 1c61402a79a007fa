"""All alarms of one device: their frames, and what is kept of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.model.frame import Frame, Value
from agent.model.tag import Tag
from agent.normalise.alarms.cell import ON, Cell, Edge, Notes
from agent.normalise.alarms.measure import Gap, Mark
from agent.normalise.alarms.rule import MINUTE, Alarm
from agent.normalise.api import Sheet

VERSION = 1
GRACE = 10 * MINUTE  # an alarm that nobody has any more was perhaps of a tag that is still to be found
Kept = tuple[bool, int, str, bool | int | float | str | None, int]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, dict[str, Kept]]).decode


@dataclass(frozen=True, slots=True)
class Standing:
    """How an alarm stands. `active` is what its tag says, whatever is told; times are ns UTC, 0: never, or not."""

    device: str
    name: str
    tag: str
    kind: str
    state: str
    active: bool
    since: int
    severity: int
    text: str
    value: Value
    shelved_until: int


class Panel:
    """Implements `Kept` and `Timed`."""

    must = False
    may = False

    def __init__(self, device: str, sheet: Sheet) -> None:
        self.device, self._sheet = device, sheet
        self._notes = Notes()
        self._cells: dict[str, Cell] = {}
        self._gaps: dict[str, Gap] = {}
        self._marks: dict[str, Mark] = {}
        self._left: dict[str, Kept] = {}  # of alarms that nobody has built, or not yet
        self._waits = 0  # since when, monotonic

    def cell(self, tag: Tag, alarm: Alarm) -> Cell | None:
        """The alarm of this tag, which goes on where it was; None when another one has its name."""
        name = alarm.called(tag.name)
        found = self._cells.get(name)
        if found is not None:
            return found if (found.tag, found.alarm) == (tag.name, alarm) else None
        made = self._cells[name] = Cell(tag.name, alarm, self._notes, self._columns(name, tag, alarm))
        if name in self._left:
            made.load(self._left.pop(name))
        if alarm.other:
            self._gaps[name] = Gap(made, self.mark(alarm.other))
        return made

    def gap(self, cell: Cell) -> Gap | None:
        return self._gaps.get(cell.name)

    def mark(self, tag: str) -> Mark:
        return self._marks.setdefault(tag, Mark())

    def find(self, name: str) -> Cell | None:
        return self._cells.get(name)

    def standings(self) -> Iterator[Standing]:
        for name, cell in self._cells.items():
            alarm = cell.alarm
            of = self.device, name, cell.tag, alarm.kind, cell.state, cell.active, cell.since
            yield Standing(*of, alarm.severity, alarm.text, cell.value, cell.until)

    def told(self, mono: int) -> Sequence[Frame]:
        """What has come up since the last call."""
        notes = self._notes
        self.may |= notes.changed
        notes.changed = False
        if not notes.edges:
            return ()
        self.must = True
        edges, notes.edges = notes.edges, []
        return [self._frame(each, mono) for each in _together(edges)]

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        busy = self._notes.busy
        for cell in list(busy):
            if not cell.tick(wall, mono):
                del busy[cell]
        made = list(self.told(mono))
        if self._left:
            self._waits = self._waits or mono
            if mono - self._waits >= GRACE:
                made += self._cleared(wall, mono)
        return made

    def changed(self) -> None:
        """Something is to be kept although nothing is told of it yet."""
        self.must = True

    def dump(self) -> bytes:
        kept = {name: state for name, cell in self._cells.items() if (state := cell.dump()) is not None}
        return _encode((VERSION, {**self._left, **kept}))

    def load(self, kept: bytes) -> None:
        try:
            version, found = _decode(kept)
        except (msgspec.MsgspecError, ValueError):
            return
        if version == VERSION:
            self._left = {name: state for name, state in found.items() if name not in self._cells}
            for name in found.keys() & self._cells.keys():
                self._cells[name].load(found[name])

    def _columns(self, name: str, tag: Tag, alarm: Alarm) -> tuple[int, ...]:
        """Those of: on, state, severity, text, value; -1 for what it does not have."""
        add = self._sheet.add
        return (
            add(Tag(name, "bool", "", "event")),
            add(Tag(f"{name}_state", "str", "", "state")),
            add(Tag(f"{name}_severity", "uint16", "", "event")),
            add(Tag(f"{name}_text", "str", "", "event")) if alarm.text else -1,
            add(Tag(f"{name}_value", tag.dtype, tag.unit, "event")) if alarm.kind != "bad" else -1,
        )

    def _frame(self, edges: Sequence[Edge], mono: int) -> Frame:
        cells: dict[int, Any] = {}
        for edge in edges:
            on, state, severity, text, value = edge.cell.columns
            is_on, alarm = edge.state in ON, edge.cell.alarm
            cells |= {on: is_on, state: edge.state}
            cells |= {severity: alarm.severity, text: alarm.text} if is_on else {}
            cells |= {value: edge.value} if edge.value is not None else {}
        cells.pop(-1, None)
        columns = tuple(sorted(cells))
        stamps = (edges[0].stamp,) * len(columns) if edges[0].stamp else None
        values = tuple(cells[column] for column in columns)
        return self._sheet.frame(edges[0].ts, mono, columns, values, bytes(len(columns)), stamps)

    def _cleared(self, wall: int, mono: int) -> list[Frame]:
        """Alarms that were told to be on, and were taken out of the file since."""
        gone = [name for name, state in self._left.items() if state[2] in ON]
        self._left.clear()
        self._waits = 0
        self.must = True
        cells: dict[int, Value] = {}
        for name in gone:
            cells[self._sheet.add(Tag(name, "bool", "", "event"))] = False
            cells[self._sheet.add(Tag(f"{name}_state", "str", "", "state"))] = "normal"
        values = tuple(cells.values())
        return [self._sheet.frame(wall, mono, tuple(cells), values, bytes(len(cells)))] if cells else []


def _together(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    """Those of one time are one frame, but for an alarm that came and went in it."""
    group: dict[Cell, Edge] = {}
    time = edges[0].ts, edges[0].stamp
    for edge in edges:
        if edge.cell in group or (edge.ts, edge.stamp) != time:
            yield list(group.values())
            group, time = {}, (edge.ts, edge.stamp)
        group[edge.cell] = edge
    yield list(group.values())
