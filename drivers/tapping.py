"""What went over a wire, told while it happens and played again later: the seams of `floorgate record` and `replay`.

A driver whose devices are `Tapped` tells a tap what it sends and hears; one that has a `replay.py` beside it makes
players that answer from such notes. Off, a tap costs one comparison per frame of the wire.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agent.model.clock import Clock
from agent.model.frame import Frame
from agent.model.tag import Schema

SENT, HEARD = "sent", "heard"  # bytes of a frame, as they are on the wire
CONNECTED, FAILED, LOST = "connected", "failed", "lost"  # the data says why, as text
LEARNT = "learnt"  # what a `Learner` knows at the beginning
NODES, VALUES = "nodes", "values"  # OPC UA: what a session gave, decoded

Tap = Callable[[str, str, bytes], None]  # wire (or device), what happened, data; it never raises


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened: `wall` is ns since 1970 UTC, `mono` ns on the monotonic clock of that run."""

    wire: str
    what: str
    wall: int
    mono: int
    data: bytes


@runtime_checkable
class Tapped(Protocol):
    """A device that tells what goes over its wire. None: it does so no more. To be told twice is fine."""

    def tap(self, tap: Tap | None) -> None: ...


class Past:
    """The clock of a replay: it stands where the notes are."""

    def __init__(self, wall: int = 0, mono: int = 0) -> None:
        self.wall, self.mono = wall, mono

    def move(self, wall: int, mono: int) -> None:
        self.wall, self.mono = wall, mono

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.mono, lambda: True)


class Player(Protocol):
    """One device of a replay. `moments` are (wall, mono) of everything that it does, in ns, in their order."""

    device: str
    schemas: tuple[Schema, ...]
    moments: Sequence[tuple[int, int]]

    def group(self, number: int) -> Schema | None:
        """Whose moment it is; None when it concerns the whole device."""
        ...

    async def play(self, number: int, past: Past) -> Sequence[Frame]:
        """The frames of the moment with this number; the clock goes on to when they came. Raises Unreachable, Garbled
        or Refused, as the device did."""
        ...

    @property
    def missing(self) -> Sequence[str]:
        """What was asked for and not recorded, for people, as far as it has come up."""
        ...
