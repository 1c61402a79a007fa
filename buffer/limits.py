"""How long and how much a store keeps; written into the file, so that it can be used as it is meant while it rests."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`keep` in ns, `max_size` of the frames and `reserve` of free disk in bytes."""

    keep: int
    max_size: int
    reserve: int

    def text(self) -> str:
        """JSON."""
        return json.dumps(asdict(self))


def parse(text: str) -> Limits | None:
    """Limits from `text()`; None for anything else."""
    try:
        found = Limits(**json.loads(text))
    except (ValueError, TypeError):
        return None
    return found if all(type(value) is int for value in asdict(found).values()) else None
