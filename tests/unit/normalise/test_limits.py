"""Values that cannot be are bad, or become the nearest that can, and are good again when they are."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import DType, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.limits.asked import Limits
from tests.lengths import often

S = 10**9


def schema_of(*dtypes: DType) -> Schema:
    return Schema("meter", "1s", tuple(Tag(f"t{i}", dtype) for i, dtype in enumerate(dtypes)), 1.0)


def steps_of(schema: Schema, *limits: Limits | None) -> Steps:
    rules = {("meter", tag.name): Rules(limits=each) for tag, each in zip(schema.tags, limits, strict=True) if each}
    return Steps([schema], Recipes(rules))


def one(limits: Limits, *samples: tuple[float, Value], dtype: DType = "float64") -> list[tuple[Value, int]]:
    """What comes of (seconds, value) of one tag."""
    schema = schema_of(dtype)
    steps = steps_of(schema, limits)
    frames = [steps[schema](Frame(schema, round(at * S), (value,), bytes(1)))[0] for at, value in samples]
    return [(frame.values[0], frame.quality[0]) for frame in frames]


RANGE = Limits(0, 100)


def test_a_value_beyond_its_range_is_bad() -> None:
    assert one(RANGE, (0, 0.0), (1, 100), (2, 100.1), (3, -1)) == [(0.0, 0), (100, 0), (None, 67), (None, 67)]


def test_or_becomes_the_limit_and_says_so() -> None:
    assert one(replace(RANGE, clamp=True), (0, 101.5), (1, -3), (2, 7.0)) == [(100, 1), (0, 1), (7.0, 0)]
    assert one(Limits(max=5, clamp=True), (0, -1e300), (1, 6)) == [(-1e300, 0), (5, 1)]


def test_a_whole_number_is_clamped_to_a_whole_number() -> None:
    limits = Limits(0.5, 9.5, clamp=True)
    assert one(limits, (0, 0), (1, 10), (2, 2**70), dtype="int64") == [(1, 1), (9, 1), (9, 1)]


def test_what_is_no_value_stays_none_and_keeps_its_quality() -> None:
    schema = schema_of("float64", "float64")
    step = steps_of(schema, RANGE, RANGE)[schema]
    (frame,) = step(Frame(schema, 1, (None, 200.0), bytes((66, 2))))
    assert (frame.values, frame.quality) == ([None, None], bytes((66, 67)))


def test_good_frames_pass_without_a_copy() -> None:
    schema = schema_of("float64", "str", "float64")
    step = steps_of(schema, RANGE, None, Limits(0, 5, rate=1.0, stuck=S))[schema]
    whole, sparse = Frame(schema, 1, (50.0, "x", 5.0), bytes(3)), Frame(schema, 2, (5.0,), bytes(1), columns=(2,))
    assert step(whole)[0] is whole and step(sparse)[0] is sparse


def test_text_and_bools_have_no_range() -> None:
    assert one(Limits(0, 0, rate=1.0), (0, "x"), (1, "y"), dtype="str") == [("x", 0), ("y", 0)]
    assert one(Limits(0, 0, rate=1.0), (0, True), (0.1, False), dtype="bool") == [(True, 0), (False, 0)]


def test_a_glitch_is_bad_and_forgotten() -> None:
    fast = Limits(rate=10.0)
    assert one(fast, (0, 5), (1, 900), (2, 6), (3, 5)) == [(5, 0), (None, 69), (6, 0), (5, 0)]


def test_a_step_that_lasts_is_believed_at_its_third_value() -> None:
    fast = Limits(rate=10.0)
    assert one(fast, (0, 5), (1, 900), (2, 902), (3, 901), (4, 899)) == [(5, 0), *[(None, 69)] * 2, (901, 0), (899, 0)]


def test_noise_is_never_believed() -> None:
    samples = [(float(at), 0.0 if at == 0 else 1e6 * at * (-1) ** at) for at in range(20)]
    assert [quality for _, quality in one(Limits(rate=10.0), *samples)] == [0, *[69] * 19]


@pytest.mark.parametrize("at", [1, 0, -86400 * 365])
def test_where_no_time_passes_nothing_is_said_of_the_speed(at: int) -> None:
    """The clock was set back, or the source repeats its time: the next value is compared with this one."""
    assert one(Limits(rate=10.0), (1, 5), (at, 900), (at + 1, 905)) == [(5, 0), (900, 0), (905, 0)]


def test_a_source_s_own_time_counts() -> None:
    schema = schema_of("float64")
    step = steps_of(schema, Limits(rate=10.0))[schema]
    frames = [
        Frame(schema, 1, (float(value),), bytes(1), 0, (0,), (at * S,)) for at, value in [(1, 0), (9, 80), (10, 99)]
    ]
    assert [step(frame)[0].quality[0] for frame in frames] == [0, 0, 69]


STILL = Limits(stuck=10 * S)


def test_a_value_that_never_moves_is_bad_until_it_does() -> None:
    out = one(STILL, *[(float(at), 5) for at in range(13)], (13, 6), (14, 6))
    assert out == [*[(5, 0)] * 11, *[(None, 68)] * 2, (6, 0), (6, 0)]


def test_within_its_band_it_counts_as_the_same() -> None:
    noise = [(float(at), 5 + 0.1 * (at % 2)) for at in range(13)]
    assert one(replace(STILL, band=0.2), *noise)[-1] == (None, 68)
    assert one(replace(STILL, band=0.05), *noise)[-1] == (5, 0)


def test_text_can_be_stuck_and_so_can_a_beat() -> None:
    assert one(STILL, *[(float(at), "x") for at in range(12)], dtype="str")[-1] == (None, 68)
    assert one(STILL, *[(float(at), at % 2 == 0) for at in range(12)], dtype="bool")[-1] == (False, 0)


@pytest.mark.parametrize("gap", [3600, 86400 * 365 * 5, -3600])
def test_neither_a_silence_nor_a_clock_that_is_set_makes_it_bad(gap: int) -> None:
    assert one(STILL, (0, 5), (1, 5), (gap, 5), (gap + 1, 5)) == [(5, 0)] * 4


def test_time_in_which_the_device_is_away_does_not_count() -> None:
    schema = schema_of("float64")
    step = steps_of(schema, STILL)[schema]
    frames = [
        Frame(schema, at * S, (5.0 if at < 2 or at > 30 else None,), bytes((66 * (1 < at < 31),))) for at in range(33)
    ]
    assert [step(frame)[0].quality[0] for frame in frames] == [0, 0, *[66] * 29, 0, 0]


# --- slow versions that are obviously right


class Slow:
    """One tag."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.good: tuple[float, int] | None = None
        self.doubted: list[tuple[float, int]] = []
        self.same: float | None = None
        self.still = 0

    def __call__(self, value: float | None, at: int, passed: int) -> tuple[Value, int]:
        """`passed`: ns that count since the last frame."""
        limits, quality = self.limits, 0
        self.still += min(passed, limits.stuck // 2)
        if value is None:
            return None, 66
        for edge, beyond in ((limits.min, lambda v, e: v < e), (limits.max, lambda v, e: v > e)):
            if edge is not None and beyond(value, edge):
                if not limits.clamp:
                    return None, Quality.BAD_RANGE
                value, quality = edge, Quality.CLAMPED
        if limits.rate is not None and not self._believed(value, at):
            return None, Quality.BAD_JUMP
        if limits.stuck:
            if self.same is None or abs(value - self.same) > limits.band:
                self.same, self.still = value, 0
            elif self.still > limits.stuck:
                return None, Quality.BAD_STUCK
        return value, quality

    def _believed(self, value: float, at: int) -> bool:
        if self.good is not None and at > self.good[1] and not self._near(self.good, value, at):
            near = bool(self.doubted) and at > self.doubted[-1][1] and self._near(self.doubted[-1], value, at)
            self.doubted = [*self.doubted, (value, at)] if near else [(value, at)]
            if len(self.doubted) < 3:
                return False
        self.doubted, self.good = [], (value, at)
        return True

    def _near(self, before: tuple[float, int], value: float, at: int) -> bool:
        assert self.limits.rate is not None
        return abs(value - before[0]) <= self.limits.rate / 1e9 * (at - before[1])


def limits_of(dice: Random) -> Limits:
    low, high = dice.choice([None, -dice.randint(0, 10)]), dice.choice([None, dice.randint(0, 10)])
    rate, stuck, band = dice.choice([None, 1.0, 8.0]), dice.choice([0, 4 * S, 9 * S]), dice.choice([0.0, 2.5])
    return Limits(low, high, dice.random() < 0.5, rate, stuck, band)


def number(dice: Random) -> Value:
    return dice.choice([dice.randint(-12, 12), dice.uniform(-12, 12), 3, 3, 3, None])


def run_of(dice: Random) -> tuple[list[Limits | None], list]:
    """What is asked of each tag, and frames: (ts, columns, values, stamps)"""
    asked = [dice.choice([None, limits_of(dice), limits_of(dice)]) for _ in range(dice.randint(1, 5))]
    ts, frames = 10**6 * S, []
    for _ in range(40):
        ts += dice.choice([S, S, S, S, S, S, 0, 5 * S, -3 * S, 400 * 86400 * S])
        some = dice.sample(range(len(asked)), dice.randint(1, len(asked)))
        columns = dice.choice([None, None, some])
        values = [number(dice) for _ in columns or asked]
        frames.append((ts, columns, values, dice.choice([None, None, [dice.randint(ts - S, ts) for _ in values]])))
    return asked, frames


def slowly(asked: Sequence[Limits | None], frames: list) -> Iterator[list[tuple[Value, int]]]:
    tags = [Slow(each) if each else None for each in asked]
    last = None
    for ts, columns, values, stamps in frames:
        answered = any(value is not None for value in values)
        passed = max(0, ts - last) if last is not None and answered else 0
        last = ts
        seen = list(range(len(asked)) if columns is None else columns)
        for column, tag in enumerate(tags):
            if tag and column not in seen:
                tag.still += min(passed, tag.limits.stuck // 2)
        yield [
            (value, 66 * (value is None)) if tag is None else tag(value, stamps[place] if stamps else ts, passed)
            for place, (value, tag) in enumerate(zip(values, (tags[column] for column in seen), strict=True))
        ]


@settings(max_examples=often(300, 5000))
@given(st.integers(0))
def test_all_of_it_is_what_the_slow_version_says(seed: int) -> None:
    asked, frames = run_of(Random(seed))
    schema = schema_of(*["float64"] * len(asked))
    steps = steps_of(schema, *asked)
    for (ts, columns, values, stamps), wanted in zip(frames, slowly(asked, frames), strict=True):
        quality = bytes(66 * (value is None) for value in values)
        places = None if columns is None else tuple(columns)
        frame = Frame(schema, ts, tuple(values), quality, ts, places, None if stamps is None else tuple(stamps))
        (out,) = steps[schema](frame)
        assert list(zip(out.values, out.quality, strict=True)) == wanted
        assert (out.ts, out.columns, out.stamps, out.mono) == (frame.ts, frame.columns, frame.stamps, frame.mono)
        assert all((value is None) == (code >= FIRST_BAD) for value, code in zip(out.values, out.quality, strict=True))


@given(st.lists(st.one_of(st.integers(), st.floats(), st.just(10**400), st.text(max_size=3)), min_size=2, max_size=9))
def test_nothing_that_a_device_sends_raises(values: list[Value]) -> None:
    everything = Limits(-5, 5.5, True, 1.0, 3 * S, 0.1)
    for dtype in ("float64", "int64", "uint8", "bool", "str"):
        for asked in (everything, replace(everything, min=None, max=None)):
            out = one(asked, *[(float(at), value) for at, value in enumerate(values)], dtype=dtype)  # type: ignore[arg-type]
            assert len(out) == len(values)
