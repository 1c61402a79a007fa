"""What is said about an answer that is none, and about one that says no."""

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from drivers.modbus.link import Link, Reply, Request
from drivers.modbus.stream import StreamLink

# Modbus Application Protocol 1.1b3, §7
EXCEPTIONS = {
    1: ("illegal function", "the device does not have this table: another `register`?"),
    2: ("illegal data address", "does the device have all of these registers?"),
    3: ("illegal data value", "the device takes fewer registers at once: lower `max_registers`"),
    4: ("device failure", "the device reports an internal fault"),
    5: ("acknowledge", "the device is working on it"),
    6: ("device busy", "the device asks to be read less often"),
    7: ("negative acknowledge", ""),
    8: ("memory parity error", "the device reports damaged memory"),
    10: ("gateway path unavailable", "the gateway has no way to this unit"),
    11: ("gateway target failed to respond", "is the device behind the gateway on, and its unit right?"),
}
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
BEHIND_GATEWAY = frozenset({10, 11})  # the gateway answered, the device did not
SMALLEST_FRAME = 8  # bytes of Modbus TCP: header and function code
GAP_HINT = (
    "the request bridges a hole between tags: which registers are refused is found out by itself, or `max_gap: 0`"
)
GARBLED_HINT = {
    True: "is this a Modbus TCP device, and is it well?",
    False: "are baud, parity and stop bits those of the device, the wires A and B not swapped, both ends terminated?",
}
_SHOWN = 16  # bytes


class SaysNo(Refused):
    """A Modbus exception; `code` is its number."""

    def __init__(self, message: str, *, hint: str = "", code: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.code = code


What = tuple[type[DeviceError], str, str]  # kind of error, why, hint


def refused(what: str, request: Request, code: int) -> DeviceError:
    name, hint = EXCEPTIONS.get(code, (f"exception {code}", ""))
    if code == ILLEGAL_ADDRESS and request.bridges:
        hint = GAP_HINT
    if code in BEHIND_GATEWAY:
        return Unreachable(f"{what}: {name}", hint=hint)
    return SaysNo(f"{what}: {name}", hint=hint, code=code)


def unlike(request: Request, reply: Reply, left: int) -> str:
    """How a reply differs from what was asked for; `left` bytes came after it."""
    pdu, function = reply.pdu, request.function_code
    if reply.dev_id != request.dev_id:
        return f"the answer is one of unit {reply.dev_id}"
    if reply.transaction_id != request.transaction_id:
        return f"the answer has transaction {reply.transaction_id}, not {request.transaction_id}"
    if left:
        return f"{left} bytes too many after the answer"
    if pdu[0] != function:
        return f"the answer has function {pdu[0]}, not {function}"
    return f"the answer holds {len(pdu) - 2} bytes of data, not {request.length - 2}"


def unlike_any(request: Request, link: Link) -> What:
    """What was heard in time although no answer was."""
    return _on_line(request, link) if isinstance(link, StreamLink) else _numbered(request, link)


def _numbered(request: Request, link: Link) -> What:
    if link.recv_buffer or len(link.heard) < SMALLEST_FRAME:
        return Garbled, f"only {len(link.recv_buffer)} bytes of one", ""
    transaction, unit = int.from_bytes(link.heard[:2], "big"), link.heard[6]
    if 0 < transaction < request.transaction_id:
        return Unreachable, "only a late one to an earlier request", "the device is slow: raise `timeout` of its line"
    return Garbled, f"only one of unit {unit}, transaction {transaction}", ""


def _on_line(request: Request, link: StreamLink) -> What:
    if link.echo and not link.echoed:
        return Garbled, "the request was not heard", "does the adapter hear what it sends? If not, remove `echo=on`"
    frames = list(link.framing.others(link.heard))
    own = [each for each in frames if each.unit == request.dev_id]
    if own and own[-1].pdu[0] & 0x7F == request.function_code:
        hint = "the device is slow: raise `timeout` of its line"
        return Unreachable, "only a late one to an earlier request, or one of another length", hint
    if frames:
        units = ", ".join(str(unit) for unit in sorted({each.unit for each in frames}))
        return Garbled, f"only frames of unit {units}", ""
    return Garbled, f"only {len(link.heard)} bytes that are none: {link.heard[:_SHOWN].hex(' ')}", ""
