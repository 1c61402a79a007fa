"""What the tags of a site ask of their values, as `agent.normalise` wants to be told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache, lru_cache
from math import prod
from typing import Any

from agent.config.alarms import alarms_of
from agent.config.counters import counter_of
from agent.config.states import states_of
from agent.config.virtual import VirtualConfig
from agent.config.windows import windows_of
from agent.model.units import exact
from agent.normalise import NOTHING, Recipes, Rules
from agent.normalise.calculated import Calculated, Source
from agent.normalise.calendar import Calendar
from agent.normalise.convert import Conversion
from agent.normalise.factors import Weighed
from agent.normalise.limits.asked import Limits
from agent.normalise.local import Local
from agent.normalise.report.asked import Reporting
from agent.normalise.shift import Oee
from agent.registry import DriverConfig, LimitsConfig, ReportConfig, ValueConfig, When, names_of

SECOND = 10**9  # ns
_BASIS = {"scale": 1.0, "offset": 0.0, "expr": ""}  # of what is counted, with what they are when nobody says
Owner = DriverConfig | VirtualConfig


def recipes(
    devices: Iterable[DriverConfig],
    virtual: Iterable[VirtualConfig],
    local: Local,
    calendars: Mapping[str, Calendar],
    derived: tuple[Calculated, ...],
    weighed: Mapping[tuple[str, str], tuple[Weighed, ...]],
) -> Recipes:
    """Of all tags of these devices that ask for anything; equal rules are one object."""
    known: dict[Rules, Rules] = {}
    seen: dict[tuple[Any, ...], Rules] = {}
    tags: dict[tuple[str, str], Rules] = {}
    devices, virtual = list(devices), list(virtual)
    owners: list[Owner] = [*devices, *virtual]
    for device, name, value in _values(devices, virtual):
        same = _same(value, device)
        if same not in seen:
            rules = rules_of(value, device)
            seen[same] = known.setdefault(rules, rules) if rules != NOTHING else NOTHING
        if seen[same] is not NOTHING:
            tags[device.name, name] = seen[same]
    oee = {owner.name: oee_of(owner) for owner in owners if owner.oee}
    return Recipes(tags, local, calendars, derived, weighed, oee)


def source_of(text: str, device: str) -> Source:
    """DEVICE/TAG, or TAG of this device."""
    first, slash, tag = text.partition("/")
    return (first, tag) if slash else (device, first)


def oee_of(owner: Owner) -> Oee:
    """What a device asks that has an `oee:`; of two names for the same counter one."""
    said: Any = owner.oee
    aliases = owner.inputs if isinstance(owner, VirtualConfig) else {}
    names = [name for name in (said.state, said.produced, said.good, said.rejects) if name in aliases]
    inputs = {name: source_of(aliases[name], owner.name) for name in names}
    good, rejects = (
        said.produced if name and inputs.get(name, "") == inputs.get(said.produced) else name or ""
        for name in (said.good, said.rejects)
    )
    cycle = round(said.cycle * SECOND)
    return Oee(said.state, tuple(said.run), said.produced, cycle, said.calendar, good, rejects, tuple(inputs.items()))


def _values(
    devices: Iterable[DriverConfig], virtual: Iterable[VirtualConfig]
) -> Iterator[tuple[Owner, str, ValueConfig]]:
    for device in devices:
        for tag in getattr(device, "tags", ()):
            for name in names_of(tag):
                yield device, name, tag
    owners: list[Owner] = [*devices, *virtual]
    for owner in owners:
        for name, value in owner.derived.items():
            yield owner, name, value


def _same(tag: ValueConfig, device: Owner) -> tuple[Any, ...]:
    """By what the rules of two tags are known to be equal: of sections, which they may share, that they are one."""
    names = _basis_of(type(tag))
    basis = [getattr(tag, name) for name in names]
    turns = (getattr(device, "ct", 1), getattr(device, "pt", 1)) if "ratio" in names else ()
    lists = [*map(id, tag.aggregate or ()), None, *map(id, tag.alarms or ())]
    return (*basis, *turns, id(tag.limits), id(tag.counter), id(tag.state), id(tag.report or device.report), *lists)


@cache
def _basis_of(kind: type[ValueConfig]) -> tuple[str, ...]:
    return tuple(name for name in ("unit", "as_", "ratio", *_BASIS) if name in kind.model_fields)


def rules_of(tag: ValueConfig, device: Owner) -> Rules:
    """What one tag asks, be it read or derived; also for a tag that was found on its device."""
    conversion = _conversion(tag, device)
    return Rules(
        conversion=conversion,
        limits=_limits(tag.limits) if tag.limits else None,
        counter=replace(counter_of(tag.counter), basis=_basis(tag, conversion)) if tag.counter else None,
        windows=windows_of(tag.aggregate) if tag.aggregate else (),
        states=states_of(tag.state) if tag.state else None,
        alarms=alarms_of(tag.alarms) if tag.alarms else (),
        report=_report(tag.report or device.report),
    )


def _conversion(tag: ValueConfig, device: Owner) -> Conversion | None:
    """None also for what cannot be converted: see `agent.config.units`."""
    turns: str = getattr(tag, "ratio", None) or ""
    return _converted(tag.unit, tag.as_, *(getattr(device, name) for name in turns.split("*") if name))


def _basis(tag: ValueConfig, conversion: Conversion | None) -> str:
    """What the numbers of a tag are: its unit, and what the source's are multiplied by, or what they are made of."""
    turns = f"{conversion.factor} {conversion.offset}" if conversion else "1 0"
    raw = [getattr(tag, name, neutral) for name, neutral in _BASIS.items()]
    return " ".join(map(str, [conversion.unit if conversion else tag.unit, turns, *raw]))


@lru_cache(maxsize=1024)
def _converted(unit: str, leaves: str, *turns: float) -> Conversion | None:
    ratio = prod(Fraction(each).limit_denominator(1_000_000) for each in turns)
    if not leaves:
        return Conversion(Fraction(ratio), Fraction(0), unit) if ratio != 1 else None
    try:
        factor, offset = exact(unit, leaves)
    except ValueError:
        return None
    return Conversion(ratio * factor, offset, leaves)


def _limits(said: LimitsConfig) -> Limits:
    return Limits(
        said.min, said.max, said.outside == "clamp", said.rate, round((said.stuck or 0) * SECOND), said.stuck_band
    )


@lru_cache(1024)
def _report(said: When | ReportConfig) -> Reporting | None:
    if said == "always":
        return None
    if isinstance(said, str):
        said = ReportConfig(when=said)
    share, band = 0.0, said.deadband or 0.0
    if isinstance(band, str):
        share, band = float(band[:-1]) / 100, said.deadband_min or 0.0
    return Reporting(
        changes="on_change" in said.when,
        period=round(said.period * SECOND) if "period" in said.when else 0,
        band=band,
        share=share,
        door=said.door or 0.0,
        max_time=round((said.max_time or 0) * SECOND),
    )
