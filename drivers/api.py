"""What a driver is: a configuration class, a builder, and the capabilities that the runtime looks for.

A driver's folder holds `config.py` with a class `Config(DriverConfig)` and `driver.py` with a function `build(line:
LineConfig, devices: Sequence[Config], data: Path | None = None) -> Sequence[Driver]` that makes the drivers of all
devices on one line, so that they can share its wire. `config.py` must import fast: it is loaded to check a file, the
rest only to run. A driver that can tell how long its requests will take has `budget.py` with a function `budget(line:
LineConfig, devices: Sequence[Config]) -> Sequence[Budget]`, one for each wire. One whose devices may have more tags
than their file lists has `pins.py`, see `drivers/finding.py`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import Field, ValidationInfo, field_validator

from agent.model.frame import Frame, Value
from agent.model.tag import Schema
from agent.model.text import duration_text
from drivers.placing import Placer
from drivers.rules.derived import Derivations
from drivers.rules.energy import EnergyConfig
from drivers.rules.oee import OeeConfig
from drivers.rules.report import ReportSaid
from drivers.rules.units import Ratio, Standing
from drivers.rules.value import ValueConfig
from drivers.section import Name, Number, Seconds, Section, in_order

__all__ = ["Name", "Number", "Seconds", "Section"]  # what a driver's sections are made of comes from here too

Priority = Literal["high", "normal", "low"]


class LineConfig(Section):
    """What all devices on one wire share."""

    endpoint: str = Field(description="the endpoint of the devices that this line serves")
    timeout: Annotated[Seconds, Field(gt=0, le=300)] = Field(1.0, description="how long one request may take")
    pause: Annotated[Seconds, Field(ge=0, le=60)] = Field(0.0, description="turnaround: wait between two requests")
    silence: Annotated[Seconds, Field(ge=0, le=1)] | None = Field(
        None, description="silence between two frames on a serial wire; without it 3.5 characters"
    )
    connect_delay: Annotated[Seconds, Field(ge=0, le=60)] = Field(
        0.0, description="wait between connecting and the first request"
    )
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] | None = Field(
        None, description="order of the bytes of devices that do not say their own"
    )
    connections: int = Field(1, ge=1, le=16, description="connections over which the devices of a TCP endpoint spread")
    ca: str = Field("", description="tls: file with the certificates to trust; without one the system's")
    cert: str = Field("", description="tls: file with our certificate")
    key: str = Field("", description="tls: file with the key of our certificate")


class GroupConfig(Section):
    """A scan group: tags that are read together."""

    interval: Annotated[Seconds, Field(ge=0.01, le=86400)] = Field(description="how often the group is read")
    priority: Priority | None = Field(None, description="who goes first when several are due; default: the device's")


class Limits(Section):
    """What a value may be that goes to a device."""

    min: Number | None = Field(None, description="smallest value, in the tag's unit")
    max: Number | None = Field(None, description="largest value")
    step: Annotated[float, Field(gt=0)] | None = Field(
        None, allow_inf_nan=False, description="values are whole steps from `min`, or from 0 without one"
    )

    @field_validator("max")
    @classmethod
    def _is_not_below_min(cls, most: Number | None, info: ValidationInfo) -> Number | None:
        in_order(info.data.get("min"), most, "nothing could be written")
        return most


class WriteConfig(Limits):
    """What may be written to a tag; without this section nothing may."""

    rate: Annotated[Seconds, Field(ge=0, le=86400)] = Field(1.0, description="least time between two writes")
    change: Annotated[float, Field(gt=0)] | None = Field(
        None,
        allow_inf_nan=False,
        description="how far a value may be from the one that stands there, in the tag's unit",
    )


class ArgumentConfig(Limits):
    """What an argument of a method may be."""

    name: str = Field(min_length=1, max_length=128, description="for people; arguments are told apart by their order")


class MethodConfig(Section):
    """A method that may be called; without being listed none may. Each driver adds where it is."""

    name: Name = Field(description="the name by which it is called, and that the audit has")
    description: str = Field("", max_length=512, description="for people")
    arguments: list[ArgumentConfig] = Field([], max_length=64, description="what it takes, each argument in its order")
    rate: Annotated[Seconds, Field(ge=0, le=86400)] = Field(1.0, description="least time between two calls")


class TagConfig(ValueConfig):
    """What a tag of any driver can say of itself."""

    name: Name = Field(description="the name that leaves the gateway")
    ratio: Ratio | None = Field(None, description="the device's transformers between this value and the primary side")
    group: str = Field("", description="a scan group of the device; without one the device's interval")
    enabled: bool = Field(True, description="false: not read")

    @classmethod
    def spelt(cls, text: str) -> dict[str, Any] | None:
        """The keys that `text` in the list of tags stands for, where a driver knows a short form. Raises ValueError."""
        del text
        return None

    @classmethod
    def placer(cls, areas: Mapping[str, Any]) -> Placer | None:
        """What finds tags whose address is a word of their PLC, where a driver knows such. `areas` is the device's
        `areas`, validated."""
        del areas
        return None


class DriverConfig(Standing):
    """A device. Each driver adds where it is and what its tags look like (`tags: list[TheirTag]`)."""

    name: Name = Field(description="the device's name, unique in the file")
    driver: str = Field(description="which driver reads it")
    endpoint: str = Field(description="where it is")
    map: str = Field("", description="a device map: a name from configs/devices or a path")
    enabled: bool = Field(True, description="false: not read")
    interval: Annotated[Seconds, Field(ge=0.01, le=86400)] = Field(1.0, description="how often tags are read")
    priority: Priority = Field("normal", description="who goes first when several groups of a line are due")
    groups: dict[str, GroupConfig] = Field({}, description="scan groups with intervals of their own")
    report: ReportSaid = Field("always", description="when values of its tags are told, unless a tag says otherwise")
    derived: Derivations = Field({}, description="tags that are worked out from others, by their names")
    energy: EnergyConfig | None = Field(None, description="its consumption as coal equivalent and CO2")
    oee: OeeConfig | None = Field(None, description="how its shifts are judged")


@dataclass(frozen=True, slots=True)
class ScanCost:
    """How long one scan of a group has the wire, in seconds; `interval` is how often that is."""

    device: str
    group: str
    interval: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What the devices on a wire will need of its time, before any of them was asked.

    `remedies` are settings of the line that would help, each with the share of the time that would be needed with it.
    """

    wire: str
    costs: tuple[ScanCost, ...]
    remedies: tuple[tuple[str, float], ...] = ()


