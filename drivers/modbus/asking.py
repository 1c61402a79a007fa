"""Requests beside those of a scan: single reads, writes, and the question who a device is.

Modbus Application Protocol 1.1b3, §6. `head` and `length` are what an answer must have, as in `link.Request`; an answer
to a write repeats what was asked, and `echo` is the whole of it. None of these is compiled at load: a person asks once.
"""

import struct
from collections.abc import Sequence

from pymodbus.pdu import ModbusPDU

from agent.model.errors import Garbled
from drivers.modbus.config import BIT_REGISTERS, Register
from drivers.modbus.link import Request
from drivers.modbus.plan import TABLES, Block

MOST_COILS, MOST_REGISTERS = 1968, 123  # that one write may hold
MOST_READ = {"coil": 2000, "discrete": 2000, "input": 125, "holding": 125}
IDENTIFY, DEVICE_ID = 43, 14  # encapsulated interface, read device identification
BASIC = 1  # vendor, product code, revision
_PLAIN = Block(TABLES["holding"], 0, 1, (), tuple, bridges=False, texts=False)


class Ask(Request):
    """A request that is made from its bytes. `once`: it must not be sent again when it is not known to have failed."""

    def __init__(self, unit: int, body: bytes, *, head: bytes, length: int, what: str, echo: bytes = b"") -> None:
        ModbusPDU.__init__(self, dev_id=unit)  # its own constructor wants a block of tags
        self.function_code = head[0]
        self.block = _PLAIN
        self.head, self.length, self.echo, self.what = head, length, echo, what
        self.once = bool(echo)
        self._body = body

    def __str__(self) -> str:
        return f"unit {self.dev_id}, {self.what}"


def look(unit: int, register: Register, address: int, count: int = 1) -> Ask:
    """Read `count` registers or coils."""
    if not (address >= 0 and 1 <= count <= MOST_READ[register] and address + count <= 65536):
        raise ValueError(f"{count} from {address} on cannot be read at once")
    table = TABLES[register]
    size = -(-count // 8) if register in BIT_REGISTERS else 2 * count
    body, head = struct.pack(">HH", address, count), bytes((table.function, size))
    return Ask(unit, body, head=head, length=2 + size, what=_named(register, address, count))


def set_coil(unit: int, address: int, on: bool) -> Ask:
    """Function 5."""
    return _echoed(unit, struct.pack(">BHH", 5, address, 0xFF00 if on else 0), _named("coil", address))


def set_register(unit: int, address: int, word: int) -> Ask:
    """Function 6."""
    return _echoed(unit, struct.pack(">BHH", 6, address, word), _named("holding", address))


def set_coils(unit: int, address: int, coils: Sequence[bool]) -> Ask:
    """Function 15."""
    _bound(len(coils), MOST_COILS, "coils")
    packed = sum(1 << at for at, on in enumerate(coils) if on).to_bytes(-(-len(coils) // 8), "little")
    return _several(unit, 15, address, len(coils), packed, _named("coil", address, len(coils)))


def set_registers(unit: int, address: int, words: Sequence[int]) -> Ask:
    """Function 16."""
    _bound(len(words), MOST_REGISTERS, "registers")
    packed = struct.pack(f">{len(words)}H", *words)
    return _several(unit, 16, address, len(words), packed, _named("holding", address, len(words)))


def mask_register(unit: int, address: int, keep: int, put: int) -> Ask:
    """Function 22: the device takes (old & keep) | (put & ~keep), so that nobody can come between."""
    return _echoed(unit, struct.pack(">BHHH", 22, address, keep, put), _named("holding", address))


def identify(unit: int, first: int = 0, code: int = BASIC) -> Ask:
    """Function 43/14 from object `first` on; the answer has no length that is known before."""
    body = bytes((DEVICE_ID, code, first))
    return Ask(unit, body, head=bytes((IDENTIFY, DEVICE_ID)), length=0, what="identification")


def confirmed(request: Ask, answer: bytes, endpoint: object) -> None:
    """The answer repeats the request. Raises Garbled."""
    if answer != request.echo:
        said, asked = answer.hex(" "), request.echo.hex(" ")
        raise Garbled(
            f"{endpoint}, {request}: the answer to the write is {said}, not {asked}",
            hint="it is not known what the device did: read the tag",
        )


def _bound(count: int, most: int, what: str) -> None:
    if not 1 <= count <= most:
        raise ValueError(f"{count} {what} cannot be written at once: 1 to {most}")


def _echoed(unit: int, pdu: bytes, what: str) -> Ask:
    return Ask(unit, pdu[1:], head=pdu[:2], length=len(pdu), what=f"write {what}", echo=pdu)


def _several(unit: int, function: int, address: int, count: int, data: bytes, what: str) -> Ask:
    echo = struct.pack(">BHH", function, address, count)
    body = echo[1:] + bytes((len(data),)) + data
    return Ask(unit, body, head=echo[:2], length=len(echo), what=f"write {what}", echo=echo)


def _named(register: Register, address: int, count: int = 1) -> str:
    return str(Block(TABLES[register], address, count, (), tuple, bridges=False, texts=False))
