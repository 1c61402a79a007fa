"""Meters for tests: days of readings whose truth is known, and an agent that commits, stops and crashes."""

import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.counters.ask import Counter

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MIDNIGHT = 1_772_409_600 * SECOND  # 2026-03-02T00:00Z, a Monday


def single(value: float) -> float:
    """As a float32 register gives it."""
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return found


@dataclass(frozen=True)
class Form:
    """How a register of hundredths of a kWh is read: its width in hundredths, and what a reading is."""

    dtype: DType
    width: int
    read: Callable[[int], float]
    asked: Counter
    unit: Fraction = Fraction(1, 100)  # kWh that a number read as 1 stands for, of a hundredth


FORMS = {
    "float32": Form("float32", 1_000_000, lambda n: single(n / 100), Counter(rollover=10_000)),
    "float64": Form("float64", 100_000_000, lambda n: n / 100, Counter()),
    "uint32": Form("uint32", 2**32, lambda n: n, Counter(), Fraction(1)),
    "scaled": Form("float64", 2**32, lambda n: n * 0.01, Counter(rollover=42949672.96)),
}


def exact(values: Sequence[Value]) -> Fraction:
    """The sum of numbers as their decimal text says them."""
    return sum((Fraction(Decimal(repr(value))) for value in values), Fraction())


def clock(text: str) -> int:
    """ns after midnight of 09:15 or 09:15:10."""
    hours, minutes, seconds = (*map(int, text.split(":")), 0)[:3]
    return (hours * 3600 + minutes * 60 + seconds) * SECOND


@dataclass
class Agent:
    """Steps as the runtime keeps them: what they make and what they know is committed together, or lost together."""

    schema: Schema
    recipes: Recipes
    disk: list[Frame] = field(default_factory=list)
    known: dict[str, bytes] = field(default_factory=dict)
    waiting: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew with what is on the disk."""
        self.waiting = []
        self.steps = Steps((), self.recipes)
        self.steps.restore(self.known)
        self.steps.output(self.schema)

    def push(self, frame: Frame) -> None:
        self.waiting += self.steps[frame.schema](frame)

    def commit(self, mono: int, *, last: bool = False) -> None:
        self.disk += self.waiting
        self.known |= self.steps.kept(mono, all_of_it=last)
        self.waiting = []

    def told(self, group: str, tag: str) -> Iterator[tuple[int, Value, int]]:
        """(time, value, quality) of a tag, as it is on the disk."""
        for frame in self.disk:
            if frame.schema.made and frame.schema.group == group:
                for each, value, quality in frame.rows():
                    if each.name == tag:
                        yield frame.ts, value, quality


def agent(asked: Counter, dtype: DType = "float64", interval: float = 10.0, recipes: Recipes | None = None) -> Agent:
    """One with a device `meter` that has a counter `energy`."""
    schema = Schema("meter", "10s", (Tag("energy", dtype, "kWh", "counter"),), interval)
    rules = {("meter", "energy"): Rules(counter=asked)}
    base = recipes or Recipes()
    return Agent(schema, Recipes(rules, base.local, base.calendars))


@dataclass(frozen=True)
class Plan:
    """When what happens on a day, each (from, to) by the true time; the clock is put on by `steps` from a time on."""

    swap: tuple[str, str]
    gap: tuple[str, str]
    stop: tuple[str, str]
    steps: Mapping[str, int]
    estimated: Sequence[str]  # the ends of the intervals that are not known exactly


PLANS = {
    "within intervals": Plan(
        ("09:07:30", "09:11:30"),
        ("12:20", "14:20"),
        ("20:03", "20:04"),
        {"16:40": -240, "18:10": 0},
        ["09:15", "12:30", "12:45", "13:00", "13:15", "13:30", "13:45", "14:00", "14:15", "14:30", "16:45"],
    ),
    "across their ends": Plan(
        ("09:13", "09:17"),
        ("12:20", "14:20"),
        ("20:58:30", "21:03"),
        {"16:47": -240, "18:17": 0},
        [
            *("09:15", "09:30", "12:30", "12:45", "13:00", "13:15", "13:30", "13:45", "14:00", "14:15", "14:30"),
            *("17:00", "18:15", "18:30", "21:00", "21:15"),
        ],
    ),
    "the clock runs ahead first": Plan(
        ("09:07:30", "09:11:30"),
        ("12:20", "14:20"),
        ("20:03", "20:04"),
        {"16:40": 1200, "18:05": 0},
        [
            *("09:15", "12:30", "12:45", "13:00", "13:15", "13:30", "13:45", "14:00", "14:15", "14:30"),
            *("16:45", "17:00", "18:30"),
        ],
    ),
}


@dataclass(frozen=True)
class Point:
    """What is read at `ts`: None while there is nothing; `total` is what was counted since midnight, in hundredths."""

    ts: int
    mono: int
    n: int | None
    total: int
    stopped: bool = False


def day(form: Form, plan: Plan, every: int = 10, seed: int = 1) -> list[Point]:
    """A day of readings, from midnight to midnight; what a swap hides is not in the totals."""
    rng = random.Random(seed)
    swap, gap, stop = (tuple(map(clock, span)) for span in (plan.swap, plan.gap, plan.stop))
    shifts = {clock(at): seconds for at, seconds in plan.steps.items()}
    n, total, shift, found = form.width - 10_000, 0, 0, list[Point]()
    for at in range(0, DAY + 1, every * SECOND):
        shift = shifts.get(at, shift)
        grown = rng.choice((0, 3, 5, 8, 12)) * every // 10 if at else 0
        silent = any(start < at < end for start, end in (swap, gap, stop))
        if swap[0] < at <= swap[1]:
            n = 1730
        else:
            n, total = (n + grown) % form.width, total + grown
        ts = MIDNIGHT + at + shift * SECOND
        found.append(Point(ts, at + HOUR, None if silent else n, total, stop[0] < at < stop[1]))
    return found


def frame(schema: Schema, form: Form, point: Point) -> Frame:
    if point.n is None:
        return Frame(schema, point.ts, (None,), bytes((Quality.BAD_COMM,)), point.mono)
    return Frame(schema, point.ts, (form.read(point.n),), bytes(1), point.mono)
