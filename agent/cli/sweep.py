"""Which settings and units a scan goes through, in which order, and how long that takes at most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from drivers.modbus.timing import timing
from drivers.transport import Endpoint, parse_endpoint

BAUDS = (9600, 19200, 115200, 38400, 4800, 2400, 57600)  # as often as they are met
PARITIES = ("N", "E", "O")
_FIRST = ((9600, "N"), (19200, "E"), (9600, "E"), (19200, "N"), (115200, "N"))  # what devices leave the factory with
SERIAL_UNITS = tuple(range(1, 33))
NETWORK_UNITS = (1, 255, 0, *range(2, 248))
SETTLE = 0.02  # seconds that a serial line is left alone after silence
FRAMES = 15  # bytes of a question and its answer


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every unit at every endpoint, the silent ones `tries` times; `timeout` in seconds for each."""

    endpoints: tuple[str, ...]
    units: tuple[int, ...]
    timeout: float
    tries: int = 1

    @property
    def places(self) -> int:
        return len(self.endpoints) * len(self.units)

    def longest(self, ports: dict[str, int]) -> float:
        """Seconds if nobody answers."""
        return sum(self._each(parse_endpoint(text, ports)) for text in self.endpoints)

    def _each(self, endpoint: Endpoint) -> float:
        serial = SETTLE if endpoint.serial else 0.0
        return self.tries * len(self.units) * (self.timeout + serial + FRAMES * timing(endpoint).char)


def settings(endpoint: Endpoint, bauds: Sequence[int], parities: Sequence[str]) -> Iterator[str]:
    """The endpoint with each baud and parity, the most usual ones first; what it says itself is not varied."""
    if endpoint.serial is None:
        yield str(endpoint)
        return
    base, _, query = str(endpoint).partition("?")
    said = dict(parse_qsl(query))
    speeds = bauds or ((endpoint.serial.baud,) if "baud" in said else BAUDS)
    kinds = parities or ((endpoint.serial.parity,) if "parity" in said else PARITIES)
    pairs = [(baud, parity) for parity in kinds for baud in speeds]
    usual = [pair for pair in _FIRST if pair in pairs]
    for baud, parity in dict.fromkeys([*usual, *pairs]):
        yield f"{base}?{urlencode({**said, 'baud': baud, 'parity': parity})}"


def lasting(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
