"""An OPC UA device whose values come out of a recording: matched by their nodes, decoded by the types of now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent.model.errors import Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.api import DriverConfig, LineConfig
from drivers.opcua.binary import Code
from drivers.opcua.config import Config, Tag
from drivers.opcua.notify import Batch
from drivers.opcua.pins import Pins
from drivers.opcua.plan import Plan, plans
from drivers.opcua.tape import Column, Nodes, Values
from drivers.tapping import FAILED, LOST, NODES, VALUES, Note, Past

MOST_SAID = 50  # things that are missing, for people
_nodes = msgspec.msgpack.Decoder(Nodes).decode
_values = msgspec.msgpack.Decoder(Values).decode
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Event:
    """Values of recorded nodes, or why there are none any more."""

    wall: int
    mono: int
    nodes: tuple[str, ...] = ()  # of the recorded columns
    values: Values | None = None
    why: str = ""


class OpcuaPlayer:
    """One device; implements `drivers.tapping.Player`."""

    def __init__(self, config: Config, notes: Sequence[Note], data: Path | None) -> None:
        self.device = config.name
        self._missing: dict[str, None] = {}
        known, self._events = _events(notes, self._missing)
        pins = Pins(config, data)
        self._plans = plans(config, [*pins.tags, *_found(config, pins, known)])
        self.schemas = tuple(plan.schema for plan in self._plans)
        recorded = {node for columns in known.values() for node in columns}
        for plan in self._plans:
            for tag, node in zip(plan.schema.tags, plan.nodes, strict=True):
                if node not in recorded and len(self._missing) < MOST_SAID:
                    self._missing[f"{config.name}, {tag.name}: nothing of {node} was recorded"] = None
        self.moments = [(event.wall, event.mono) for event in self._events]

    @property
    def missing(self) -> Sequence[str]:
        return list(self._missing)

    def group(self, number: int) -> Schema | None:
        del number
        return None

    async def play(self, number: int, past: Past) -> Sequence[Frame]:
        event = self._events[number]
        past.move(event.wall, event.mono)
        if event.values is None:
            raise Unreachable(event.why)
        found: list[Frame] = []
        for plan in self._plans:
            found += _frames(plan, event.nodes, event.values, event)
        return found


def _events(notes: Sequence[Note], missing: dict[str, None]) -> tuple[dict[str, dict[str, Tag]], list[_Event]]:
    """What columns each recorded group had, the last ones, and everything that happened."""
    columns: dict[str, tuple[str, ...]] = {}
    tags: dict[str, dict[str, Tag]] = {}
    events: list[_Event] = []
    for note in notes:
        if note.what == NODES and (told := _decoded(_nodes, note.data, missing)):
            columns[told.group] = tuple(column.node for column in told.columns)
            tags[told.group] = {each.node: Tag.model_construct(**_keys(each)) for each in told.columns}
        elif note.what == VALUES and (came := _decoded(_values, note.data, missing)):
            nodes = columns.get(came.group, ())
            if _is_sound(came, len(nodes)):
                events.append(_Event(note.wall, note.mono, nodes, came))
        elif note.what in (FAILED, LOST):
            events.append(_Event(note.wall, note.mono, why=note.data.decode("utf-8", "replace")))
    return tags, events


def _keys(column: Column) -> dict[str, Any]:
    return {"name": column.name, "node": column.node, "type": column.dtype, "unit": column.unit}


def _decoded(decode: Callable[[bytes], T], data: bytes, missing: dict[str, None]) -> T | None:
    try:
        return decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        missing[f"a note that makes no sense: {error}"] = None
        return None


def _is_sound(values: Values, width: int) -> bool:
    size = len(values.columns)
    lists = [values.values, values.ticks, values.served, *([values.codes] if values.codes else [])]
    return (
        all(len(each) == size for each in lists)
        and all(0 <= column < width for column in values.columns)
        and all(0 <= place < size for place in values.coded)
    )


def _found(config: Config, pins: Pins, known: Mapping[str, dict[str, Tag]]) -> list[Tag]:
    """What the patterns of a device had found on its server, where nothing of that is known here."""
    if not pins.patterns:
        return []
    listed = {tag.node for tag in (*config.tags, *pins.tags)}
    return [
        tag.model_copy(update={"group": group if group in config.groups else ""})
        for group, tags in known.items()
        for node, tag in tags.items()
        if node not in listed
    ]


def _frames(plan: Plan, nodes: Sequence[str], values: Values, event: _Event) -> Sequence[Frame]:
    """What a group of now has of recorded values: of those nodes that are its own, whatever their group was."""
    own: dict[str, list[int]] = {}
    for column, node in enumerate(plan.nodes):
        own.setdefault(node, []).append(column)
    places = [(place, column) for place, at in enumerate(values.columns) for column in own.get(nodes[at], ())]
    if not places:
        return []
    batch = Batch(
        [column for _, column in places],
        [_value(values, place) for place, _ in places],
        [values.codes[place] for place, _ in places] if values.codes else [],
        [values.ticks[place] for place, _ in places],
        [values.served[place] for place, _ in places],
        set(values.kinds),
    )
    if not values.whole:
        return list(plan.columns.frames(batch, event.wall, event.mono))
    missing = bytearray((Quality.BAD_COMM,)) * len(plan.nodes)
    columns, batch.handles = batch.handles, []
    return [plan.columns.whole([(columns, batch)], missing, event.wall, event.mono)]


def _value(values: Values, place: int) -> object:
    value = values.values[place]
    return Code(value) if place in values.coded and isinstance(value, int) else value


def players(
    line: LineConfig, devices: Sequence[DriverConfig], notes: Sequence[Note], past: Past, data: Path | None = None
) -> list[OpcuaPlayer]:
    """A player for each device; `notes` are all that were recorded of them."""
    del line, past
    by_device: dict[str, list[Note]] = {}
    for note in notes:
        by_device.setdefault(note.wire, []).append(note)
    return [
        OpcuaPlayer(config, by_device.get(config.name, []), data) for config in devices if isinstance(config, Config)
    ]
