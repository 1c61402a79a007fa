"""Carry a change out: send it, look at what the device says to it, and read back what stands there then."""

from collections.abc import Awaitable, Callable

from agent.model.errors import DeviceError, Garbled, Unreachable
from agent.model.frame import Value
from drivers.api import nothing
from drivers.modbus.asking import Ask, confirmed
from drivers.modbus.faults import ILLEGAL_FUNCTION, SaysNo
from drivers.modbus.link import Request
from drivers.modbus.writing import Change

Answers = Callable[[Request], Awaitable[bytes]]  # as Wire.read, with all that a device needs
LOST = "it is not known whether the device took it: read the tag"
_HINTS = {
    1: "the device does not take this kind of write",
    2: "the device does not have this register, or does not let it be written",
    3: "the device does not take this value",
}


async def carry_out(ask: Answers, endpoint: str, change: Change, leaving: Callable[[], None] = nothing) -> Value:
    """The value that was read back. Raises Refused when nothing was written; otherwise the error says what is known."""
    sent = Sent(leaving)
    for request in change.requests:
        request.leaving = sent
    for request in change.requests[:-1]:
        try:
            await _send(ask, endpoint, request, sent)
            break
        except SaysNo as error:
            if error.code != ILLEGAL_FUNCTION:
                raise
    else:
        await _send(ask, endpoint, change.requests[-1], sent, change.hint)
    try:
        return change.found(await ask(change.check))
    except DeviceError as error:
        raise Unreachable(f"written, but it cannot be read back: {error.message}", hint=error.hint) from error


class Sent:
    """Whether a change has left."""

    def __init__(self, leaving: Callable[[], None]) -> None:
        self._leaving, self.yes = leaving, False

    def __call__(self) -> None:
        self._leaving()
        self.yes = True


async def _send(ask: Answers, endpoint: str, request: Ask, sent: Sent, unknown: str = "") -> None:
    """`unknown`: the hint when the device does not have the function."""
    try:
        answer = await ask(request)
    except SaysNo as error:
        hint = _HINTS.get(error.code, error.hint)
        hint = unknown if unknown and error.code == ILLEGAL_FUNCTION else hint
        raise SaysNo(error.message, hint=hint, code=error.code) from error
    except (Unreachable, Garbled) as error:
        raise type(error)(error.message, hint=LOST if sent.yes else error.hint) from error
    confirmed(request, answer, endpoint)
