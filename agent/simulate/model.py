"""The values of one device at any time: each tag a function of the seconds since the start, found by name and unit.

The same seed gives the same values. What a tag cannot say or may not be (its type, its `limits`) is never said: a value
that would be beyond moves in the middle of what is allowed instead, as nobody commissions a plant with bad values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor, inf, isfinite
from random import Random
from zlib import crc32

from agent.model.frame import Value
from agent.model.units import conversion
from agent.simulate.circuit import Circuit, phases_of
from agent.simulate.waves import Wave, moving

Source = Callable[[float], Value]  # seconds since the start -> value
DWELL = 20.0  # seconds for which a state stands, at least
_START = datetime(2026, 1, 1, tzinfo=UTC)  # what clocks of devices say at the start
_TROUBLE = ("alarm", "fault", "error", "trip", "warn", "leak", "fail", "jam", "lost", "blocked", "starved", "emergency")
_LEVELS: tuple[tuple[str, str, float, float], ...] = (  # unit, a word of the name ("": any), mean, swing in that unit
    ("Cel", "ambient", 22, 2),
    ("Cel", "room", 22, 1),
    ("Cel", "flow", 68, 4),
    ("Cel", "return", 47, 3),
    ("Cel", "dew", 3, 1),
    ("Cel", "exhaust", 150, 12),
    ("Cel", "steam", 178, 4),
    ("Cel", "", 42, 4),
    ("K", "", 20, 2),
    ("%", "thd", 2.4, 0.6),
    ("%", "unbalance", 0.8, 0.3),
    ("%", "humidity", 48, 6),
    ("%", "", 62, 9),
    ("MPa", "", 0.62, 0.04),
    ("hPa", "", 1013, 3),
    ("m3/h", "", 18, 4),
    ("Nm3/h", "", 240, 40),
    ("t/h", "", 3.2, 0.5),
    ("r/min", "", 1470, 12),
    ("/min", "", 1470, 12),
    ("Hz", "", 50, 0.03),
    ("mm/s", "", 2.2, 0.6),
    ("kN", "", 320, 60),
    ("W/m2", "", 640, 90),
    ("s", "", 12, 1.5),
    ("V", "", 24, 0.2),
    ("A", "", 6, 1),
)
_RATES: tuple[tuple[str, float, float], ...] = (  # unit, how much a second, what a counter begins with
    ("m3", 18 / 3600, 12_480),
    ("Nm3", 240 / 3600, 88_210),
    ("t", 3.2 / 3600, 9_120),
    ("kg", 0.1, 42_000),
    ("J", 30_000, 4.2e9),
    ("h", 1 / 3600, 8_760),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A tag as its device has it. `low` and `high` are what the value may be, `rate` how fast it may change in a
    second, `step` what one raw step is worth; all in the unit of the device. `names` are those of an enum's numbers."""

    name: str
    dtype: str
    unit: str = ""
    kind: str = "gauge"
    names: tuple[str, ...] = ()
    text: str = ""  # what kind of text: "" plain, "bytes", "datetime"
    length: int = 32  # bytes
    low: float = -inf
    high: float = inf
    rate: float = inf
    step: float = 0.0


