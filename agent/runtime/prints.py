"""What of a site restarts when another site takes its place: pure, by digests that are small and quick to make.

Two files that say the same have the same prints, whatever the order of their keys, devices and sinks; the order of the
tags of a device counts, because it is that of the columns. Digests of secrets differ from one process to the next, so
prints are compared within one and never kept.

* A **unit** is what is built together: the devices of a line, or one device that speaks up by itself. Its print has
  what its drivers are made of. What the steps alone look at (limits, reports, alarms, …) is not in that of a line; a
  device that speaks of changes only says all of it again when it is asked anew, so there it is.
* A **recipe** has what is asked of the values of one device, read or worked out.
* A **sink** has its own section and who the gateway is.
* Of all other **sections** each key has a print: `buffer.keep`.
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, SecretStr

from agent.config import Site
from agent.normalise.calendar import Calendar
from agent.normalise.local import Local
from agent.northbound.api import FileSecret
from agent.runtime.wiring import Unit, units_of
from drivers.api import DriverConfig, TagConfig

STEPS_ALONE = frozenset(  # keys of a device or tag that no driver looks at
    {"limits", "counter", "aggregate", "alarms", "report", "state", "derived", "energy", "oee", "ct", "pt", "ratio"}
    | {"as_", "description"}
)
_OURS = secrets.token_bytes(16)
K = TypeVar("K", bound=tuple[str, ...] | str)


@dataclass(frozen=True, slots=True)
class Prints:
    """Digests by what they are of. `members` are the devices of each unit."""

    units: Mapping[Unit, bytes] = field(default_factory=dict)
    members: Mapping[Unit, tuple[str, ...]] = field(default_factory=dict)
    recipes: Mapping[str, bytes] = field(default_factory=dict)
    sinks: Mapping[str, bytes] = field(default_factory=dict)
    sections: Mapping[str, bytes] = field(default_factory=dict)

    def without(self, change: "Change", devices: Collection[str]) -> "Prints":
        """What runs as it did when a change is half made: nothing of what ends, and of these devices no recipe."""
        gone = change.units.ended
        return Prints(
            {unit: digest for unit, digest in self.units.items() if unit not in gone},
            {unit: names for unit, names in self.members.items() if unit not in gone},
            {name: digest for name, digest in self.recipes.items() if name not in devices},
            {name: digest for name, digest in self.sinks.items() if name not in change.sinks.ended},
            {key: digest for key, digest in self.sections.items() if key not in change.sections},
        )

    def devices(self, units: Iterable[Unit]) -> set[str]:
        """All that belong to these."""
        return {name for unit in units for name in self.members[unit]}


@dataclass(frozen=True, slots=True)
class Fate(Generic[K]):
    """What becomes of things of one kind, each list in the order of its names."""

    started: tuple[K, ...] = ()
    stopped: tuple[K, ...] = ()
    restarted: tuple[K, ...] = ()
    stayed: tuple[K, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.started or self.stopped or self.restarted)

    @property
    def ended(self) -> tuple[K, ...]:
        return (*self.stopped, *self.restarted)

    @property
    def begun(self) -> tuple[K, ...]:
        return (*self.started, *self.restarted)


@dataclass(frozen=True, slots=True)
class Change:
    """From one site to another. `recipes` are by device; `sections` has the keys that say something else now. A device
    restarts when it is part of another unit, or of one that restarts."""

    units: Fate[Unit]
    recipes: Fate[str]
    sinks: Fate[str]
    sections: tuple[str, ...] = ()
    devices: Fate[str] = field(default_factory=Fate)

    def __bool__(self) -> bool:
        return bool(self.units or self.recipes or self.sinks or self.sections)


def prints(site: Site) -> Prints:
    """Of a site that still has the tags of its devices."""
    units, recipes = units_of(site.devices), _recipes(site)
    who = _digest(site.gateway.id, site.gateway.site)
    return Prints(
        {unit: _digest(_unit(site, members), recipes.get(unit.device)) for unit, members in units.items()},
        {unit: tuple(sorted(member.name for member in members)) for unit, members in units.items()},
        recipes,
        {sink.name: _digest(who, sink) for sink in site.sinks},
        dict(_sections(gateway=site.gateway, buffer=site.buffer, log=site.log, status=site.status)),
    )


def compared(old: Prints, new: Prints) -> Change:
    """What restarts, starts, stops and stays on the way from one to the other."""
    keys, units = old.sections.keys() | new.sections.keys(), _fate(old.units, new.units)
    return Change(
        units,
        _fate(old.recipes, new.recipes),
        _fate(old.sinks, new.sinks),
        tuple(sorted(key for key in keys if old.sections.get(key) != new.sections.get(key))),
        _fate(_places(old, ()), _places(new, units.restarted)),
    )


def _places(prints: Prints, other: Collection[Unit]) -> dict[str, object]:
    """By device, what is the same as long as it goes on; `other` units are not what they were."""
    return {name: (unit, unit in other) for unit, names in prints.members.items() for name in names}


def _fate(old: Mapping[K, object], new: Mapping[K, object]) -> Fate[K]:
    both = sorted(old.keys() & new.keys())
    return Fate(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(key for key in both if old[key] != new[key]),
        tuple(key for key in both if old[key] == new[key]),
    )


def _unit(site: Site, members: Iterable[DriverConfig]) -> bytes:
    devices = sorted(members, key=lambda member: member.name)
    line = site.line(devices[0].endpoint)
    return _digest(line, *((device, sorted(device.model_fields_set)) for device in devices))


def _recipes(site: Site) -> dict[str, bytes]:
    """A device has one if anything is asked of its values; the zone and the calendars that it names are part of it."""
    asked, known = site.recipes, _Once()
    found: defaultdict[str, list[object]] = defaultdict(list)
    calendars: defaultdict[str, set[str]] = defaultdict(set)
    for (device, tag), rules in sorted(asked.tags.items(), key=lambda each: each[0]):
        found[device].append((tag, known(rules)))
        if rules.counter and rules.counter.tariff:
            calendars[device].add(rules.counter.tariff)
    for calculated in asked.derived:
        found[calculated.device].append(("derived", calculated.every, calculated.tags))
    for (device, tag), weighed in sorted(asked.weighed.items()):
        for each in weighed:
            for owner in {device, each.device}:
                found[owner].append(("weighed", device, tag, known(each)))
    for device, oee in asked.oee.items():
        found[device].append(("oee", oee))
        calendars[device].add(oee.calendar)
    for virtual in site.virtual:
        found[virtual.name].append(("place", virtual.place))
    zone = repr(asked.local)
    made = {name: _digest(calendar) for name, calendar in asked.calendars.items()}
    return {
        device: _digest(zone, said, [(name, made.get(name)) for name in sorted(calendars[device])])
        for device, said in found.items()
    }


class _Once:
    """The digest of what many share, made once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[bytes, object]] = {}

    def __call__(self, thing: object) -> bytes:
        found = self._known.get(id(thing))
        if found is None:
            found = self._known[id(thing)] = _digest(thing), thing  # which lives as long as its id is known here
        return found[0]


