"""The registers behind the values: a wire that remembers what its answers held, for a person who wants to see them."""

from collections.abc import Iterator

from drivers.api import Raw
from drivers.modbus.config import BIT_REGISTERS, Tag
from drivers.modbus.link import Request
from drivers.modbus.plan import TABLES
from drivers.modbus.wire import Wire
from drivers.modbus.writing import place

HEAD = 2  # function code and byte count stand before the data
_BIT_FUNCTIONS = (1, 2)


class Overheard:
    """Stands in for a wire while one of its users reads once."""

    def __init__(self, wire: Wire, user: object) -> None:
        self._wire, self._user = wire, user
        self._cells: dict[tuple[int, int], int] = {}

    async def ready(self, user: object) -> None:
        await self._wire.ready(self._user)

    async def read(self, request: Request, pause: float = 0.0, timeout: float | None = None) -> bytes:
        answer = await self._wire.read(request, pause, timeout)
        for address, cell in enumerate(cells(request, answer), request.address):
            self._cells[request.function_code, address] = cell
        return answer

    def raw(self, tag: Tag) -> Raw:
        """What stood in the registers of a tag; those that were not read are dashes."""
        function, last = TABLES[tag.register].function, tag.address + tag.words - 1
        shown = "{}" if tag.register in BIT_REGISTERS else "{:04x}"
        found = [self._cells.get((function, address)) for address in range(tag.address, last + 1)]
        if not any(cell is not None for cell in found):
            return Raw(place(tag), "")
        return Raw(place(tag), " ".join("----" if cell is None else shown.format(cell) for cell in found))


def cells(request: Request, answer: bytes) -> Iterator[int]:
    """The registers, or coils as 0 and 1, in the answer to a read."""
    data = answer[HEAD:]
    if request.function_code in _BIT_FUNCTIONS:
        return (data[at // 8] >> at % 8 & 1 for at in range(request.count))
    return (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