class Model:
    """One device."""

    def __init__(self, device: str, tags: list[Asked], seed: int) -> None:
        self._device, self._seed = device, seed
        luck = Random(f"{seed}/{device}")  # no secret
        circuit = Circuit(luck, phases_of(tag.name for tag in tags))
        self.sources: Mapping[str, Source] = {tag.name: self._source(tag, circuit) for tag in tags}

    def _source(self, tag: Asked, circuit: Circuit) -> Source:
        if tag.names:
            return self._states(tag, list(tag.names))
        if tag.dtype == "bool":
            return self._switch(tag)
        if tag.dtype == "str":
            return self._text(tag)
        if tag.kind == "counter":
            return _fitting(tag, self._counter(tag, circuit))
        if tag.kind in ("state", "event"):
            top = int(min(tag.high, 3)) if isfinite(tag.high) else 3
            bottom = int(max(tag.low, 0)) if isfinite(tag.low) else 0
            return self._states(tag, list(range(bottom, max(top, bottom) + 1)))
        wave = circuit.gauge(tag.name, tag.unit) or self._level(tag)
        return _fitting(tag, _within(tag, wave).at)

    def _luck(self, tag: Asked) -> Random:
        return Random(f"{self._seed}/{self._device}/{tag.name}")  # no secret

    def _level(self, tag: Asked) -> Wave:
        luck = self._luck(tag)
        for unit, word, mean, swing in _LEVELS:
            if word not in tag.name:
                continue
            try:
                factor, offset = conversion(unit, tag.unit)
            except ValueError:
                continue
            return moving(luck, mean * factor + offset, swing * factor)
        return moving(luck, luck.uniform(20, 80), luck.uniform(3, 12))

    def _counter(self, tag: Asked, circuit: Circuit) -> Callable[[float], float]:
        luck = self._luck(tag)
        begun, power = circuit.counter(tag.name, tag.unit) or self._pace(tag, luck)
        room = tag.high / 2 if isfinite(tag.high) else inf
        begun = min(begun, room)
        return lambda t: begun + power.integral(t)

    def _pace(self, tag: Asked, luck: Random) -> tuple[float, Wave]:
        for unit, rate, begun in _RATES:
            try:
                factor, _ = conversion(unit, tag.unit)
            except ValueError:
                continue
            pace = rate * factor
            return begun * factor * luck.uniform(0.5, 1.5), moving(luck, pace, 0.2 * pace)
        return float(luck.randint(1_000, 9_000)), Wave(luck.uniform(0.2, 1.0))

    def _states(self, tag: Asked, values: list[Value]) -> Source:
        dwell = DWELL * self._luck(tag).uniform(1, 3)
        return lambda t: values[self._draw(tag, floor(t / dwell)) % len(values)]

    def _switch(self, tag: Asked) -> Source:
        """Trouble is rare, and what runs mostly does."""
        dwell = DWELL * self._luck(tag).uniform(1, 3)
        trouble = any(word in tag.name.lower() for word in _TROUBLE)
        return lambda t: (self._draw(tag, floor(t / dwell)) % 8 == 0) == trouble

    def _text(self, tag: Asked) -> Source:
        if tag.text == "datetime":
            return lambda t: (_START + timedelta(seconds=floor(t))).isoformat()
        if tag.text == "bytes":
            return lambda _: f"{self._draw(tag, 0):08x}".ljust(2 * tag.length, "0")[: 2 * tag.length]
        said = f"SIM {self._device}".encode()[: tag.length].decode("utf-8", "ignore").rstrip()
        return lambda _: said

    def _draw(self, tag: Asked, number: int) -> int:
        return crc32(f"{self._seed}/{self._device}/{tag.name}/{number}".encode()) >> 4


def _within(tag: Asked, wave: Wave) -> Wave:
    """The same wave if it stays within what is allowed, or one in the middle of that."""
    if tag.low <= wave.mean - wave.swing and wave.mean + wave.swing <= tag.high:
        found = wave
    else:
        low = tag.low if isfinite(tag.low) else min(wave.mean - wave.swing, tag.high - 1, tag.high * 0.5)
        high = tag.high if isfinite(tag.high) else max(wave.mean + wave.swing, tag.low + 1, tag.low * 2)
        room = (high - low) / 2
        found = Wave((low + high) / 2, wave.calmed(0.4 * room / wave.swing).terms if wave.swing else ())
    steepest = found.steepest + tag.step  # a value that is rounded may jump by a step besides
    return found if steepest <= tag.rate else found.calmed(max(0.0, 0.5 * (tag.rate - tag.step)) / found.steepest)


def _fitting(tag: Asked, number: Callable[[float], float]) -> Source:
    """As the type of the tag has it: whole numbers, and no more than it holds (a counter begins anew then)."""
    low, high = tag.low, tag.high
    whole = tag.dtype not in ("float32", "float64")
    if tag.kind == "counter" and isfinite(high) and high > 0:
        bottom = max(low, 0.0) if isfinite(low) else 0.0

        def found(t: float) -> float:
            return bottom + (number(t) - bottom) % (high - bottom)
    else:

        def found(t: float) -> float:
            return min(max(number(t), low), high)

    return (lambda t: round(found(t))) if whole else found
