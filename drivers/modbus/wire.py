"""One connection that the devices at an endpoint share: each answer is checked against its request.

Whatever does not fit ends the connection, so that the next request starts on a clean one. A late answer needs no such
care: its transaction number gives it away.
"""

import asyncio

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from drivers.modbus.link import Link, Reply, Request
from drivers.transport import Endpoint, reason

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
BEHIND_GATEWAY = frozenset({10, 11})  # the gateway answered, the device did not
SMALLEST_FRAME = 8  # bytes: header and function code
GAP_HINT = "the request bridges a hole between tags: try `max_gap: 0`"


class Wire:
    """The shared connection. It opens when told or when a read finds it broken, and closes with its last user."""

    def __init__(self, endpoint: Endpoint, timeout: float, name: str = "") -> None:
        self.endpoint = endpoint
        self.name = name or str(endpoint)
        self._timeout = timeout
        self._link: Link | None = None
        self._users: set[object] = set()
        self._lock = asyncio.Lock()
        self._answered = True  # since it was connected or since the last timeout
        self._quiet_since = 0.0

    async def open(self, user: object) -> None:
        """Connect if need be. Raises Unreachable within the timeout."""
        self._users.add(user)
        await self.ready(user)

    async def ready(self, user: object) -> None:
        """Return at once when the connection is good; a broken one is replaced, once. Raises Unreachable."""
        if user not in self._users:
            raise Unreachable(f"{self.endpoint}: closed", hint="open the device first")
        if self._link is not None and self._link.clean:
            return
        async with self._lock:
            if self._link is None or not self._link.clean:
                await self._connect()

    async def close(self, user: object) -> None:
        """Leave; the last one to leave closes the connection."""
        self._users.discard(user)
        if not self._users and self._link is not None:
            self._drop()
            await asyncio.sleep(0)  # the transport closes its socket in the next turn of the loop

    async def read(self, request: Request, pause: float = 0.0) -> bytes:
        """The whole answer, function code and byte count included. Raises Unreachable, Garbled or Refused.

        `pause` seconds of silence before the request are part of the deadline, and so is the one new connection that is
        made when a connection which had served before turns out to be closed.
        """
        async with self._lock:
            link = self._link
            if link is None or not link.clean:
                raise self._lost(request, link)
            until = link.loop.time() + self._timeout
            if pause:
                await self._silence(pause)
            try:
                return await self._exchange(link, request, until)
            except OSError as error:
                if request.once or not link.served:
                    raise self._cut(request, error) from error
            link = await self._connect(until)  # a device may close after each answer, and this request came too late
            try:
                return await self._exchange(link, request, until)
            except OSError as error:
                raise self._cut(request, error) from error

    async def _exchange(self, link: Link, request: Request, until: float) -> bytes:
        """Ask and check. Raises OSError when the connection is lost meanwhile."""
        try:
            reply = await link.ask(request, until - link.loop.time())
        except TimeoutError:
            raise self._unanswered(request, link) from None
        except Garbled as error:
            raise self._garbled(request, str(error)) from None
        finally:
            self._quiet_since = link.loop.time()
        if (
            reply.pdu[:2] != request.head
            or (request.length and len(reply.pdu) != request.length)
            or reply.dev_id != request.dev_id
            or reply.transaction_id != request.transaction_id
            or link.recv_buffer
        ):
            raise self._misfit(request, reply, link)
        self._answered = link.served = True
        return reply.pdu

    async def _connect(self, until: float = 0.0) -> Link:
        """A new connection, made before `until` (loop time), or within the timeout."""
        self._drop()
        left = until - asyncio.get_running_loop().time() if until else self._timeout
        link = Link(self.endpoint, max(left, 0.001))
        await link.dial()
        self._link, self._answered = link, True
        return link

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.hang_up()

    async def _silence(self, pause: float) -> None:
        """Wait until the wire has been silent for `pause` seconds."""
        left = self._quiet_since + pause - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _what(self, request: Request) -> str:
        return f"{self.endpoint}, {request}"

    def _lost(self, request: Request, link: Link | None) -> DeviceError:
        if link is not None and link.recv_buffer:
            return self._garbled(request, "bytes on the line that nobody asked for")
        self._drop()
        return Unreachable(f"{self._what(request)}: the connection was closed by the other side")

    def _cut(self, request: Request, error: OSError) -> Unreachable:
        self._drop()
        return Unreachable(f"{self._what(request)}: connection lost ({reason(error)})")

    def _garbled(self, request: Request, why: str) -> Garbled:
        self._drop()
        return Garbled(f"{self._what(request)}: {why}", hint="is this a Modbus TCP device, and is it well?")

    def _unanswered(self, request: Request, link: Link) -> DeviceError:
        """Tell silence, an answer in pieces, a late answer and a foreign answer apart."""
        no_answer = f"no answer in {self._timeout:g} s"
        if link.recv_buffer or 0 < len(link.heard) < SMALLEST_FRAME:
            return self._garbled(request, f"{no_answer}, only {len(link.recv_buffer)} bytes of one")
        if not link.heard:
            if not self._answered:
                self._drop()
            self._answered = False
            hint = f"is unit {request.dev_id} the right one, and the device on?"
            return Unreachable(f"{self._what(request)}: {no_answer}", hint=hint)
        transaction, unit = int.from_bytes(link.heard[:2], "big"), link.heard[6]
        if 0 < transaction < request.transaction_id:
            hint = "the device is slow: raise `timeout` of its line"
            return Unreachable(f"{self._what(request)}: {no_answer}, only a late one to an earlier request", hint=hint)
        return self._garbled(request, f"{no_answer}, only one of unit {unit}, transaction {transaction}")

    def _misfit(self, request: Request, reply: Reply, link: Link) -> DeviceError:
        pdu, function = reply.pdu, request.function_code
        if reply.dev_id != request.dev_id:
            return self._garbled(request, f"the answer is one of unit {reply.dev_id}")
        if reply.transaction_id != request.transaction_id:
            expected = request.transaction_id
            return self._garbled(request, f"the answer has transaction {reply.transaction_id}, not {expected}")
        if link.recv_buffer:
            return self._garbled(request, f"{len(link.recv_buffer)} bytes too many after the answer")
        if len(pdu) == 2 and pdu[0] == function | 0x80:
            return self._refused(request, pdu[1])
        if pdu[0] != function:
            return self._garbled(request, f"the answer has function {pdu[0]}, not {function}")
        return self._garbled(request, f"the answer holds {len(pdu) - 2} bytes of data, not {request.length - 2}")

    def _refused(self, request: Request, code: int) -> DeviceError:
        self._answered = True
        name, hint = EXCEPTIONS.get(code, (f"exception {code}", ""))
        kind = Unreachable if code in BEHIND_GATEWAY else Refused
        if code == 2 and request.block.bridges:
            hint = GAP_HINT
        return kind(f"{self._what(request)}: {name}", hint=hint)
