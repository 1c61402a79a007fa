"""What the configuration asks of values, in the words of this folder: one `Rules` for each tag that wants anything."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.normalise.alarms import Alarm
from agent.normalise.calculated import Calculated
from agent.normalise.calendar import Calendar
from agent.normalise.convert import Conversion
from agent.normalise.counters.ask import Counter
from agent.normalise.factors import Weighed
from agent.normalise.limits.asked import Limits
from agent.normalise.local import Local
from agent.normalise.report.asked import Reporting
from agent.normalise.shift import Oee
from agent.normalise.state import States
from agent.normalise.windows.ask import Window

RESERVED = re.compile(r"derived|total|demand|tariff|state|shift|alarm|carbon|(interval|window)-.*")  # groups made here
ENDED = re.compile(r"demand|tariff|shift|carbon|(interval|window)-.*")  # those whose frames tell of what is over


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of one tag; each part of this folder has a field, None or empty where nothing is."""

    limits: Limits | None = None
    report: Reporting | None = None
    conversion: Conversion | None = None
    alarms: tuple[Alarm, ...] = ()
    counter: Counter | None = None
    states: States | None = None
    windows: tuple[Window, ...] = ()


NOTHING = Rules()


@dataclass(frozen=True, slots=True)
class Recipes:
    """What is asked in a whole site; `tags` has those (device, tag) of which anything is. `local` is its time."""

    tags: Mapping[tuple[str, str], Rules] = field(default_factory=dict)
    local: Local = field(default_factory=Local)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    derived: tuple[Calculated, ...] = ()
    weighed: Mapping[tuple[str, str], tuple[Weighed, ...]] = field(default_factory=dict)
    oee: Mapping[str, Oee] = field(default_factory=dict)  # by device
