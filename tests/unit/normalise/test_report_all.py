"""Whatever comes: each sample is told, now or later, or counted; and it is told when a slow, plain version says so."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.tag import DType, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.report.asked import Reporting
from tests.lengths import often

S = 10**9
START = 10**6 * S
STEPS = [S, S, S, S, S, 0, 7 * S, 61 * S, -5 * S, 400 * 86400 * S]
DTYPES: tuple[DType, ...] = ("float64", "int32", "str", "bool")
PLAIN = [Reporting(), *(Reporting(True, p, *band) for p in (0, 9 * S) for band in [(), (2.0,), (0.5, 0.1)])]
PLAIN += [Reporting(period=9 * S)]
BEATS = [Reporting(each.changes, each.period, each.band, each.share, 0.0, 20 * S) for each in PLAIN]
DOORS = [
    Reporting(True, period, door=door, max_time=beat)
    for period in (0, 9 * S)
    for door in (0.5, 3.0)
    for beat in (0, 20 * S)
]


class Slow:
    """One tag of a polled device without a door, value by value."""

    def __init__(self, asked: Reporting, dtype: DType) -> None:
        self.asked, self.number = asked, dtype not in ("str", "bool")
        self.quality: int | None = None
        self.told: Value = None
        self.period: int | None = None

    def tells(self, ts: int, value: Value, quality: int) -> bool:
        asked = self.asked
        turned, self.quality = quality != self.quality, quality
        told = turned or not (asked.changes or asked.period)
        if asked.period:
            told |= ts // asked.period != self.period
            self.period = ts // asked.period
        if asked.changes:
            told |= self._beyond(value)
        if told:
            self.told = value
        return told

    def _beyond(self, value: Value) -> bool:
        asked = self.asked
        if not self.number or not (asked.band or asked.share) or value is None or self.told is None:
            return value != self.told
        assert not isinstance(value, str) and not isinstance(self.told, str)
        band = max(asked.band, asked.share * abs(self.told))
        return value > self.told + band or value < self.told - band


def value_of(dice: Random, dtype: DType) -> Value:
    if dice.random() < 0.1:
        return None
    if dtype == "str":
        return dice.choice("ab")
    if dtype == "bool":
        return dice.random() < 0.5
    return dice.randint(-6, 6) if dtype == "int32" else dice.choice([0.0, 5.0, dice.uniform(-6, 6)])


class Run:
    """Frames, whole and sparse, through steps whose tags ask for anything of `kinds`; and seconds that pass."""

    def __init__(self, seed: int, kinds: list[Reporting], interval: float, dtypes: tuple[DType, ...] = DTYPES) -> None:
        self.dice = dice = Random(seed)
        self.dtypes = [dice.choice(dtypes) for _ in range(dice.randint(1, 5))]
        self.asked = [dice.choice(kinds) for _ in self.dtypes]
        tags = tuple(Tag(f"t{i}", dtype) for i, dtype in enumerate(self.dtypes))
        self.schema = Schema("m", "1s", tags, interval)
        rules = {("m", tag.name): Rules(report=each) for tag, each in zip(tags, self.asked, strict=True)}
        self.steps = Steps([self.schema], Recipes(rules))
        self.ts, self.mono = START, 5 * S
        self.seen: list[list[tuple]] = [[] for _ in tags]  # (time, value, quality) of each tag
        self.told: list[list[tuple]] = [[] for _ in tags]

    def frame(self) -> Frame:
        dice, width = self.dice, len(self.dtypes)
        self._pass()
        columns = dice.choice([None, None, tuple(dice.sample(range(width), dice.randint(1, width)))])
        values = tuple(value_of(dice, self.dtypes[column]) for column in (range(width) if columns is None else columns))
        quality = bytes(66 if value is None else dice.choice([0, 0, 0, 0, 2]) for value in values)
        stamps = tuple(self.ts - dice.randint(0, S) for _ in values) if dice.random() < 0.2 else None
        return Frame(self.schema, self.ts, values, quality, self.mono, columns, stamps)

    def _pass(self) -> None:
        step = self.dice.choice(STEPS)
        self.ts += step + self.dice.randint(1, 999)  # so that no two samples are the same
        self.mono += max(step, S) if step < 86400 * S else S

    def step(self) -> tuple[Frame, tuple[Frame, ...]]:
        frame = self.frame()
        out = self.steps[self.schema](frame)
        self.note(self.seen, frame)
        for each in out:
            self.note(self.told, each)
        return frame, out

    def wait(self) -> None:
        """A second in which a tick comes; what it repeats was told before."""
        self._pass()
        for frame in self.steps.tick(self.ts, self.mono):
            assert (frame.ts, frame.mono) == (self.ts, self.mono)
            assert frame.columns is not None and frame.stamps is not None
            for column, *sample in zip(frame.columns, frame.stamps, frame.values, frame.quality, strict=True):
                if tuple(sample) == self.told[column][-1]:
                    assert self.asked[column].max_time
                else:
                    self.told[column].append(tuple(sample))

    def note(self, book: list[list[tuple]], frame: Frame) -> None:
        assert len(frame.values) == len(frame.quality) and len(set(frame.columns or ())) == len(frame.columns or ())
        for place, column in enumerate(range(len(frame.values)) if frame.columns is None else frame.columns):
            stamp = frame.stamps[place] if frame.stamps else frame.ts
            book[column].append((stamp, frame.values[place], frame.quality[place]))

    def check(self) -> None:
        """Nothing is told that was not read, nor twice; and what was not told is counted, but for one of each tag."""
        counted = sum(self.steps.suppressed().values())
        missing = 0
        for seen, told in zip(self.seen, self.told, strict=True):
            assert not Counter(told) - Counter(seen)
            assert told[:1] == seen[:1]
            missing += len(seen) - len(told)
        assert counted <= missing <= counted + len(self.seen)
        held = missing - counted
        self.steps[Schema("m", "1s", self.schema.tags, 1.0)]  # the group has another schema: what is held is given up
        assert sum(self.steps.suppressed().values()) == held


@settings(max_examples=often(100, 3000))
@given(st.integers(0))
def test_of_a_polled_device_what_the_slow_version_says_is_told(seed: int) -> None:
    run = Run(seed, PLAIN, 1.0)
    slow = [Slow(asked, dtype) for asked, dtype in zip(run.asked, run.dtypes, strict=True)]
    for _ in range(30):
        frame, out = run.step()
        columns = range(len(frame.values)) if frame.columns is None else frame.columns
        rows = zip(columns, frame.values, frame.quality, strict=True)
        wanted = [place for place, (c, value, code) in enumerate(rows) if slow[c].tells(frame.ts, value, code)]
        told = [] if not out else list(columns) if out[0].columns is None else list(out[0].columns)
        assert sorted(told) == sorted(columns[place] for place in wanted)
        assert all((each.ts, each.mono) == (frame.ts, frame.mono) for each in out)
    run.check()


@pytest.mark.parametrize("interval", [0.0, 1.0])
@settings(max_examples=often(100, 3000))
@given(st.integers(0))
def test_every_sample_is_told_or_counted(interval: float, seed: int) -> None:
    run = Run(seed, [*PLAIN, *BEATS, *DOORS], interval)
    for _ in range(40):
        if run.dice.random() < 0.3:
            run.wait()
        else:
            run.step()
    run.check()


@settings(max_examples=often(100, 3000))
@given(st.integers(0))
def test_no_value_is_further_from_the_line_than_the_door(seed: int) -> None:
    """The line between the two that are told around it; as long as the time of the source goes on."""
    dice = Random(seed)
    door, schema = dice.choice([0.0625, 0.5, 2.0]), Schema("m", "1s", (Tag("t", "float64"),), 1.0)
    steps = Steps([schema], Recipes({("m", "t"): Rules(report=Reporting(changes=True, door=door))}))
    ts, value, seen, out = START, 0.0, [], list[Frame]()
    for _ in range(60):
        ts += dice.choice([S, S, S, 5 * S])
        value += dice.choice([0.0, 0.25, 0.25, dice.uniform(-1, 1)])
        seen.append((ts, value))
        out += steps[schema](Frame(schema, ts, (value,), bytes(1), ts))
    out += steps.tick(ts + 60 * S, ts + 60 * S)
    told = [(frame.stamps[0] if frame.stamps else frame.ts, frame.values[0]) for frame in out]
    assert told[0] == seen[0] and told[-1] == seen[-1] and set(told) <= set(seen)
    for (begin, first), (end, last) in pairwise(told):
        for at, between in seen:
            if begin < at < end:
                line = Fraction(first) + (Fraction(last) - Fraction(first)) * (at - begin) / (end - begin)
                assert abs(Fraction(between) - line) <= Fraction(door) * (1 + Fraction(1, 10**9))
    assert steps.suppressed()["m", "door", False] == len(seen) - len(told)


@given(st.lists(st.one_of(st.integers(), st.floats(), st.just(10**400), st.text(max_size=2)), max_size=9))
def test_nothing_that_a_device_sends_raises(values: list[Value]) -> None:
    for asked in (*PLAIN, *BEATS, *DOORS):
        for dtype in ("float64", "int64", "bool", "str"):
            schema = Schema("m", "1s", (Tag("t", dtype),), 1.0)  # type: ignore[arg-type]
            steps = Steps([schema], Recipes({("m", "t"): Rules(report=asked)}))
            told = [
                len(steps[schema](Frame(schema, at * S, (value,), bytes(1), at * S))) for at, value in enumerate(values)
            ]
            assert told[:1] == [1] * bool(values)
            assert len(list(steps.tick(100 * S, 100 * S))) <= 2


@pytest.mark.parametrize("interval", [0.0, 1.0])
@settings(max_examples=often(100, 3000))
@given(st.integers(0))
def test_after_an_orderly_end_nothing_is_missing(interval: float, seed: int) -> None:
    """What is held is told, once and with its own time; the rest is counted."""
    run = Run(seed, [*PLAIN, *DOORS], interval)
    for _ in range(run.dice.randint(0, 40)):
        run.step()
    for frame in run.steps.finish(run.ts, run.mono):
        run.note(run.told, frame)
    assert not list(run.steps.finish(run.ts, run.mono))
    for seen, told in zip(run.seen, run.told, strict=True):
        assert not Counter(told) - Counter(seen)
    missing = sum(len(seen) - len(told) for seen, told in zip(run.seen, run.told, strict=True))
    assert sum(run.steps.suppressed().values()) == missing