T = TypeVar("T", bound=TagConfig)


def scan_groups(config: DriverConfig, tags: Sequence[T]) -> dict[tuple[str, float], list[T]]:
    """The enabled tags by (group, interval in seconds), in the order of the file."""
    found: dict[tuple[str, float], list[T]] = {}
    for tag in tags:
        if tag.enabled:
            key = (
                (tag.group, config.groups[tag.group].interval)
                if tag.group
                else (duration_text(config.interval), config.interval)
            )
            found.setdefault(key, []).append(tag)
    return found


def names_of(tag: TagConfig) -> list[str]:
    """The tags that one of the file stands for: itself, or one for each of its named bits."""
    found: Mapping[object, object] = getattr(tag, "bits", None) or {}
    return [f"{tag.name}_{name}" for name in found.values()] or [tag.name]


def enum_names(tag: TagConfig) -> dict[str, int]:
    """The names that the numbers of a tag have, where its driver knows an `enum`; not those of several numbers."""
    found: Mapping[object, object] = getattr(tag, "enum", None) or {}
    pairs = [(name, number) for number, name in found.items()]
    names = [name for name, _ in pairs]
    return {str(name): number for name, number in pairs if isinstance(number, int) and names.count(name) == 1}


class Driver(Protocol):
    """One device. No driver retries, backs off, logs an outage or knows the store.

    `open()` is called before the first use and again after every error but Refused; it returns at once when the wire is
    still good. `close()` may be called twice. Connecting and each request end within the line's timeout or raise
    Unreachable.
    """

    @property
    def device(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def schemas(self) -> tuple[Schema, ...]: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class Poller(Driver, Protocol):
    """A device that is asked. Devices whose `line` is the same share a wire, and take turns on it."""

    @property
    def line(self) -> str: ...

    async def scan(self, schema: Schema) -> Frame:
        """Read one group. Raises Unreachable, Garbled or Refused when no part of it could be read; a part that could
        not is `None` with a bad quality. After the first request without an answer no further one is made."""
        ...


@dataclass(frozen=True, slots=True)
class Raw:
    """What a value was made of, for people: `address` is where it stands, `raw` what stood there."""

    address: str
    raw: str


@runtime_checkable
class Revealer(Poller, Protocol):
    """A device that can show what its values are made of."""

    async def reveal(self, schema: Schema) -> tuple[Frame, Mapping[str, Raw]]:
        """As `scan`, and by the name of each tag what its value was made of."""
        ...


@runtime_checkable
class Spaced(Driver, Protocol):
    """A device that is not to be connected to more often than every `spacing` seconds."""

    @property
    def spacing(self) -> float: ...


@runtime_checkable
class Learner(Driver, Protocol):
    """A device of which something is found out that is worth keeping over a restart."""

    def recall(self, kept: bytes) -> None:
        """What an earlier run kept; called before the first `open()`. What cannot be read is ignored."""
        ...

    @property
    def searching(self) -> bool:
        """Whether it is looking into a refusal, so that asking again at the usual pace is worth it; never for long."""
        ...

    def learnt(self) -> bytes | None:
        """All that is to be kept, once after each change of it; None when nothing has changed since."""
        ...


def asked(driver: Driver) -> int:
    """How many requests a driver has made, if it tells (`asked`): as long as they go up, a long step gets on."""
    return getattr(driver, "asked", 0)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as its tag will have it, and `raw`: what goes over the wire, for people and the audit."""

    value: Value
    raw: str


def nothing() -> None:
    """Nobody wants to know."""


@runtime_checkable
class Writer(Driver, Protocol):
    """A device that takes values, of tags with a `write` section. Whether a value may be written is decided before."""

    def encode(self, tag: str, value: Value) -> Encoded:
        """What `write` would send. Raises ValueError for a value that the tag cannot hold."""
        ...

    async def look(self, tag: str, leaving: Callable[[], None] = nothing) -> Value:
        """Read this tag alone. Raises Unreachable, Garbled or Refused; `leaving` is called as in `write`."""
        ...

    async def write(self, tag: str, value: Value, leaving: Callable[[], None] = nothing) -> Value:
        """Write a tag, read it back, and return what stands there now. Raises ValueError for a value that the tag
        cannot hold, Unreachable, Garbled or Refused.

        `leaving` is called when the wire is ours, right before the value leaves. What it raises is raised, and then
        nothing was sent; as long as it was not called nothing was either.
        """
        ...


@dataclass(frozen=True, slots=True)
class Argument:
    """What a method takes: `dtype` is that of a tag with such a value, `source` the device's own word for it."""

    name: str
    dtype: str
    source: str


@runtime_checkable
class Caller(Driver, Protocol):
    """A device whose methods can be called. Whether one may be is decided before this is called."""

    async def signature(self, method: str) -> Sequence[Argument]:
        """What the device says that it takes. Raises Unreachable, Garbled or Refused."""
        ...

    async def call(self, method: str, arguments: Sequence[Value]) -> Sequence[Value]:
        """Call it once, and return what it gives back. Raises Unreachable, Garbled or Refused: then it was not done."""
        ...


@runtime_checkable
class Clocked(Driver, Protocol):
    """A device that has a clock: how many seconds it is ahead of ours, None while that is not known."""

    @property
    def skew(self) -> float | None: ...


@runtime_checkable
class Certified(Driver, Protocol):
    """A device whose sessions live on certificates: until when each is good (seconds UTC), by whose it is."""

    @property
    def expiries(self) -> Mapping[str, float]: ...


@runtime_checkable
class Choosy(Driver, Protocol):
    """A device that may refuse tags: for each that it does not give at present, why. `remarks` are told once each."""

    @property
    def refused(self) -> Mapping[str, str]: ...

    def remarks(self) -> Sequence[str]: ...


@runtime_checkable
class Subscriber(Driver, Protocol):
    """A device that speaks up by itself. `dropped` counts samples that came faster than they were taken.

    One that knows until when nothing of a group was missed says so as `heard`: ns UTC by schema, on the source's clock.
    """

    @property
    def dropped(self) -> int: ...

    def frames(self) -> AsyncIterator[Frame]:
        """Sparse frames as they come, until the session is lost: then Unreachable.

        What looks after the session by itself, also in silence, has `looked`: another number after each look.
        """
        ...
