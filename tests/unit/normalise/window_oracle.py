"""What a window says by a plain reading of all that was read, and steps to compare it with."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD
from agent.model.tag import DType, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.local import Local
from agent.normalise.windows.ask import Window

SECOND = 10**9
OF = ("first", "last", "min", "max", "mean", "time_mean", "sum", "count", "good", "late")
Said = dict[tuple[str, int], tuple[Value, int]]  # by tag and time, value and quality


class Reading(NamedTuple):
    at: int
    value: Value
    quality: int = 0


class World:
    """Steps of one device `d` whose tags ask for the same windows."""

    def __init__(
        self,
        tags: Sequence[str] = ("a",),
        window: Window | None = None,
        *,
        dtype: DType = "float64",
        interval: float = 1.0,
        local: Local | None = None,
    ) -> None:
        self.window = window or Window(900 * SECOND, OF)
        self.schema = Schema("d", "1s", tuple(Tag(name, dtype) for name in tags), interval)
        rules = Rules(windows=(self.window,))
        self.recipes = Recipes({("d", name): rules for name in tags}, local or Local())
        self.steps = Steps([self.schema], self.recipes)
        self.said: Said = {}
        self.frames: list[Frame] = []

    def read(self, at: int, *values: Value, quality: bytes | None = None, stamps: Sequence[int] | None = None) -> None:
        trust = bytes(len(values)) if quality is None else quality
        frame = Frame(self.schema, at, values, trust, at, stamps=None if stamps is None else tuple(stamps))
        self.push(frame)

    def push(self, frame: Frame) -> None:
        self._take(self.steps[frame.schema](frame))

    def tick(self, wall: int) -> None:
        self._take(self.steps.tick(wall, wall))

    def again(self) -> None:
        """Ended and started: what was kept goes on."""
        kept = self.steps.kept(0, all_of_it=True)
        self.steps = Steps([self.schema], self.recipes)
        self.steps.restore(kept)

    def _take(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if frame.schema.made:
                self.frames.append(frame)
                for tag, value, quality in frame.rows():
                    key = tag.name, frame.ts
                    assert key not in self.said, f"{key} is told twice"
                    self.said[key] = value, quality


def expected(name: str, readings: Sequence[Reading], window: Window, hold: int | None, local: Local) -> Said:
    """Of readings in order, each at its own time; every window in which there was any, or in which a value held."""
    said: Said = {}
    spans = sorted({local.window(reading.at, window.every) for reading in readings})
    for start, end in spans:
        inside = [reading for reading in readings if start <= reading.at < end]
        usable = [reading for reading in inside if reading.quality < FIRST_BAD]
        held = _held(readings, start, end, hold)
        doubt = max((reading.quality for reading in usable), default=0)
        bad = [reading.quality for reading in inside if reading.quality >= FIRST_BAD]
        for what, value in _values(usable, held, start, end, steps=hold is None).items():
            if value is not None:
                said[f"{name}_{what}_{window.text}", end] = value, 0 if what in {"count", "good", "late"} else doubt
            elif bad:
                said[f"{name}_{what}_{window.text}", end] = None, bad[-1]
    return said


def _held(readings: Sequence[Reading], start: int, end: int, hold: int | None) -> list[tuple[int, float]]:
    """(ns, value): how long which value held in the window."""
    found = []
    for number, reading in enumerate(readings):
        until = readings[number + 1].at if number + 1 < len(readings) else end
        if hold is not None:
            until = min(until, reading.at + hold)
        length = min(until, end) - max(reading.at, start)
        if length > 0 and reading.quality < FIRST_BAD:
            found.append((length, reading.value))
    return found  # type: ignore[return-value]


def _values(
    usable: list[Reading], held: list[tuple[int, float]], start: int, end: int, *, steps: bool
) -> dict[str, Value]:
    good = sum(length for length, _ in held)
    numbers = [Fraction(reading.value) for reading in usable]  # type: ignore[arg-type]
    reach = [reading.value for reading in usable] + ([value for _, value in held] if steps else [])
    total = sum(numbers)
    whole = all(isinstance(reading.value, int) for reading in usable)
    return {
        "first": usable[0].value if usable else None,
        "last": usable[-1].value if usable else None,
        "min": min(reach) if reach else None,  # type: ignore[type-var]
        "max": max(reach) if reach else None,  # type: ignore[type-var]
        "mean": float(total / len(numbers)) if numbers else None,
        "time_mean": float(sum(length * Fraction(value) for length, value in held) / good) if good else None,
        "sum": (int(total) if whole else float(total)) if numbers else None,
        "count": len(usable),
        "good": good / (end - start),
        "late": 0,
    }
