"""How fast history goes: a table of moments on a clock that the test moves."""

import math

import pytest

from agent.runtime.backfill import BURST, FLOOR, Limiter, Meter, longest_jitter
from tests.lengths import often


class Hands:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def drained(limiter: Limiter, hands: Hands, seconds: float, batch: int) -> int:
    """Samples that go in that time when there is no end of them."""
    end, sent = hands.seconds + seconds, 0
    while hands.seconds < end:
        delay = limiter.delay()
        if delay:
            hands.seconds += delay
        else:
            limiter.spend(batch)
            sent += batch
    return sent


@pytest.mark.parametrize(
    ("rate", "live", "expected"),
    [
        ("4x", 5000.0, 20_000.0),
        ("1.5x", 5000.0, 7500.0),
        ("4x", 0.0, FLOOR),
        ("4x", 100.0, FLOOR),
        ("300/s", 5000.0, 300.0),
    ],
)
@pytest.mark.parametrize("batch", [1, 100, 20_000])
def test_over_a_long_time_the_rate_is_kept(rate: str, live: float, expected: float, batch: int) -> None:
    hands = Hands()
    limiter = Limiter(rate, lambda: live, hands)
    seconds = often(6.0, 36.0) * min(batch, 100)
    sent = drained(limiter, hands, seconds, batch)
    assert sent == pytest.approx(expected * (seconds + BURST), rel=0.01, abs=2 * batch)


def test_a_short_outage_is_made_up_for_at_once_and_a_long_one_is_not() -> None:
    hands = Hands()
    limiter = Limiter("4x", lambda: 1000.0, hands)
    sent = 0
    while not limiter.delay():
        limiter.spend(100)
        sent += 100
    assert sent == 4000 * BURST
    assert hands.seconds == 100.0


def test_unlimited_is_unlimited() -> None:
    limiter = Limiter("unlimited", lambda: 1.0, Hands())
    for _ in range(1000):
        limiter.spend(1_000_000)
        assert limiter.delay() == 0


def test_no_wait_is_so_long_that_a_new_rate_would_go_unnoticed() -> None:
    hands = Hands()
    limiter = Limiter("1/s", lambda: 0.0, hands)
    limiter.delay()
    limiter.spend(10_000_000)
    assert limiter.delay() <= 1.0


def test_the_live_rate_is_an_average_that_forgets() -> None:
    hands = Hands()
    meter = Meter(hands)
    assert meter.rate() == 0
    for _ in range(1200):
        hands.seconds += 0.5
        meter.add(2500)
    assert meter.rate() == pytest.approx(5000, rel=0.05)
    hands.seconds += 300
    assert meter.rate() < 1
    assert math.isfinite(meter.rate())


@pytest.mark.parametrize(("age", "expected"), [(-5, 0), (0, 0), (10, 1), (299, 29.9), (300, 30), (1e9, 30)])
def test_the_jitter_is_a_tenth_of_the_outage_and_no_more_than_half_a_minute(age: float, expected: float) -> None:
    assert longest_jitter(age) == pytest.approx(expected)
