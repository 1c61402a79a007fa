"""Growth, rollover, reset, swap, return and glitch are told apart by the readings alone."""

from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.quality import Quality
from agent.model.tag import DType, Tag
from agent.normalise.counters import digits
from agent.normalise.counters.ask import HOUR, SECOND, Counter
from agent.normalise.counters.meter import Meter
from agent.normalise.counters.register import Reading, Register
from tests.lengths import often
from tests.unit.normalise.meters import exact, single

START = 10**18
TEN = 10 * SECOND
ESTIMATED = int(Quality.ESTIMATED)


def total(asked: Counter, *readings: int, widths: tuple[int, ...] = (), warm: bool = True) -> list[tuple[int, int]]:
    """(what was counted since the first reading, quality) after each that made anything certain; one each ten seconds.

    `warm`: ten units each ten seconds came before, so that it is known how fast it goes.
    """
    register, found = Register(asked, widths), list[tuple[int, int]]()
    before = [readings[0] - left for left in range(100, 0, -10)] if warm else []
    for place, n in enumerate([*before, *readings]):
        steps = register.take(Reading(n, START + place * TEN, 0))
        if place == len(before):
            begun = steps[-1].after
        elif place > len(before):
            found += [(step.after - begun, step.doubt) for step in steps[-1:]]
    return found


TOLD = Counter(max_rate=3600.0)  # one unit a second
FREE = Counter()


@pytest.mark.parametrize("asked", [TOLD, FREE])
def test_growth_is_counted_as_it_comes(asked: Counter) -> None:
    assert total(asked, 1000, 1010, 1010, 1020) == [(10, 0), (10, 0), (20, 0)]


@pytest.mark.parametrize("asked", [TOLD, FREE])
@pytest.mark.parametrize("wild", [0, -1, 500, 999, 5_000_000, 2**40])
def test_one_wild_value_is_nothing(asked: Counter, wild: int) -> None:
    assert total(asked, 1000, wild, 1020, 1030) == [(20, 0), (30, 0)]


@pytest.mark.parametrize("wild", [(0, 5_000_000), (5_000_000, 0), (7, 3)])
def test_two_wild_values_that_do_not_agree_are_nothing(wild: tuple[int, int]) -> None:
    assert total(TOLD, 1000, *wild, 1030) == [(30, 0)]
    assert total(FREE, 1000, *wild, 1030) == [(30, 0)]
    assert total(Counter(max_rate=3600.0, confirm=3), 1000, *wild, 1030) == [(30, 0)]


@pytest.mark.parametrize("asked", [TOLD, FREE])
def test_a_reset_counts_from_zero_and_is_estimated(asked: Counter) -> None:
    """What came between the last reading and the reset is not known."""
    assert total(asked, 1000, 4, 14, 24) == [(14, 0), (24, 0)]
    register = Register(asked)
    for place, n in enumerate([900, 910, 920, 4]):
        register.take(Reading(n, START + place * TEN, 0))
    assert [(step.after - step.before, step.doubt) for step in register.take(Reading(14, START + 4 * TEN, 0))] == [
        (4, ESTIMATED),
        (10, 0),
    ]


@pytest.mark.parametrize("asked", [TOLD, FREE])
def test_another_meter_goes_on_from_where_the_total_was(asked: Counter) -> None:
    assert total(asked, 1000, 500, 510, 520) == [(10, 0), (20, 0)]


def test_a_jump_forward_is_another_meter_only_when_a_rate_is_told() -> None:
    assert total(TOLD, 1000, 50_000, 50_010) == [(10, 0)]
    assert total(FREE, 1000, 50_000, 50_010) == [(49_010, 0)]


@pytest.mark.parametrize("away", [0, 123_456])
def test_a_register_that_comes_back_has_never_been_away(away: int) -> None:
    """A gateway that gives zeros while it starts: what was counted meanwhile is known when it is back."""
    assert total(TOLD, 100_000, away, away, away, 100_040, 100_050)[-1] == (50, 0)


@pytest.mark.parametrize(
    ("asked", "widths", "last", "then", "grown"),
    [
        (FREE, (2**16,), 65_530, 4, 10),
        (FREE, (2**32,), 2**32 - 3, 7, 10),
        (FREE, (2**15, 2**16), 2**15 - 3, -(2**15) + 7, 10),
        (FREE, (), 999_995, 5, 10),
        (FREE, (), 9_999, 9, 10),
        (Counter(rollover=2**48), (), 2**48 - 1, 9, 10),
        (Counter(rollover=70_000), (), 50_000, 5_000, 25_000),
        (TOLD, (2**16,), 65_530, 4, 10),
    ],
)
def test_a_rollover_loses_nothing(asked: Counter, widths: tuple[int, ...], last: int, then: int, grown: int) -> None:
    assert total(asked, last, then, then + 10, widths=widths)[-1] == (grown + 10, 0)


@pytest.mark.parametrize(
    ("asked", "last", "then"),
    [
        (Counter(rollover="none"), 65_530, 400),  # told that it has none
        (FREE, 65_000, 400),  # too far from its width for how fast it goes
        (FREE, 60, 4),  # a small number is reset, and no register of two digits
        (Counter(rollover=70_000), 20_000, 400),  # it would be more than half of its width
        (Counter(rollover=70_000, max_rate=3600.0), 60_000, 400),  # faster than it can be
        (Counter(rollover=1000), 2000, 400),  # it shows more than its width
    ],
)
def test_what_is_no_rollover_is_another_meter(asked: Counter, last: int, then: int) -> None:
    counted = then if then < 20 else 0
    assert total(asked, last, then, then + 10, widths=(2**16,))[-1] == (counted + 10, 0)


