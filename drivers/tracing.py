"""What a driver can tell of the last time it asked for a tag: for whoever wants to know why there is (no) data.

A driver keeps no more for it than references to what it has anyway: the request, and what came back. All that a person
reads is worked out when somebody asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agent.model.frame import Value
from agent.model.quality import Quality
from drivers.api import Driver


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came back, as they were on the wire.

    `mono` is when that was over (ns, monotonic) and `seconds` how long it took; 0 for what came unasked. `error` says
    what was wrong with the answer, empty for a good one, and `hint` what to do about it. Where the bytes are encrypted,
    or nobody's to read, both are empty.
    """

    sent: bytes
    received: bytes
    mono: int
    seconds: float
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one tag.

    `address` is where it stands, `exchange` the last request that was to bring it, `about` what else is to be said of
    that, and `mine` the bytes of what was received that are the tag's, from and up to. `raw` is what stood there, and
    `facts` how it was understood; both lists have pairs of a word and what it is. `value` and `quality` are what the
    driver made of it. `wrong` says why that is no value, or can hardly be the one that was meant, and `hint` what to do
    about it.
    """

    address: str
    exchange: Exchange | None = None
    about: Sequence[tuple[str, str]] = ()
    mine: tuple[int, int] = (0, 0)
    raw: str = ""
    facts: Sequence[tuple[str, str]] = ()
    value: Value = None
    quality: int = Quality.BAD_COMM
    wrong: str = ""
    hint: str = ""


@runtime_checkable
class Traced(Driver, Protocol):
    """A driver that can tell what the last exchange of a tag was."""

    def trace(self, tag: str) -> Trace | None:
        """None for a tag that it does not read. Waits for nothing, and asks nobody."""
        ...
