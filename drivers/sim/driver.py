"""A simulated device: every value is a pure function of the time at which it is read."""

from collections.abc import Callable, Sequence
from math import pi, sin
from pathlib import Path

from agent.model.clock import SYSTEM, Clock
from agent.model.frame import Frame, Value
from agent.model.tag import Schema
from agent.model.tag import Tag as ModelTag
from drivers.api import Driver, DriverConfig, LineConfig, scan_groups
from drivers.sim.config import Config, Tag, Wave


def build(line: LineConfig, devices: Sequence[DriverConfig], data: Path | None = None) -> Sequence[Driver]:
    return [SimDriver(device) for device in devices if isinstance(device, Config)]


class SimDriver:
    """Implements `drivers.api.Poller`."""

    def __init__(self, config: Config, clock: Clock = SYSTEM) -> None:
        self.device, self.endpoint, self.line = config.name, config.endpoint, config.endpoint
        self._clock = clock
        self._waves: dict[Schema, list[Callable[[float], Value]]] = {}
        for (group, interval), tags in scan_groups(config, config.tags).items():
            self._waves[_schema(config.name, group, interval, tags)] = [_compile(tag) for tag in tags]
        self.schemas = tuple(self._waves)

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def scan(self, schema: Schema) -> Frame:
        now, mono = self._clock.wall(), self._clock.mono()
        values = [wave(now / 1e9) for wave in self._waves[schema]]
        return Frame(schema, now, values, bytes(len(values)), mono)


def _schema(device: str, group: str, interval: float, tags: Sequence[Tag]) -> Schema:
    columns = (ModelTag(tag.name, tag.dtype, tag.unit, tag.kind) for tag in tags)
    return Schema(device, group, tuple(columns), interval)


def _compile(tag: Tag) -> Callable[[float], Value]:
    wave = _SHAPES[tag.wave]
    dtype = tag.dtype
    low, span, period = tag.low, tag.high - tag.low, tag.period
    if dtype == "str":
        return lambda seconds: f"{wave(seconds / period, low, span):g}"
    if dtype == "bool":
        return lambda seconds: wave(seconds / period, low, span) > low
    if dtype in ("float32", "float64"):
        return lambda seconds: float(wave(seconds / period, low, span))
    return lambda seconds: int(wave(seconds / period, low, span))


def _sine(turns: float, low: float, span: float) -> float:
    return low + span * (0.5 + 0.5 * sin(2 * pi * (turns % 1)))


def _ramp(turns: float, low: float, span: float) -> float:
    return low + span * (turns % 1)


def _square(turns: float, low: float, span: float) -> float:
    return low + span if turns % 1 < 0.5 else low


def _counter(turns: float, low: float, span: float) -> float:
    return low + int(turns)


def _constant(turns: float, low: float, span: float) -> float:
    return low


_SHAPES: dict[Wave, Callable[[float, float, float], float]] = {
    "sine": _sine,
    "ramp": _ramp,
    "square": _square,
    "counter": _counter,
    "constant": _constant,
    "text": _counter,
}