def test_a_long_gap_allows_what_a_short_one_does_not() -> None:
    register = Register(TOLD)
    for ts, n in ((0, 1000), (TEN, 1010), (2 * HOUR, 8000)):
        steps = register.take(Reading(n, START + ts, 0))
    assert [(step.after - step.before, step.doubt) for step in steps] == [(6990, 0)]


def test_time_that_stands_still_on_the_wall_goes_on_on_the_other_clock() -> None:
    register = Register(TOLD)
    register.take(Reading(1000, START, 5 * HOUR))
    assert [step.doubt for step in register.take(Reading(3000, START - HOUR, 6 * HOUR))] == [0]


def test_a_late_reading_is_nothing_new() -> None:
    register = Register(TOLD)
    for n in (1000, 1010, 1020):
        register.take(Reading(n, START + n * SECOND, 0), stamped=True)
    assert list(register.take(Reading(1005, START + 1005 * SECOND, 0), stamped=True)) == []
    assert not register.holding


def test_a_rate_that_is_too_low_is_seen_and_not_silent() -> None:
    """Each reading is another meter then: the total stands, and says that it is estimated."""
    register, told = Register(Counter(max_rate=1.0)), list[tuple[int, int]]()
    for place in range(40):
        told += [(step.after, step.doubt) for step in register.take(Reading(place * 100, START + place * TEN, 0))]
    assert {doubt for _, doubt in told[1:]} == {ESTIMATED}
    assert len(told) >= 3


class Told(NamedTuple):
    """A life of a meter: its readings, and what the total must be in the end."""

    readings: list[int]
    counted: int


@st.composite
def lives(draw: st.DrawFn) -> Told:
    """Growth of up to ten in ten seconds, on a register of six digits, with events that are not near each other."""
    n, counted = draw(st.integers(0, 999_999)), 0
    readings = [n]
    for event in draw(st.lists(st.sampled_from(["", "", "low", "high", "swap", "zero"]), max_size=12)):
        for _ in range(draw(st.integers(3, 6))):
            grown = draw(st.integers(0, 10))
            n, counted = (n + grown) % 1_000_000, counted + grown
            readings.append(n)
        if event in ("low", "high") and 200 < n < 900_000:
            readings.append(draw(st.integers(0, n - 1) if event == "low" else st.integers(n + 100, 2**40)))
        elif event == "swap" and 2000 < n < 900_000:
            n = draw(st.one_of(st.integers(100, n - 1000), st.integers(n + 1000, 950_000)))
            readings.append(n)
        elif event == "zero" and 2000 < n < 900_000:
            n = draw(st.integers(0, 10))
            readings, counted = [*readings, n], counted + n
    for _ in range(4):
        n, counted = (n + 5) % 1_000_000, counted + 5
        readings.append(n)
    return Told(readings, counted)


@given(lives())
def test_the_total_is_what_was_truly_counted(life: Told) -> None:
    register, last = Register(Counter(rollover=1_000_000, max_rate=3600.0)), 0
    for place, n in enumerate(life.readings):
        for step in register.take(Reading(n, START + place * TEN, 0)):
            assert step.before <= step.after
            last = step.after
    assert last - life.readings[0] == life.counted


@given(st.lists(st.integers(-(2**70), 2**70)), st.sampled_from([TOLD, FREE, Counter(rollover=1000, confirm=1)]))
def test_whatever_comes_the_total_never_goes_back(readings: list[int], asked: Counter) -> None:
    register, last = Register(asked, (2**16,)), None
    for place, n in enumerate(readings):
        for step in register.take(Reading(n, START + place * TEN, 0)):
            assert last is None or last == step.before <= step.after
            last = step.after


def units(dtype: DType, *values: float) -> list[Fraction]:
    """What a meter takes its readings for, at the end."""
    meter, found = Meter(Tag("e", dtype), Counter(), 0, silent=False), list[Fraction]()
    for value in values:
        n = meter.units(value)
        assert n is not None
        found.append(Fraction(n, meter.scale))
    return found


@given(st.integers(0, 10**7 - 1), st.integers(0, 4))
def test_a_float32_is_the_shortest_text_that_it_may_come_from(n: int, places: int) -> None:
    assert units("float32", single(n / 10**places)) == [Fraction(n, 10**places)]


@given(st.integers(0, 10**14 - 1), st.integers(0, 6))
def test_a_float64_is_its_text_and_the_noise_of_a_scale_is_none(n: int, places: int) -> None:
    assert units("float64", n / 10**places) == [Fraction(n, 10**places)]
    assert units("float64", n * 0.1**places) == [Fraction(n, 10**places)]


@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=1))
def test_whatever_a_float_is_it_is_taken_to_nine_decimals(values: list[float]) -> None:
    for value, taken in zip(values, units("float64", *values), strict=True):
        assert abs(Fraction(value) - taken) <= max(Fraction(1, 10**digits.MOST), abs(Fraction(value)) / 10**14)


@pytest.mark.parametrize("value", [2**64, -(2**64), 1e300, -1e300, 2.0**53, None, "7"])
def test_what_no_counter_shows_is_no_reading(value: float) -> None:
    assert Meter(Tag("e", "float64"), Counter(), 0, silent=False).units(value) is None


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=often(20, 200)))
def test_decimals_that_come_later_change_nothing_of_what_was(steps: list[int]) -> None:
    meter, at = Meter(Tag("e", "float64"), Counter(max_rate=1e12), 0, silent=False), 0
    for place, grown in enumerate(steps):
        at += grown
        n = meter.units(at / 10 ** (place % 4 + 2))
        assert n is not None
        assert exact([n / meter.scale]) == Fraction(at, 10 ** (place % 4 + 2))
