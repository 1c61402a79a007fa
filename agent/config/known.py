"""The tags that the devices of a site have, and those that are made of them: what formulas and factors may name."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from weakref import proxy

from agent.config.dtypes import dtype_of
from agent.config.lists import name_of
from agent.config.recipes import Owner, oee_of, rules_of, source_of
from agent.config.tree import Mapping as Raw
from agent.config.words import did_you_mean, shown
from agent.model.text import duration_text
from agent.normalise.alarms.rule import GROUP as ALARM
from agent.normalise.calculated import Source
from agent.normalise.calendar import Calendar
from agent.normalise.counters.names import interval_name
from agent.normalise.made import Names
from agent.normalise.oee import TAGS as OF_SHIFTS
from agent.registry import ValueConfig, names_of, pattern_of
from drivers.rules.energy import WeighedConfig

SUFFIXES = {"coal_equivalent": "kgce", "co2": "co2"}  # of what is weighed by a factor of this kind
Fault = tuple[str, str]  # message and hint


def _nothing() -> Iterator[tuple[str, Source]]:
    return iter(())


@dataclass
class Tags:
    """The tags of a device. One that `is_open` may have more: it is wrong, or finds them. `read` has their types, where
    these are known, `own` the derived ones; `off` are not read. `making` gives each that is made, with what of."""

    read: Mapping[str, str | None] = field(default_factory=dict)
    own: Mapping[str, ValueConfig] = field(default_factory=dict)
    off: Collection[str] = ()
    is_open: bool = True
    making: Callable[[], Iterator[tuple[str, Source]]] = _nothing

    @cached_property
    def makes(self) -> Mapping[str, list[Source]]:
        """Worked out when somebody asks, for most sites never do."""
        found: dict[str, list[Source]] = {}
        for made, source in self.making():
            found.setdefault(made, []).append(source)
        return found

    @property
    def names(self) -> list[str]:
        return [*self.read, *self.own]

    def has(self, tag: str) -> bool:
        return self.is_open or tag in self.read or tag in self.own or tag in self.makes

    def is_text(self, tag: str) -> bool | None:
        """None where that is not known here. A formula gives no text."""
        found = "float64" if tag in self.own else self.read.get(tag)
        return None if found is None else found == "str"

    def missing(self, tag: str) -> Fault:
        """What to say of one that there is not."""
        if tag in self.off:
            return f"the tag {shown(tag)} is not read", "it is `enabled: false`"
        near = did_you_mean(tag, [*self.names, *self.makes])
        return f"there is no tag {shown(tag)}", near if near.startswith("did") else did_you_mean(tag, self.names)


class Known(dict[str, Tags]):
    """By device."""

    def __init__(self, root: Raw, pairs: Sequence[tuple[Owner, Raw]], calendars: Mapping[str, Calendar]) -> None:
        listed = root.get("devices")
        self._raws = {name_of(raw): raw for raw in listed if name_of(raw)} if isinstance(listed, list) else {}
        super().__init__({name: Tags() for name in self._raws})
        self._owners = [owner for owner, _ in pairs]
        self._names = Names(calendars)
        if any(owner.derived or owner.energy or getattr(owner, "inputs", None) for owner in self._owners):
            self.update((owner.name, self._tags(owner)) for owner in self._owners)

    def _tags(self, owner: Owner) -> Tags:
        tags = getattr(owner, "tags", ())
        is_open = bool(getattr(owner, "events", ())) or any(pattern_of(tag) for tag in tags)
        if not tags and owner.name in self._raws:  # it says some, and they are wrong: nobody knows what it has
            is_open = is_open or any(self._raws[owner.name].get(key) for key in ("tags", "map"))
        read = {name: dtype_of(tag) for tag in tags if tag.enabled for name in names_of(tag)}
        off = [name for tag in tags if not tag.enabled for name in names_of(tag)]
        mine = proxy(self)  # else the two hold each other, and with them all that the file says
        return Tags(read, owner.derived, off, is_open, partial(Known.made_of, mine, owner))

    @cached_property
    def weighed(self) -> Mapping[Source, list[Source]]:
        """Of what is made by factors, the tag that is weighed."""
        found: dict[Source, list[Source]] = {}
        for owner in self._owners:
            for kind, item in _weighed(owner):
                source = source_of(item.tag, owner.name)
                for name, whole in weighed_names(kind, item, source[1], self.value(source)):
                    for each in (whole, f"{whole}_factor"):
                        found.setdefault((owner.name, each), []).append((source[0], name))
        return found

    def value(self, source: Source) -> ValueConfig | None:
        """What the file says of a tag that is read or derived."""
        return self._values.get(source)

    @cached_property
    def _values(self) -> Mapping[Source, ValueConfig]:
        return {(owner.name, name): value for owner in self._owners for name, value in values_of(owner)}

    def made_of(self, owner: Owner) -> Iterator[tuple[str, Source]]:
        """Each that is made for a device, with one that it is made of."""
        for name, value in values_of(owner):
            rules = rules_of(value, owner)
            others = [alarm.other for alarm in rules.alarms if alarm.other]
            for group, made in self._names.made(name, rules):
                for of in (name, *(others if group == ALARM else ())):
                    yield made, (owner.name, of)
        if owner.oee:
            asked = oee_of(owner)
            for tag in OF_SHIFTS:
                for of in (asked.state, *asked.counters):
                    yield tag.name, asked.source(of, owner.name)
        for (device, made), sources in self.weighed.items():
            if device == owner.name:
                yield from ((made, source) for source in sources)


def values_of(owner: Owner) -> Iterator[tuple[str, ValueConfig]]:
    """All that is read of a device or worked out for it; not what a pattern stands for."""
    for tag in getattr(owner, "tags", ()):
        if tag.enabled and not pattern_of(tag):
            for name in names_of(tag):
                yield name, tag
    yield from owner.derived.items()


def _weighed(owner: Owner) -> Iterator[tuple[str, WeighedConfig]]:
    for kind in SUFFIXES if owner.energy else ():
        for item in getattr(owner.energy, kind):
            yield kind, item


def weighed_names(kind: str, item: WeighedConfig, tag: str, value: ValueConfig | None) -> Iterator[tuple[str, str]]:
    """(what is weighed, what that is called) for one of `energy`: of a counter each of its intervals."""
    names = [tag] if value is None or value.kind != "counter" else list(_intervals(tag, value))
    for name in names:
        whole = item.name if item.name and len(names) == 1 else f"{item.name or name}_{SUFFIXES[kind]}"
        yield name, f"{item.name}{name.removeprefix(tag)}" if item.name and len(names) > 1 else whole


def _intervals(tag: str, value: ValueConfig) -> Iterable[str]:
    return (interval_name(tag, duration_text(every)) for every in (value.counter.intervals if value.counter else ()))
