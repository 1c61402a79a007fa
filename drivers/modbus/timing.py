"""How long bytes take on a wire: what a request costs before it is sent."""

from dataclasses import dataclass

from drivers.transport import Endpoint

FAST = 19_200  # baud above which the silence between frames is fixed
FIXED = 0.001_75  # seconds (Modbus over Serial Line 1.02, §2.5.1.1)
SILENT = 3.5  # characters between two frames
REQUEST = 8  # bytes of a read request as RTU: unit, function, address, count, checksum
REPLY = 5  # bytes around the data of its answer: unit, function, byte count, checksum


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: `char` for one byte of a frame on the wire, `silence` between two frames. Both are 0 on a network."""

    char: float = 0.0
    silence: float = 0.0

    def request(self, size: int) -> float:
        """Seconds of the wire for reading `size` bytes, without the time that the device takes to answer."""
        return (REQUEST + REPLY + size) * self.char + 2 * self.silence


def timing(endpoint: Endpoint, silence: float | None = None) -> Timing:
    """What the endpoint's line settings say; `silence` in seconds where somebody knows better than 3.5 characters."""
    serial = endpoint.serial
    if serial is None:
        return Timing(0.0, silence or 0.0)
    bits = 1 + serial.data + (serial.parity != "N") + serial.stop
    char = bits / serial.baud
    byte = char * (2 if endpoint.ascii else 1)  # ASCII writes each byte as two characters
    if silence is None:
        silence = 0.0 if endpoint.ascii else FIXED if serial.baud > FAST else SILENT * char
    return Timing(byte, silence)