def _sections(**sections: BaseModel) -> Iterable[tuple[str, bytes]]:
    for name, section in sections.items():
        for key, value in section.__dict__.items():
            yield f"{name}.{key}", _digest(value)


def _digest(*said: object) -> bytes:
    return blake2b(msgspec.json.encode(said, enc_hook=_told, order="deterministic"), digest_size=16).digest()


def _told(thing: Any) -> object:
    """What msgspec does not know. Two things that differ in anything that counts are told differently."""
    kind = type(thing)
    if issubclass(kind, BaseModel):
        return kind.__qualname__, _keys(thing)
    if issubclass(kind, SecretStr):
        secret = blake2b(thing.get_secret_value().encode(), key=_OURS, digest_size=16).digest()
        return secret, thing.path if issubclass(kind, FileSecret) else ""
    if issubclass(kind, Calendar):
        return thing.entries
    if issubclass(kind, Local):
        return repr(thing)
    return kind.__qualname__, repr(thing)


def _keys(section: BaseModel) -> dict[str, object]:
    said = section.__dict__
    if isinstance(section, TagConfig | DriverConfig) and not _finds(section):
        said = {key: value for key, value in said.items() if key not in STEPS_ALONE}
    return {key: _listed(value) if type(value) is dict else value for key, value in said.items()}


def _listed(table: Mapping[Any, object]) -> list[tuple[str, object]]:
    """Keys may be of any type."""
    return sorted(((repr(key), value) for key, value in table.items()), key=lambda each: each[0])


def _finds(section: TagConfig | DriverConfig) -> bool:
    """Whether it has a pattern that stands for many tags: its driver makes them, with all that is asked of them."""
    return any(getattr(each, "match", "") for each in (section, *getattr(section, "tags", ())))
