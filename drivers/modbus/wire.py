"""One connection that the devices at an endpoint share: each answer is checked against its request.

Where answers have transaction numbers (Modbus TCP), whatever does not fit ends the connection, so that the next request
starts on a clean one, and a late answer gives itself away. On a serial line nothing does: there the wire waits for
silence before each request, and before one that a late answer could be mistaken for it asks another one first (see
`ghosts.py`).
"""

import asyncio
from functools import partial

from agent.model.errors import DeviceError, Garbled, Unreachable
from drivers.modbus.dial import Dial
from drivers.modbus.faults import GARBLED_HINT, refused, unlike, unlike_any
from drivers.modbus.ghosts import Ghosts
from drivers.modbus.link import Failed, Link, Reply, Request, plain_read
from drivers.modbus.stream import StreamLink
from drivers.modbus.timing import REPLY, REQUEST, Timing
from drivers.tapping import CONNECTED, FAILED, Tap
from drivers.transport import Endpoint, reason

SETTLE = 0.02  # seconds of silence after a request that was not answered: longer than an adapter holds bytes back
CALM = 10  # times the silence that is needed may pass until there is one, at least
LISTEN = 0.1  # seconds after the first answer of a unit in which it shows whether it says all things twice
_REFUSAL = 2  # bytes of the PDU of an exception
_FAILED = 0x80


