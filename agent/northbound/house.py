"""What the agent does for a sink beyond handing it frames: it tells what there is to read, keeps small things, and
takes commands on their way down. A sink gets it as `gateway.house`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.model.frame import Frame, Value
from agent.model.tag import Schema

Outcome = Literal[
    "done",  # written, and read back
    "differs",  # written, and something else stands there now
    "refused",  # the device said no, or cannot be had: nothing was written
    "forbidden",  # the guard said no: nothing was sent
    "stale",  # it came too late, or from a clock that is not ours: nothing was sent
    "repeated",  # an id that was there before: nothing was sent
    "busy",  # too many at once, or too soon after another: nothing was sent, and the same may come again
    "unknown",  # nobody knows what the device did
    "selected",  # the first of two steps: nothing was sent, `nonce` lets the second do it
]


@dataclass(frozen=True, slots=True)
class Command:
    """A value that a platform wants written, as far as its dialect says so.

    `id` is the platform's own and is never taken twice; empty where the dialect has none. `issued` is when the platform
    gave it (ns UTC by its own clock; 0: the dialect does not say), `ttl` for how many seconds it is worth anything.
    `value` is what stood there, of any type that JSON or Sparkplug has for a single value.

    Without `issued` nobody can tell how old it is: a sink passes such a one only when it has just come over a live
    connection, never one that was retained. Without `id` it is told apart by tag and `issued`; without both, each is
    one of its own.
    """

    device: str
    tag: str
    value: Value
    id: str = ""
    issued: int = 0
    ttl: float = 0.0
    who: str = ""  # what the dialect says of the sender, for the audit
    select: bool = False  # the first of two steps
    nonce: str = ""  # the second: what the first was answered


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it: `value` was read back, `audit` is the number of its entry (0: it never got that far)."""

    outcome: Outcome
    value: Value = None
    message: str = ""
    hint: str = ""
    audit: int = 0
    nonce: str = ""


Answered = Callable[[Answer], None]


class House(Protocol):
    """All calls belong to the event loop."""

    @property
    def schemas(self) -> Sequence[Schema]:
        """All groups of all devices, as they are now; a device that grows gets other ones."""
        ...

    def latest(self, schema: Schema) -> Frame | None:
        """The newest values that are on disk, all columns of them, each with its time in `stamps`; None: none yet."""
        ...

    async def recall(self, key: str) -> bytes | None:
        """What this sink kept, in this run or an earlier one. Raises StoreError."""
        ...

    async def keep(self, key: str, value: bytes) -> None:
        """On the disk when this returns, or in memory while the disk fails; up to 64 KB. Raises StoreError."""
        ...

    async def command(self, command: Command) -> Answer:
        """Pass it through the guard of this sink and write it; never raises for what is wrong with the command."""
        ...

    def submit(self, command: Command, answered: Answered) -> None:
        """As `command`, for who cannot wait: returns at once, and `answered` is called once with what became of it. It
        is called in the loop and returns fast."""
        ...

    def turned_away(self, command: Command, answer: Answer) -> None:
        """What came is no command at all, and the sink has said so itself: it is counted, and on record."""
        ...

    def drop(self) -> None:
        """The connection is gone: commands of this sink of which nothing was sent yet are given up."""
        ...

    def noticed(self, what: str) -> None:
        """Something that a person should hear of although the sink goes on; one line in the log."""
        ...

    def sent(self, size: int) -> None:
        """So many bytes of payload went out, be they confirmed or not."""
        ...

    def certified(self, expiries: Mapping[str, float]) -> None:
        """Until when certificates are good (seconds UTC), by whose they are: `own`, `server`, `authority`."""
        ...


class Alone:
    """A house with nobody in it: for a sink that is made to be looked at, and for tests."""

    def __init__(self, schemas: Sequence[Schema] = ()) -> None:
        self.schemas = schemas
        self.kept: dict[str, bytes] = {}
        self.notes: list[str] = []

    def latest(self, schema: Schema) -> Frame | None:
        del schema
        return None

    async def recall(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def keep(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    async def command(self, command: Command) -> Answer:
        return Answer("forbidden", message=f"{command.device}, {command.tag}: this sink takes no commands")

    def submit(self, command: Command, answered: Answered) -> None:
        answered(Answer("forbidden", message=f"{command.device}, {command.tag}: this sink takes no commands"))

    def turned_away(self, command: Command, answer: Answer) -> None:
        """Nobody keeps a record."""

    def drop(self) -> None:
        """There are none."""

    def noticed(self, what: str) -> None:
        self.notes.append(what)

    def sent(self, size: int) -> None:
        """Nobody counts."""

    def certified(self, expiries: Mapping[str, float]) -> None:
        """Nobody asks."""
