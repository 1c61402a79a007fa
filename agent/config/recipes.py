"""What the tags of a site ask of their values, as `agent.normalise` wants to be told."""

from collections.abc import Iterable, Mapping

from agent.config.alarms import alarms_of
from agent.normalise import NOTHING, Recipes, Rules
from agent.normalise.calendar import Calendar
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
    del device
    if not (tag.limits or tag.alarms):
        return NOTHING
    return Rules(limits=_limits(tag.limits) if tag.limits else None, alarms=alarms_of(tag.alarms))


def _limits(said: LimitsConfig) -> Limits:
    return Limits(
        said.min, said.max, said.outside == "clamp", said.rate, round((said.stuck or 0) * SECOND), said.stuck_band
    )
