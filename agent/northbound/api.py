"""What a sink is: a configuration class, a builder, and three calls.

A sink's folder holds `config.py` with a class `Config(SinkConfig)` and `sink.py` with a function
`build(config: Config, gateway: Gateway) -> Sink`. `config.py` must import fast: it is loaded to check a file.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Protocol, runtime_checkable

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    WrapValidator,
)

from agent.model.frame import Entry
from agent.model.text import DURATION_PATTERN, LONGEST_NAME, NAME_PATTERN, SIZE_PATTERN, Referenced, duration, size
from agent.northbound.house import Alone, House

LARGEST_SECRET = 64 << 10  # bytes of a file


class FileSecret(SecretStr):
    """A secret that has a file of its own, where it may be renewed while the agent runs."""

    path: str


def fresh(secret: SecretStr) -> str:
    """A secret as it is now; blocks where it has a file. Raises OSError and ValueError, neither of which shows it."""
    if not isinstance(secret, FileSecret):
        return secret.get_secret_value()
    with Path(secret.path).open("rb") as file:
        data = file.read(LARGEST_SECRET + 1)
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("this is not UTF-8 text") from None
    if not text or len(data) > LARGEST_SECRET:
        raise ValueError("it is empty" if not text else f"larger than {LARGEST_SECRET >> 10} KB")
    return text


def _secret(text: object, _: object) -> SecretStr:
    if not isinstance(text, Referenced):
        raise ValueError("a secret is not written into the file: use ${NAME}, file:PATH or credential:NAME")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("what stands there is no text in UTF-8") from None
    return secret_of(text)


def secret_of(text: Referenced) -> SecretStr:
    if not text.file:
        return SecretStr(str(text))
    secret = FileSecret(str(text))
    secret.path = text.file
    return secret


Seconds = Annotated[float, BeforeValidator(duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})]
Size = Annotated[int, BeforeValidator(size), WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN})]
Secret = Annotated[
    SecretStr,
    WrapValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": r"^(\$\{\w+\}|(file|credential):.+)$"}),
]
Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=NAME_PATTERN)]


class Section(BaseModel):
    """A part of the configuration file: strict types, unknown keys refused, never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Backfill(Section):
    """What has waited on disk, when the sink is back."""

    order: Literal["live_first", "oldest_first"] = Field(
        "live_first", description="live data first and history beside it, or all in the order in which it was read"
    )
    rate: str = Field(
        "4x",
        pattern=r"^(unlimited|[0-9]{1,4}(\.[0-9]+)?x|[1-9][0-9]{0,9}/s)$",
        description="how fast history follows: a multiple of the live rate, samples per second (5000/s), or unlimited",
    )


def _pattern(text: str) -> str:
    device, _, tag = text.partition("/")
    if not device or not tag or "/" in tag:
        raise ValueError(f"{text!r} is not DEVICE/TAG: write press-3/setpoint, or press-*/start")
    return text


Pattern = Annotated[str, Field(max_length=257), AfterValidator(_pattern)]


class Commands(Section):
    """What a platform may have written through a sink. The guard is the same for all of them."""

    allow: list[Pattern] = Field(
        min_length=1, max_length=1000, description="DEVICE/TAG that may be written; * and ? stand for text and a letter"
    )
    max_age: Annotated[Seconds, Field(ge=1, le=3600)] = Field(
        30.0, description="how far the time of a command may be from ours, either way"
    )
    per_minute: int = Field(10, ge=1, le=600, description="commands that are let through in a minute, of all tags")
    select: bool = Field(False, description="true: a command takes two steps, it is selected before it is carried out")

    def allows(self, device: str, tag: str) -> bool:
        return any(fits(pattern, f"{device}/{tag}") for pattern in self.allow)


