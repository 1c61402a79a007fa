"""Which metrics the devices have, what they are called, and which alias stands for each; no I/O happens here.

A metric is called as its tag. Where several groups of a device have a tag of that name, the group stands before it
(`1s/status`); where a tag has changed its type, the older one carries that (`status (int16)`).

An alias means one metric for ever, or as near to that as a number of three bytes allows: a host application that still
has those of an earlier session must not write to another tag with them. So aliases start over only when the metrics are
the very same as at the last start; otherwise they go on behind the last one.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.model.tag import DType, Schema, Tag
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.metrics import Plan, Told

Key = tuple[str, str, DType]  # group, tag, type
_ROUND = 1 << 14  # aliases before they start over: so many take two bytes
_PLANS = 4096  # compiled plans kept: after a reload the store hands out new schemas


class Book:
    """Aliases. `kept` is what `dump` gave, in this run or an earlier one; `changed` says that it wants keeping."""

    def __init__(self, kept: bytes | None = None) -> None:
        self._digest, self._base, self._next = _read(kept)
        self._aliases: dict[str, dict[Key, int]] = {}
        self._first: Iterator[int] = iter(())
        self.changed = False

    def start(self, keys: Sequence[tuple[str, Key]]) -> None:
        """These are the metrics that there are at first, as (device, key); they will be asked for in this order."""
        digest = hashlib.sha256(json.dumps(keys).encode()).hexdigest()
        if digest != self._digest:
            room = max(_ROUND, 4 * len(keys))
            self._digest, self._base = digest, self._next if self._next + len(keys) <= room else 1
            self._next = self._base + len(keys)
            self.changed = True
        self._first = iter(range(self._base, self._base + len(keys)))

    def alias(self, device: str, key: Key) -> int:
        """The one that it has, or a new one."""
        mine = self._aliases.setdefault(device, {})
        found = mine.get(key) or next(self._first, 0)
        if not found:
            found, self._next, self.changed = self._next, self._next + 1, True
        mine[key] = found
        return found

    def dump(self) -> bytes:
        self.changed = False
        return json.dumps({"digest": self._digest, "base": self._base, "next": self._next}).encode()


def _read(kept: bytes | None) -> tuple[str, int, int]:
    try:
        found = json.loads(kept or b"{}")
        return str(found["digest"]), int(found["base"]), int(found["next"])
    except (ValueError, KeyError, TypeError):
        return "", 1, 1


@dataclass(slots=True)
class Device:
    """`version` goes up whenever its metrics change; `current` are its groups as the agent reads them now."""

    name: str
    told: dict[Key, Told] = field(default_factory=dict)
    current: list[Schema] = field(default_factory=list)
    version: int = 0
    _by_name: dict[str, Told] = field(default_factory=dict)

    def find(self, metric: str) -> Told | None:
        """By the metric's name."""
        if not self._by_name:
            self._by_name = {told.name: told for told in self.told.values()}
        return self._by_name.get(metric)

    def call(self, names: Mapping[Key, str]) -> None:
        """Give its metrics these names."""
        self.told = {key: Told(told.tag, names[key], told.alias) for key, told in self.told.items()}
        self.version += 1
        self._by_name = {}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the frames of a schema belong."""

    device: Device
    group: str
    plan: Plan


class Tree:
    """All devices. `begin` with each connection, `learn` before the first frame of a schema is written."""

    def __init__(self, book: Book, *, old: bool = False) -> None:
        self.book = book
        self.devices: dict[str, Device] = {}
        self.old = old
        self.fields = codec.OLD_FIELDS if old else codec.FIELDS
        self._places: dict[Schema, Place] = {}
        self._plans: dict[tuple[str, str, tuple[Tag, ...]], Plan] = {}
        self._by_alias: dict[int, tuple[Device, Told]] = {}  # made when somebody asks
        self._started = False
        self._as: tuple[Schema, ...] | None = None  # what `begin` was told, while nothing was learnt since

    def begin(self, schemas: Sequence[Schema]) -> None:
        """From now on the devices have these groups and no others, until `learn` says otherwise."""
        if self._as == tuple(schemas):
            return
        if not self._started:
            self.book.start(list(dict.fromkeys((schema.device, key) for schema in schemas for key in _keys(schema))))
            self._started = True
        self.devices, self._places = {}, {}
        self.learn(schemas, schemas)
        self._as = tuple(schemas)

    def learn(self, schemas: Sequence[Schema], now: Iterable[Schema] = ()) -> None:
        """Make room for the tags of these; `now` are all groups that there are, as far as somebody knows."""
        self._as, self._by_alias = None, {}
        found = {schema.device: self._device(schema.device) for schema in schemas}
        current: dict[str, list[Schema]] = {}
        for schema in now:
            if schema.device in found:
                current.setdefault(schema.device, []).append(schema)
        for name, mine in current.items():
            found[name].current = mine
        wanted = [*schemas, *(schema for mine in current.values() for schema in mine)]
        for name in {schema.device: None for schema in wanted if self._grows(schema)}:
            found[name].call(_names(found[name]))
        for schema in wanted:
            self._settle(schema)

    def lose(self, schemas: Sequence[Schema]) -> list[str]:
        """The devices that none of these groups belongs to: they are no more."""
        there = {schema.device for schema in schemas}
        gone = [name for name in self.devices if name not in there]
        for name in gone:
            del self.devices[name]
        self._forget(gone)
        return gone

    def outdated(self, schemas: Sequence[Schema]) -> list[Device]:
        """Devices that have metrics which none of these groups has, and of whose new groups none is still to come."""
        groups: dict[str, list[Schema]] = {}
        for schema in schemas:
            groups.setdefault(schema.device, []).append(schema)
        known = [device for name, device in self.devices.items() if all(map(self.knows, groups.get(name, ())))]
        return [device for device in known if self._tidy(device, groups.get(device.name, []))]

    def meet(self, schemas: Sequence[Schema], now: Sequence[Schema]) -> None:
        """As `learn`, for groups that come for the first time: of their devices what none of `now` has goes."""
        for name in {schema.device for schema in schemas if schema in now} & self.devices.keys():
            self._tidy(self.devices[name], [schema for schema in now if schema.device == name])
        self.learn(schemas, now)

    def _tidy(self, device: Device, now: Sequence[Schema]) -> bool:
        """Only the metrics of these groups stay; whether any went, or means something else than before."""
        tags = {key: tag for schema in now for key, tag in zip(_keys(schema), schema.tags, strict=True)}
        stay = {key: Told(tags[key], told.name, told.alias) for key, told in device.told.items() if key in tags}
        if stay.keys() == device.told.keys() and all(told.tag == device.told[key].tag for key, told in stay.items()):
            return False
        device.told, device.current = stay, [*now]
        device.call(_names(device))
        self._forget([device.name])
        return True

    def _forget(self, devices: Sequence[str]) -> None:
        """Where their frames belong is asked anew."""
        self._as, self._by_alias = None, {}
        self._places = {schema: place for schema, place in self._places.items() if place.device.name not in devices}
        self._plans = {key: plan for key, plan in self._plans.items() if key[0] not in devices}

    def _device(self, name: str) -> Device:
        device = self.devices.get(name)
        if device is None:
            device = self.devices[name] = Device(name)
        return device

    def _grows(self, schema: Schema) -> bool:
        """Whether its device has more metrics for it."""
        device, grown = self.devices[schema.device], False
        for key, tag in zip(_keys(schema), schema.tags, strict=True):
            if key not in device.told:
                device.told[key] = Told(tag, "", self.book.alias(device.name, key))
                grown = True
        return grown

    @property
    def by_alias(self) -> Mapping[int, tuple[Device, Told]]:
        if not self._by_alias:
            told = ((device, one) for device in self.devices.values() for one in device.told.values())
            self._by_alias = {one.alias: (device, one) for device, one in told}
        return self._by_alias

    def knows(self, schema: Schema) -> bool:
        return schema in self._places

    def place(self, schema: Schema) -> Place:
        """Learns it if it is not known."""
        found = self._places.get(schema)
        if found is None:
            self.learn([schema])
            found = self._places[schema]
        return found

    def _settle(self, schema: Schema) -> None:
        device, key = self.devices[schema.device], (schema.device, schema.group, schema.tags)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                del self._plans[next(iter(self._plans))]
            told = [device.told[each] for each in _keys(schema)]
            plan = self._plans[key] = Plan(told, self.fields, typed=self.old)
        if len(self._places) >= _PLANS:
            del self._places[next(iter(self._places))]
        self._places[schema] = Place(device, schema.group, plan)


def _keys(schema: Schema) -> list[Key]:
    return [(schema.group, tag.name, tag.dtype) for tag in schema.tags]


def _names(device: Device) -> dict[Key, str]:
    """A name for each metric, no two the same."""
    now = {key for schema in device.current for key in _keys(schema)}
    groups: dict[str, set[str]] = {}
    for group, tag, _ in device.told:
        groups.setdefault(tag, set()).add(group)
    names: dict[Key, str] = {}
    taken: set[str] = set()
    for key in sorted(device.told, key=lambda key: key not in now):
        group, tag, dtype = key
        name = f"{group}/{tag}" if len(groups[tag]) > 1 else tag
        while name in taken:
            name = f"{name} ({dtype})"
        names[key] = name
        taken.add(name)
    return names
