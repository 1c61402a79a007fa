"""What the configuration asks of values, in the words of this folder: one `Rules` for each tag that wants anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.normalise.calculated import Calculated


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of one tag; each part of this folder has a field, None or empty where nothing is."""


NOTHING = Rules()


@dataclass(frozen=True, slots=True)
class Recipes:
    """What is asked in a whole site; `tags` has those (device, tag) of which anything is."""

    tags: Mapping[tuple[str, str], Rules] = field(default_factory=dict)
    derived: tuple[Calculated, ...] = ()
