"""Requests beside those of a scan: single reads, writes, and the question who a device is.

Modbus Application Protocol 1.1b3, §6. None of these is compiled at load: a person asks once.
"""

import struct
from collections.abc import Sequence

from agent.model.errors import Garbled
from drivers.modbus.kinds import Register
from drivers.modbus.link import Request, plain_read
from drivers.modbus.plan import TABLES, Block
from drivers.modbus.tag import MOST_WRITTEN

MOST_COILS, MOST_REGISTERS = 1968, MOST_WRITTEN  # that one write may hold
MOST_READ = {"coil": 2000, "discrete": 2000, "input": 125, "holding": 125}
IDENTIFY, DEVICE_ID = 43, 14  # encapsulated interface, read device identification
BASIC = 1  # vendor, product code, revision


class Ask(Request):
    """A request to change something: `echo` is the whole answer. It is not sent again when it may have been taken."""

    once = True

    def __init__(self, unit: int, pdu: bytes, echo: bytes, register: Register, address: int, count: int = 1) -> None:
        super().__init__(unit, pdu[1:], echo[:2], len(echo), f"write {_named(register, address, count)}")
        self.address, self.count, self.echo = address, count, echo


def look(unit: int, register: Register, address: int, count: int = 1) -> Request:
    """Read `count` registers or coils. Raises ValueError."""
    if not (address >= 0 and 1 <= count <= MOST_READ[register] and address + count <= 65536):
        raise ValueError(f"{count} from {address} on cannot be read at once")
    return plain_read(unit, TABLES[register].function, address, count, _named(register, address, count))


def set_coil(unit: int, address: int, on: bool) -> Ask:
    """Function 5."""
    pdu = struct.pack(">BHH", 5, address, 0xFF00 if on else 0)
    return Ask(unit, pdu, pdu, "coil", address)


def set_register(unit: int, address: int, word: int) -> Ask:
    """Function 6."""
    pdu = struct.pack(">BHH", 6, address, word)
    return Ask(unit, pdu, pdu, "holding", address)


def set_coils(unit: int, address: int, coils: Sequence[bool]) -> Ask:
    """Function 15."""
    _bound(len(coils), MOST_COILS, "coils")
    packed = sum(1 << at for at, on in enumerate(coils) if on).to_bytes(-(-len(coils) // 8), "little")
    echo = struct.pack(">BHH", 15, address, len(coils))
    return Ask(unit, echo + bytes((len(packed),)) + packed, echo, "coil", address, len(coils))


def set_registers(unit: int, address: int, words: Sequence[int]) -> Ask:
    """Function 16."""
    _bound(len(words), MOST_REGISTERS, "registers")
    echo = struct.pack(">BHH", 16, address, len(words))
    packed = struct.pack(f">B{len(words)}H", 2 * len(words), *words)
    return Ask(unit, echo + packed, echo, "holding", address, len(words))


def mask_register(unit: int, address: int, keep: int, put: int) -> Ask:
    """Function 22: the device takes (old & keep) | (put & ~keep), so that nobody can come between."""
    pdu = struct.pack(">BHHH", 22, address, keep, put)
    return Ask(unit, pdu, pdu, "holding", address)


def identify(unit: int, first: int = 0, code: int = BASIC) -> Request:
    """Function 43/14 from object `first` on; the answer has no length that is known before."""
    made = Request(unit, bytes((DEVICE_ID, code, first)), bytes((IDENTIFY, DEVICE_ID)), 0, "identification")
    made.count = 1
    return made


def confirmed(request: Ask, answer: bytes, endpoint: str) -> None:
    """Raises Garbled for an answer that does not repeat the request."""
    if answer != request.echo:
        said, asked = answer.hex(" "), request.echo.hex(" ")
        raise Garbled(
            f"{endpoint}, {request}: the answer to the write is {said}, not {asked}",
            hint="it is not known what the device did: read the tag",
        )


def _bound(count: int, most: int, what: str) -> None:
    if not 1 <= count <= most:
        raise ValueError(f"{count} {what} cannot be written at once: 1 to {most}")


def _named(register: Register, address: int, count: int) -> str:
    table = TABLES[register]
    return str(Block(table, address, count, (), tuple))
