"""What differs between two sites, device by device, tag by tag and key by key, as a person would say it.

Values are spelt as a file spells them (`1s`, `64MB`), and a secret is never shown: of one that differs it is said that
it does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import BaseModel

from agent.config.site import Site
from agent.config.spelling import number_of, spelt
from agent.config.virtual import VirtualConfig
from agent.registry import DriverConfig

TAGS = ("tags", "derived")  # keys of a device that are told tag by tag
SHOWN = 3  # names in a summary


@dataclass(frozen=True, slots=True)
class Change:
    """One key, and how it was and will be spelt; empty where it is not set."""

    key: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that both have, and what differs of it."""

    name: str
    keys: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """All things of one kind; names in the order of the file."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


NONE = Kind()


@dataclass(frozen=True, slots=True)
class Difference:
    """Tags are named `DEVICE/TAG`; those of a device that is added or removed go with it and are not listed.
    `sections` are the rest of the file: gateway, buffer, log, status, calendars, factors."""

    devices: Kind = NONE
    tags: Kind = NONE
    virtual: Kind = NONE
    lines: Kind = NONE
    sinks: Kind = NONE
    sections: Kind = NONE

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def summary(self) -> str:
        """In a line: `1 tag added (meter-7/flow), 1 sink changed (platform)`; empty where nothing differs."""
        return ", ".join(said for each in fields(self) for said in _counts(each.name, getattr(self, each.name)))


_ONE = {"devices": "device", "tags": "tag", "virtual": "virtual device", "lines": "line", "sinks": "sink"}


_TOLD = {"added": "{what} added", "removed": "{what} removed", "changed": "{what} changed"}


def _counts(what: str, kind: Kind) -> Iterator[str]:
    for how, names in (
        ("added", kind.added),
        ("removed", kind.removed),
        ("changed", [each.name for each in kind.changed]),
    ):
        if not names:
            continue
        some = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        if what == "sections":
            yield _TOLD[how].format(what=some)
        else:
            count = f"{len(names)} {_ONE[what]}{'s' if len(names) > 1 else ''}"
            yield f"{_TOLD[how].format(what=count)} ({some})"


@dataclass(slots=True)
class _Found:
    """One kind, while it is being compared."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)

    def compare(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.removed += (name for name in old if name not in new)
        self.added += (name for name in new if name not in old)
        for name, after in new.items():
            if name in old and (keys := tuple(_keys(old[name], after))):
                self.changed.append(Changed(name, keys))

    def kind(self) -> Kind:
        return Kind(tuple(self.added), tuple(self.removed), tuple(self.changed))


def difference(old: Site | None, new: Site) -> Difference:
    """What turns `old` into `new`; of None all of it is new. Both with their tags."""
    devices, tags, virtual, lines, sinks, sections = (_Found() for _ in range(6))
    _owners(old.devices if old else (), new.devices, devices, tags)
    _owners(old.virtual if old else (), new.virtual, virtual, tags)
    lines.compare(
        {line.endpoint: line for line in old.lines} if old else {}, {line.endpoint: line for line in new.lines}
    )
    sinks.compare({sink.name: sink for sink in old.sinks} if old else {}, {sink.name: sink for sink in new.sinks})
    if old is not None:
        sections.compare(_sections(old), _sections(new))
    return Difference(*(each.kind() for each in (devices, tags, virtual, lines, sinks, sections)))


def _owners(
    old: Sequence[DriverConfig | VirtualConfig],
    new: Sequence[DriverConfig | VirtualConfig],
    whole: _Found,
    tags: _Found,
) -> None:
    before, after = {each.name: each for each in old}, {each.name: each for each in new}
    whole.removed += (name for name in before if name not in after)
    whole.added += (name for name in after if name not in before)
    for name, device in after.items():
        was = before.get(name)
        if was is None or (type(was) is type(device) and was.__dict__ == device.__dict__):
            continue
        keys = list(_keys(was, device, "", TAGS))
        one, other = _tags(was), _tags(device)
        tags.compare(one, other)
        if list(one) != list(other) and one.keys() == other.keys():
            keys.append(Change("tags", "", "in another order"))
        if keys:
            whole.changed.append(Changed(name, tuple(keys)))


def _tags(owner: DriverConfig | VirtualConfig) -> dict[str, Any]:
    """All tags by `DEVICE/TAG`: those that are read, then those that are worked out."""
    found = {f"{owner.name}/{tag.name}": tag for tag in getattr(owner, "tags", ())}
    return found | {f"{owner.name}/{name}": each for name, each in owner.derived.items()}


def _sections(site: Site) -> dict[str, Any]:
    asked = site.recipes
    calendars = {name: calendar.entries for name, calendar in asked.calendars.items()}
    weighed = {f"{device}/{tag}": each for (device, tag), each in asked.weighed.items()}
    found: dict[str, Any] = {"gateway": site.gateway, "buffer": site.buffer, "log": site.log, "status": site.status}
    return found | {"calendars": calendars, "factors": weighed}


def _keys(old: Any, new: Any, path: str = "", but: Sequence[str] = ()) -> Iterator[Change]:
    """Each leaf that differs, by its dotted path; what the two do not share is as if it were not set."""
    if isinstance(new, BaseModel):
        same = type(old) is type(new)
        if same and old.__dict__ == new.__dict__:
            return
        for name, about in type(new).model_fields.items():
            before, after = getattr(old, name, None), getattr(new, name)
            silent = not same and not hasattr(old, name) and name not in new.model_fields_set
            if name not in but and before != after and not silent:
                yield from _inner(before, after, _join(path, about.alias or name), number_of(type(new), name))
    else:
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                yield from _inner(old.get(name), new.get(name), _join(path, str(name)), str)


def _inner(old: Any, new: Any, path: str, number: Callable[[Any], str]) -> Iterator[Change]:
    if type(old) is type(new) and isinstance(new, BaseModel | dict):
        yield from _keys(old, new, path)
        return
    before, after = spelt(old, number), spelt(new, number)
    yield Change(path, before, after if before != after else "another one")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
