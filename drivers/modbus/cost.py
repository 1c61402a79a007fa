"""What one more request costs on a wire, against one more register in a request that is made anyway."""

from dataclasses import dataclass

from drivers.modbus.timing import REPLY, REQUEST, SILENT, Timing, timing
from drivers.transport import Endpoint

TURNAROUND = 0.01  # seconds that a device on a serial wire takes to answer, as long as nobody knows better
ROUND_TRIP = 0.004  # the same on a network, there and back
PER_REGISTER = 0.000_1  # seconds in which a device on a network collects one more register
_CONVERTERS = frozenset({"rtu+tcp", "ascii+tcp", "listen"})  # a serial wire behind a network, its speed unknown
_GUESS = Timing(10 / 9600, SILENT * 10 / 9600)


@dataclass(frozen=True, slots=True)
class Cost:
    """In nanoseconds: whole numbers, so that plans of equal cost are seen to be equal."""

    request: int
    register: int


NETWORK = Cost(round(ROUND_TRIP * 1e9), round(PER_REGISTER * 1e9))


def cost(endpoint: Endpoint, silence: float | None = None, pause: float = 0.0) -> Cost:
    """On the wire of `endpoint`; `silence` and `pause` in seconds as its line and device say."""
    wire = _GUESS if endpoint.scheme in _CONVERTERS else timing(endpoint, silence)
    if not wire.char:
        return Cost(NETWORK.request + round(pause * 1e9), NETWORK.register)
    request = (REQUEST + REPLY) * wire.char + 2 * wire.silence + TURNAROUND + pause
    return Cost(round(request * 1e9), round(2 * wire.char * 1e9))
