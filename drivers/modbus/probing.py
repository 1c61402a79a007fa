"""Read the registers around an address, as many of them as the device lets go."""

from collections.abc import Awaitable, Callable

from agent.model.errors import Refused
from drivers.modbus.asking import look
from drivers.modbus.kinds import Register
from drivers.modbus.link import Request
from drivers.modbus.overheard import cells
from drivers.modbus.plausible import OFFSETS, SPAN, WIDTHS, Windows, windows

LAST = 65535
Answers = Callable[[Request], Awaitable[bytes]]


async def around(ask: Answers, unit: int, register: Register, address: int) -> Windows:
    """The windows at, before and behind `address`. Raises Refused when there are none, Unreachable and Garbled.

    In one request where the device lets it; otherwise window by window, since many devices refuse half a value.
    """
    first, last = max(address - 1, 0), min(address + SPAN, LAST)
    try:
        words = await _words(ask, look(unit, register, first, last - first + 1))
    except Refused as refusal:
        return await _one_by_one(ask, unit, register, address, refusal)
    return windows(words, first - address)


async def _one_by_one(ask: Answers, unit: int, register: Register, address: int, refusal: Refused) -> Windows:
    found: dict[tuple[int, int], list[int | None]] = {}
    for offset in OFFSETS:
        for width in sorted(set(WIDTHS.values())):
            if not 0 <= address + offset <= LAST - width + 1:
                continue
            try:
                found[offset, width] = await _words(ask, look(unit, register, address + offset, width))
            except Refused as error:
                refusal = error
    if not found:
        raise refusal
    return {place: [word for word in words if word is not None] for place, words in found.items()}


async def _words(ask: Answers, request: Request) -> list[int | None]:
    return list(cells(request, await ask(request)))