def fits(pattern: str, name: str) -> bool:
    """Whether `DEVICE/TAG` is one that the pattern of an `allow` stands for."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each star but the last takes as little as it can, and keeps it: no pattern takes long."""
    first, *rest = (re.escape(part).replace(r"\?", "[^/]") for part in re.split(r"\*+", pattern))
    middle = "".join(f"(?>[^/]*?{part})" for part in rest[:-1])
    return re.compile(first + (f"{middle}[^/]*{rest[-1]}" if rest else ""), re.DOTALL)


class SinkConfig(Section):
    """What every sink has. A kind of sink adds where it is and how it talks."""

    name: Name = Field(description="the sink's name, unique in the file; its debt on disk goes by it")
    type: str = Field(description="which kind of sink")
    enabled: bool = Field(True, description="false: nothing is sent, what it is owed stays on disk")
    start: Literal["now", "oldest"] = Field(
        "now", description="a sink that is new to the store gets what is read from now on, or all that is still there"
    )
    backfill: Backfill = Field(Backfill(), description="order and rate of what has waited on disk")


class Commanded(Section):
    """A kind of sink that takes commands: `class Config(Commanded, SinkConfig)`. What comes goes to `House.command`."""

    commands: Commands | None = Field(None, description="what may be written through this sink; without it nothing")


Scope = Literal["frames", "values", "history", "metrics", "commands"]
_SHORTEST = 16  # characters of a token


def _long(token: SecretStr) -> SecretStr:
    if len(token.get_secret_value()) < _SHORTEST:
        raise ValueError(f"a token has {_SHORTEST} characters or more: openssl rand -hex 24 makes one")
    if not re.fullmatch(r"[!-~]+", token.get_secret_value()):
        raise ValueError("a token holds letters, digits and signs of ASCII, and no space")
    return token


class Pulled(Section):
    """A kind of sink that is asked for its frames instead of having them sent: `class Config(Pulled, SinkConfig)`. It
    has no pump and no `sink.py`; the status server answers for it."""

    token: Annotated[Secret, AfterValidator(_long)] = Field(
        description="what its consumer shows: 16 characters or more"
    )
    scopes: list[Scope] = Field(
        ["frames", "values"],
        min_length=1,
        max_length=5,
        description="what the token opens; without frames it owes none",
    )


def pulled_of(config: object) -> Pulled | None:
    """What a sink has that is asked for its frames; None: it has them sent."""
    return config if isinstance(config, Pulled) else None


def commands_of(config: SinkConfig) -> Commands | None:
    """What may be written through this sink; None: nothing."""
    found = getattr(config, "commands", None)
    return found if isinstance(found, Commands) else None


@dataclass(frozen=True, slots=True)
class Gateway:
    """Who sends: the gateway's id and its place (enterprise, site, area, …), and what it does for this sink.

    `places` says where devices are within that (line, cell).
    """

    id: str
    site: tuple[str, ...] = ()
    house: House = field(default_factory=Alone, compare=False)
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)


Batch = Sequence[Entry]


class Sink(Protocol):
    """One northbound target. `open()` makes a fresh connection each time; `close()` may be called twice.

    All three raise Unavailable (later again), Rejected (never), or Denied (a person is needed).
    """

    ordered: bool  # True: one send at a time, in the order of `seq`
    window: int  # how many sends a pump may have under way when not ordered
    limit: int  # how many entries a batch may hold

    async def open(self) -> None: ...

    async def send(self, batch: Batch) -> None:
        """Return when the other side has confirmed every entry; on failure `error.done` says what was confirmed."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Mindful(Protocol):
    """A sink that tells its other side which devices and tags there are."""

    def renewed(self) -> None:
        """The groups of the house are others now; called in the loop at any time, and returns at once."""
        ...


@runtime_checkable
class Watchful(Protocol):
    """A sink whose other side may want nothing for now, or go although nothing is sent. Both raise what `open` does."""

    async def ready(self) -> None:
        """Called after `open`: return when the other side wants what there is."""
        ...

    async def lost(self) -> None:
        """Called beside the sends: raise when the other side has gone, and never return."""
        ...
