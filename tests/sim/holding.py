"""A Modbus device that keeps what is written to it, and counts that on its own side."""

from dataclasses import dataclass, field

from tests.sim.faulty_line import frame
from tests.sim.faulty_modbus import Act, answer


@dataclass
class Holding:
    """`tcp` and `rtu` are behaviours for `faulty_device` and `line_over_tcp`; `writes` has the PDU of each write."""

    registers: dict[int, int] = field(default_factory=dict)
    coils: dict[int, bool] = field(default_factory=dict)
    writes: list[bytes] = field(default_factory=list)
    reads: int = 0

    def tcp(self, adu: bytes) -> list[Act]:
        return [answer(adu, self.pdu(adu[7:]))]

    def rtu(self, request: bytes) -> list[Act]:
        return [frame(request[:1] + self.pdu(request[1:]))]

    def pdu(self, request: bytes) -> bytes:
        """The answer to functions 1, 3, 4, 5, 6, 15 and 16."""
        function, first, count = request[0], int.from_bytes(request[1:3], "big"), int.from_bytes(request[3:5], "big")
        if function in (3, 4):
            self.reads += 1
            words = (self.registers.get(first + at, 0).to_bytes(2, "big") for at in range(count))
            return bytes((function, 2 * count)) + b"".join(words)
        if function == 1:
            self.reads += 1
            bits = sum(self.coils.get(first + at, False) << at for at in range(count))
            size = -(-count // 8)
            return bytes((function, size)) + bits.to_bytes(size, "little")
        self.writes.append(request)
        if function == 5:
            self.coils[first] = bool(count)
        elif function == 6:
            self.registers[first] = count
        elif function == 16:
            for at in range(count):
                self.registers[first + at] = int.from_bytes(request[6 + 2 * at : 8 + 2 * at], "big")
        else:
            return bytes((function | 0x80, 1))
        return request[:5]