class Wire:
    """The shared connection. It opens when told or when a read finds it broken, and closes with its last user."""

    def __init__(
        self,
        endpoint: Endpoint,
        timeout: float,
        dial: Dial,
        *,
        name: str = "",
        timing: Timing | None = None,
        connect_delay: float = 0.0,
    ) -> None:
        self.endpoint, self.name = endpoint, name or str(endpoint)
        self.timeout, self._dial, self._connect_delay = timeout, dial, connect_delay
        self._timing = timing or Timing()
        self._ghosts = Ghosts(timeout)
        self._link: Link | None = None
        self._users: set[object] = set()
        self._lock = asyncio.Lock()
        self.asked = 0  # requests, so far
        self._answered = True  # since it was connected or since the last timeout
        self._quiet_since = 0.0
        self._dirty = False  # the last request was not answered: something may still come
        self._met: set[int] = set()  # units that have answered, on a line without transaction numbers
        self._listen_until = 0.0
        self._tap: Tap | None = None

    def tap(self, tap: Tap | None) -> None:
        """Tell `tap` from now on what goes over this wire, on this connection and on those that follow."""
        self._tap = tap
        if self._link is not None:
            self._link.tap = partial(tap, self.name) if tap else None

    async def open(self, user: object) -> None:
        """Connect if need be. Raises Unreachable within the timeout."""
        self._users.add(user)
        await self.ready(user)

    async def ready(self, user: object) -> None:
        """Return at once when the connection is good; a broken one is replaced, once. Raises Unreachable."""
        if user not in self._users:
            raise self._closed()
        if self._link is not None and self._link.clean:
            return
        async with self._lock:
            if self._link is None or not self._link.clean:
                await self._connect()

    async def close(self, user: object) -> None:
        """Leave; the last one to leave closes the connection."""
        self._users.discard(user)
        if not self._users:
            self._drop()
            self._dial.close()
            await asyncio.sleep(0)  # the transport closes its socket in the next turn of the loop

    async def read(self, request: Request, pause: float = 0.0, timeout: float | None = None) -> bytes:
        """The whole answer, function code included. Raises Unreachable, Garbled or Refused.

        `pause` seconds of silence before the request are part of the deadline, and so is the one new connection that is
        made when a neighbour spoilt the old one, or when one which had served before turns out to be closed. On a
        serial line the time that the frames take comes on top of it.
        """
        await self._lock.acquire()  # `async with` would be two coroutines more
        asked: Link | None = None
        try:
            patience = timeout or self.timeout
            link = self._link
            loop = asyncio.get_running_loop() if link is None else link.loop  # which costs no system call
            until = loop.time() + patience
            if link is None or not link.clean:  # a neighbour spoilt it while this request waited for its turn
                if not self._users:
                    raise self._closed()
                link = await self._connect(until)
            ask = self._ask if link.numbered else self._ask_safely
            if pause or not link.numbered:
                await self._settle(link, request, pause, until)
                request.patience = until - loop.time()
            asked = link
            try:
                return self._checked(link, request, await ask(link, request, until, patience))
            except OSError as error:
                if request.once or not link.served or not self._users:
                    raise self._cut(request, error) from error
            # A device may close after each answer, and this request came too late
            asked = link = await self._connect(until)
            try:
                return self._checked(link, request, await ask(link, request, until, patience))
            except OSError as error:
                raise self._cut(request, error) from error
        except DeviceError as error:
            self._note(request, asked, error)
            raise
        finally:
            self._lock.release()

    async def _ask_safely(self, link: Link, request: Request, until: float, patience: float) -> Reply:
        """On a line without transaction numbers: not before no late answer can be taken for this one."""
        assert isinstance(link, StreamLink)
        unit, now = request.dev_id, link.loop.time
        if self._ghosts.like(unit, _looks(request), now()):
            await self._fence(link, request, patience)
        request.patience = patience + self._on_wire(request)
        return await self._ask(link, request, now() + request.patience, patience)

    async def _fence(self, link: StreamLink, request: Request, patience: float) -> None:
        """Ask the unit for something else: its answer says that nothing is late any more. Raises Unreachable or
        Garbled."""
        unit, address, count = request.dev_id, request.address, request.count
        until = link.loop.time() + patience
        now = link.loop.time()
        for function, fewer in self._ghosts.fences(unit, request.function_code, count, now, strict=request.strict):
            what = f"a question before {request.what}, to be sure that no late answer is taken for its own"
            fence = plain_read(unit, function, address, fewer, what)
            clear = self._ghosts.refusal_is_clear(unit, function)
            reply = await self._ask(link, fence, until + self._on_wire(fence), patience)
            if fence.fits(reply.pdu) or clear:
                self._ghosts.answered(unit, _looks(fence), link.loop.time())
                await self._settle(link, request, 0.0, link.loop.time() + patience)
                return
        said = f"{self._what(request)}: waits until no late answer can be taken for its own"
        raise Unreachable(said, hint="it goes on by itself; if answers are often late, raise `timeout` of the line")

    def _checked(self, link: Link, request: Request, reply: Reply) -> bytes:
        """The PDU of the answer. Raises Garbled, Refused or Unreachable for what is none."""
        numbered = link.numbered and (reply.transaction_id != request.transaction_id or link.recv_buffer)
        if reply.dev_id != request.dev_id or numbered or not request.fits(reply.pdu):
            if not link.numbered:
                self._ghosts.refused(request.dev_id, _looks(request), link.loop.time())
            raise self._misfit(request, reply, link)
        self._answered = link.served = True
        request.last = reply, self._quiet_since, link.until
        if not link.numbered:
            self._ghosts.answered(request.dev_id, _looks(request), link.loop.time())
            if request.dev_id not in self._met:
                self._met.add(request.dev_id)
                self._listen_until = link.loop.time() + LISTEN
        return reply.pdu

    async def _ask(self, link: Link, request: Request, until: float, patience: float) -> Reply:
        """Raises OSError when the connection is lost meanwhile."""
        answered = False
        self.asked += 1
        if isinstance(link, StreamLink):
            self._overhear(link, link.heard)
        if request.leaving is not None:
            request.leaving()
        try:
            reply = await link.ask(request, until)
            answered = True
        except TimeoutError:
            raise self._unanswered(request, link, patience) from None
        except Garbled as error:
            raise self._garbled(request, str(error)) from None
        finally:
            self._quiet_since, self._dirty = link.loop.time(), not answered
            if not link.numbered and not answered:
                self._ghosts.note(request.dev_id, _looks(request), self._quiet_since)
        if isinstance(link, StreamLink):
            self._overhear(link, link.passed)
        return reply

    def _overhear(self, link: StreamLink, heard: bytes) -> None:
        """What stands beside the answers is late, or said for the second time."""
        for each in link.framing.others(heard) if heard else ():
            self._ghosts.overheard(each.unit, (each.pdu[0], len(each.pdu)), link.loop.time())

    async def _connect(self, until: float = 0.0) -> Link:
        """A new connection, made before `until` (loop time), or within the timeout."""
        self._drop()
        loop = asyncio.get_running_loop()
        left = until - loop.time() if until else self.timeout
        try:
            link = await self._dial(max(left, 0.001))
        except Unreachable as error:
            self._tell(FAILED, error.message)
            raise
        try:
            await asyncio.sleep(self._connect_delay)
        except asyncio.CancelledError:
            link.hang_up()
            raise
        if not self._users:  # the last one left meanwhile
            link.hang_up()
            raise self._closed()
        self._link, self._answered = link, True
        if self._tap is not None:
            link.tap = partial(self._tap, self.name)
            self._tell(CONNECTED, "")
        return link

    def _tell(self, what: str, text: str) -> None:
        if self._tap is not None:
            self._tap(self.name, what, text.encode())

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.hang_up()

    async def _settle(self, link: Link, request: Request, pause: float, until: float) -> None:
        """Wait as long as the device and the line need between two frames. Raises Garbled when there is no silence."""
        if not isinstance(link, StreamLink):
            if pause and (left := self._quiet_since + pause - link.loop.time()) > 0:
                await asyncio.sleep(left)
            return
        if (left := self._listen_until - link.loop.time()) > 0:
            await asyncio.sleep(left)
        quiet = max(pause, self._timing.silence, SETTLE if self._dirty else 0.0)
        quiet += link.grain if quiet else 0.0
        until = max(until, link.loop.time() + CALM * quiet)
        while (left := max(self._quiet_since, link.last) + quiet - link.loop.time()) > 0:
            if link.loop.time() + left > until:
                raise self._garbled(request, f"the line was not silent for {quiet:g} s")
            await asyncio.sleep(left)

    def _on_wire(self, request: Request) -> float:
        """Seconds that the frames of a request take on a serial line."""
        return (REQUEST + REPLY + len(request.encode()) + (request.length or 256)) * self._timing.char

    def _note(self, request: Request, asked: Link | None, error: DeviceError) -> None:
        """What became of a request that failed; without a link it was not sent."""
        now = asyncio.get_running_loop().time()
        sent, came, until = (b"", b"", now) if asked is None else (asked.asked(request), asked.came, asked.until)
        request.last = Failed(sent, came, now, until, error.message, error.hint)

    def _what(self, request: Request) -> str:
        return f"{self.endpoint}, {request}"

    def _closed(self) -> Unreachable:
        return Unreachable(f"{self.endpoint}: closed", hint="open the device first")

    def _cut(self, request: Request, error: OSError) -> Unreachable:
        self._drop()
        return Unreachable(f"{self._what(request)}: connection lost ({reason(error)})")

    def _garbled(self, request: Request, why: str, hint: str = "") -> Garbled:
        """A connection with transaction numbers starts anew; a line of which a frame was spoilt goes on after a
        silence."""
        link = self._link
        if link is None or link.numbered:
            self._drop()
        return Garbled(f"{self._what(request)}: {why}", hint=hint or GARBLED_HINT[link is None or link.numbered])

    def _unanswered(self, request: Request, link: Link, patience: float) -> DeviceError:
        """Tell silence, an answer in pieces, a late answer and a foreign answer apart."""
        no_answer = f"no answer in {patience:g} s"
        if link.is_stuck:
            self._drop()
            what = f"{self._what(request)}: the request could not be sent in {patience:g} s"
            return Unreachable(what, hint="nothing is taken at the other end: is it, or the adapter, hung up?")
        if link.heard:
            found = unlike_any(request, link)
            kind, why, hint = found
            if kind is Unreachable:
                return Unreachable(f"{self._what(request)}: {no_answer}, {why}", hint=hint)
            return self._garbled(request, f"{no_answer}, {why}", hint)
        if not self._answered and self.endpoint.serial is None:
            self._drop()
        self._answered = False
        if isinstance(link, StreamLink) and link.echoed:
            no_answer += ", only the echo of the request"
        hint = f"is unit {request.dev_id} the right one, and the device on?"
        if not link.numbered:
            hint = f"is unit {request.dev_id} the right one, the device on, and set like the endpoint says?"
        return Unreachable(f"{self._what(request)}: {no_answer}", hint=hint)

    def _misfit(self, request: Request, reply: Reply, link: Link) -> DeviceError:
        says_no = len(reply.pdu) == _REFUSAL and reply.pdu[0] == request.function_code | _FAILED
        if says_no and reply.dev_id == request.dev_id and (not link.numbered or self._is_clean(request, reply, link)):
            self._answered = True
            return refused(self._what(request), request, reply.pdu[1])
        return self._garbled(request, unlike(request, reply, len(link.recv_buffer)))

    @staticmethod
    def _is_clean(request: Request, reply: Reply, link: Link) -> bool:
        return reply.transaction_id == request.transaction_id and not link.recv_buffer


def _looks(request: Request) -> tuple[int, int]:
    return request.function_code, request.length
