"""Carry a change out: send it, look at what the device says to it, and read back what stands there then."""

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Value
from drivers.modbus.asking import Ask, confirmed
from drivers.modbus.wire import EXCEPTIONS, Wire
from drivers.modbus.writing import Change

LOST = "it is not known whether the device took it: read the tag"


async def carry_out(wire: Wire, user: object, change: Change, pause: float = 0.0) -> Value:
    """The value that was read back. Raises Refused when nothing was written; otherwise the error says what is known."""
    for request in change.requests[:-1]:
        try:
            await _send(wire, user, request, pause)
            break
        except Refused as error:
            if not unknown_function(error):
                raise
    else:
        await _last(wire, user, change, pause)
    try:
        await wire.ready(user)
        return change.found(await wire.read(change.check, pause))
    except DeviceError as error:
        raise Unreachable(f"written, but it cannot be read back: {error.message}", hint=error.hint) from error


async def _last(wire: Wire, user: object, change: Change, pause: float) -> None:
    try:
        await _send(wire, user, change.requests[-1], pause)
    except Refused as error:
        if change.hint and unknown_function(error):
            raise Refused(error.message, hint=change.hint) from error
        raise


async def _send(wire: Wire, user: object, request: Ask, pause: float) -> None:
    await wire.ready(user)
    try:
        answer = await wire.read(request, pause)
    except (Unreachable, Garbled) as error:
        raise type(error)(error.message, hint=LOST) from error
    confirmed(request, answer, wire.endpoint)


def unknown_function(error: Refused) -> bool:
    """Exception 1: the device does not have the function, so nothing has happened."""
    return error.message.endswith(EXCEPTIONS[1][0])
