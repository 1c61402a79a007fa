"""What the tags of a site ask of their values, as `agent.normalise` wants to be told."""

from collections.abc import Iterable, Mapping

from agent.config.windows import windows_of
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
    limits = _limits(tag.limits) if tag.limits else None
    windows = windows_of(tag.aggregate) if tag.aggregate else ()
    return Rules(limits, windows) if limits or windows else NOTHING


def _limits(said: LimitsConfig) -> Limits:
    return Limits(
        said.min, said.max, said.outside == "clamp", said.rate, round((said.stuck or 0) * SECOND), said.stuck_band
    )
