"""How fast history follows beside live data: pure, with the clock handed in."""

import math
import time
from collections.abc import Callable

FLOOR = 1000.0  # samples per second: a quiet plant drains its backlog too
BURST = 10.0  # seconds' worth of the rate that may go at once, so that a short outage is made up for at once
LONGEST_JITTER = 30.0  # seconds before the first backfill of a connection
_AVERAGED = 30.0  # seconds over which the live rate is averaged
_NAP = 1.0  # longest wait, for the rate moves


class Meter:
    """Samples per second, as an exponential average."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._rate, self._at = now, 0.0, now()

    def add(self, samples: int) -> None:
        self._rate = self.rate() + samples / _AVERAGED
        self._at = self._now()

    def rate(self) -> float:
        return self._rate * math.exp((self._at - self._now()) / _AVERAGED)


class Limiter:
    """A bucket of samples. `rate`: `4x` the live rate (at least FLOOR), `5000/s`, or `unlimited`."""

    def __init__(self, rate: str, live: Callable[[], float], now: Callable[[], float] = time.monotonic) -> None:
        self._limit = _limit(rate, live)
        self._now, self._at = now, now()
        self._tokens = BURST * self._limit()

    def delay(self) -> float:
        """Seconds until the next batch may go; 0 for at once."""
        limit, now = self._limit(), self._now()
        if math.isinf(limit):
            return 0.0
        self._tokens = min(self._tokens + (now - self._at) * limit, BURST * limit)
        self._at = now
        return 0.0 if self._tokens > 0 else min(_NAP, (1 - self._tokens) / limit)

    def spend(self, samples: int) -> None:
        self._tokens -= samples


def _limit(rate: str, live: Callable[[], float]) -> Callable[[], float]:
    if rate == "unlimited":
        return lambda: math.inf
    if rate.endswith("/s"):
        absolute = float(rate.removesuffix("/s"))
        return lambda: absolute
    times = float(rate.removesuffix("x"))
    return lambda: max(FLOOR, times * live())


def longest_jitter(age: float) -> float:
    """Seconds that a gateway may wait before its backfill when the oldest frame owed is `age` seconds old.

    After an outage of a platform all gateways come back at once; a tenth of the outage spreads what they bring.
    """
    return max(0.0, min(LONGEST_JITTER, age / 10))
