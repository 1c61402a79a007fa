"""What the tags of a site ask of their values, as `agent.normalise` wants to be told."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from agent.model.units import exact
from agent.normalise import NOTHING, Recipes, Rules
from agent.normalise.calendar import Calendar
from agent.normalise.convert import Conversion
from agent.normalise.limits.asked import Limits
from agent.normalise.local import Local
from agent.registry import DriverConfig, LimitsConfig, TagConfig

SECOND = 10**9  # ns


def recipes(devices: Iterable[DriverConfig], local: Local, calendars: Mapping[str, Calendar]) -> Recipes:
    """Of all tags of these devices that ask for anything; equal rules are one object."""
    known: dict[Rules, Rules] = {}
    tags: dict[tuple[str, str], Rules] = {}
    for device in devices:
        for tag in getattr(device, "tags", ()):
            rules = rules_of(tag, device)
            if rules != NOTHING:
                tags[device.name, tag.name] = known.setdefault(rules, rules)
    return Recipes(tags, local, calendars)


def rules_of(tag: TagConfig, device: DriverConfig) -> Rules:
    """What one tag asks; also for a tag that was found on its device."""
    conversion = _conversion(tag, device) if tag.as_ or tag.ratio else None
    limits = _limits(tag.limits) if tag.limits else None
    return Rules(conversion=conversion, limits=limits) if conversion or limits else NOTHING


def _conversion(tag: TagConfig, device: DriverConfig) -> Conversion | None:
    """None also for what cannot be converted: see `agent.config.units`."""
    ratio = Fraction(1)
    for name in tag.ratio.split("*") if tag.ratio else ():
        ratio *= Fraction(getattr(device, name)).limit_denominator(1_000_000)
    if not tag.as_:
        return Conversion(ratio, Fraction(0), tag.unit) if ratio != 1 else None
    try:
        factor, offset = exact(tag.unit, tag.as_)
    except ValueError:
        return None
    return Conversion(ratio * factor, offset, tag.as_)


def _limits(said: LimitsConfig) -> Limits:
    return Limits(
        said.min, said.max, said.outside == "clamp", said.rate, round((said.stuck or 0) * SECOND), said.stuck_band
    )
