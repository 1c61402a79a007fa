"""An Eastron SDM630 as unit 1 of a serial line: input registers with floats, and what it says of itself."""

from tests.sim import faulty_line as line
from tests.sim.pymodbus_server import registers

UNIT = 1
_WHO = (b"Eastron", b"SDM630", b"1.2")
_NO_FUNCTION, _NO_ADDRESS = 1, 2


def meter(request: bytes) -> list[line.Act]:
    """A behaviour for `faulty_line`: other units are silent."""
    if request[0] != UNIT:
        return []
    function = request[1]
    if function == 4:
        return _read(request)
    if function == 43 and request[2] == 14:
        objects = b"".join(bytes((number, len(said))) + said for number, said in enumerate(_WHO))
        return [line.rtu(UNIT, bytes((43, 14, request[3], 1, 0, 0, len(_WHO))) + objects)]
    return [line.rtu(UNIT, bytes((function | 0x80, _NO_FUNCTION)))]


def _read(request: bytes) -> list[line.Act]:
    first, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
    held = registers()
    if first + count > len(held):
        return [line.rtu(UNIT, bytes((0x84, _NO_ADDRESS)))]
    words = b"".join(word.to_bytes(2, "big") for word in held[first : first + count])
    return [line.rtu(UNIT, bytes((4, len(words))) + words)]
