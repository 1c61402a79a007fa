"""Stands between the socket and asyncua, which believes every length that a message claims.

It would wait for the 4 GB that a header announces, collect chunks without end, and read a text of minus four bytes
again and again. Here a chunk is cut off by its header before asyncua sees it, messages are counted and measured while
they arrive, and what is decoded can neither step back nor come from nothing. What breaks a rule ends the connection,
with its reason.
"""

import asyncio
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.crypto.security_policies import SecurityPolicy
from asyncua.crypto.uacrypto import InvalidSignature as WrongMac  # type: ignore[attr-defined]  # it is there
from asyncua.ua import ua_binary
from asyncua.ua.ua_binary import Primitives1, header_from_binary, struct_from_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

CHUNK = 65_535  # bytes: we tell the server to send no larger ones (part 6, 7.1.2.3)
CHUNKS = 1024  # of one message
MESSAGE = 4 << 20  # bytes of a message in a session, all its chunks together
OPENING = 512 << 10  # and before there is one: endpoints with their certificates
READS = 1_000_000  # fields that one message may have; each costs some hundred bytes of memory
GRACE = 60_000  # ms for which a message that is on its way when a channel is renewed may at least come
SMALLEST = 1024  # bytes: what a server must be able to receive at once, or it is none
MSG = cast(ua.MessageType, ua.MessageType.SecureMessage)
_HEAD = struct.Struct("<3scI")
_FIVE = struct.Struct("<5I")
_SECURE = frozenset({b"MSG", b"OPN", b"CLO"})
_KINDS = _SECURE | {b"ACK", b"ERR"}

# what asyncua raises over bytes that make no sense
UNDECODABLE = (
    UaError,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
    WrongMac,
    InvalidSignature,
    UnsupportedAlgorithm,
)


class Strict(Buffer):
    """Bytes to be decoded, and how often something may still be read from them."""

    def __init__(self, data: bytes, start_pos: int = 0, size: int = -1, left: list[int] | None = None) -> None:
        super().__init__(data, start_pos, size)
        self._left = [READS] if left is None else left

    def read(self, size: int) -> bytes:
        if size < 0 or size > self._size:
            raise NotEnoughData(f"{size} bytes announced, {self._size} there")
        self._left[0] -= 1
        if self._left[0] < 0:
            raise UaError("a message of too many parts")
        start = self._cur_pos
        self._cur_pos += size
        self._size -= size
        return self._data[start : self._cur_pos]

    def copy(self, size: int = -1) -> "Strict":
        return Strict(self._data, self._cur_pos, self._size if size < 0 else min(size, self._size), self._left)


class _Nothing:
    """An array of values that take no bytes could be of any length; asyncua's table of arrays does not know it."""

    def unpack_array(self, data: Buffer, length: int) -> tuple[None, ...]:
        if length > 0:
            raise UaError(f"{length} values of no type")
        return ()


def _as_it_came(flat: Sequence[object], dimensions: Sequence[int]) -> Sequence[object]:
    """An array of several dimensions stays one long one; asyncua would make lists within lists, as many as a few
    numbers say, and take minutes to multiply a hundred thousand of them."""
    del dimensions
    return flat


ua_binary._reshape = _as_it_came  # type: ignore[assignment]  # noqa: SLF001  # looked up by name
Primitives1.Null = _Nothing()  # type: ignore[attr-defined]  # looked up by name


class Message(ua.Message):
    """A message whose body is read strictly."""

    def body(self) -> Strict:
        return Strict(bytes(super().body()))  # type: ignore[no-untyped-call]  # asyncua's class has no types


class Connection(SecureConnection):
    """asyncua's secure channel, whose limits are ours, and which tells when a server gives up in mid-message."""

    def __init__(self, policy: SecurityPolicy) -> None:
        super().__init__(policy, TransportLimits(CHUNK, CHUNK, CHUNKS, MESSAGE))

    def acknowledged(self, receive: int) -> None:
        """The server takes chunks of at most so many bytes."""
        self._limits.max_send_buffer = min(receive, CHUNK)

    def revolve_tokens(self) -> None:
        """asyncua judges the token before by when the server says that it made it, and compares that with our clock: a
        PLC whose clock was never set lost each channel that it renewed. Keys have an age of their own, by no clock."""
        super().revolve_tokens()
        before = self.prev_security_token
        before.CreatedAt = datetime.now(UTC)
        before.RevisedLifetime = ua.UInt32(max(before.RevisedLifetime, GRACE))

    def _receive(self, msg: Any) -> Message | None:
        if msg.MessageHeader.ChunkType == ua.ChunkType.Abort:
            self._check_incoming_chunk(msg)
            self._drop_incoming_parts()
            raise Aborted(msg.SequenceHeader.RequestId, _code(msg.Body))
        found = super()._receive(msg)
        if found is None:
            return None
        return Message(found._chunks)  # type: ignore[no-untyped-call]  # noqa: SLF001  # no types, no other face


class Aborted(UaError):
    """The server has given up one answer; the channel goes on (part 6, 6.7.3)."""

    def __init__(self, request: int, code: int) -> None:
        super().__init__(f"answer {request} given up")
        self.request, self.code = request, code


class Protocol(UASocketProtocol):
    """asyncua's protocol with a way of its own for what arrives. `longest` bounds a message, in bytes."""

    def __init__(self, timeout: float, policy: SecurityPolicy) -> None:
        super().__init__(timeout, policy)
        self._wire = self._connection = Connection(policy)
        self._held = bytearray()
        self._why: Exception | None = None
        self._bytes = self._chunks = 0
        self.longest = OPENING

    async def hello(self, url: str) -> None:
        """Say what we take. asyncua's own asks for chunks of 2 GB, and servers take it at its word."""
        if self._why is not None or self.transport is None:
            raise self._why or ConnectionError("the connection is closed")
        answer: asyncio.Future[ua.Acknowledge] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = answer
        text = url.encode()
        body = _FIVE.pack(0, CHUNK, CHUNK, MESSAGE, CHUNKS) + len(text).to_bytes(4, "little") + text
        self.transport.write(_HEAD.pack(b"HEL", b"F", _HEAD.size + len(body)) + body)
        async with asyncio.timeout(self.timeout):
            await answer

    def data_received(self, data: bytes) -> None:
        if self._why is not None:
            return
        held = self._held
        held += data
        at = 0
        try:
            while size := self._whole(at):
                chunk = bytes(held[at : at + size])
                at += size
                self._take(chunk)
        except (UaStatusCodeError, ConnectionError) as error:
            self._end(error)
        except UNDECODABLE as error:
            self._end(error if isinstance(error, UaError) else UaError(f"{type(error).__name__} {error}".strip()))
        else:
            del held[:at]

    def _send_request(
        self, request: Any, timeout: float = 1, message_type: ua.MessageType = MSG
    ) -> "asyncio.Future[Any]":
        if self._why is not None:
            raise self._why
        return super()._send_request(request, timeout, message_type)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(self._why or exc or self._hung_up())

    def _hung_up(self) -> ConnectionError:
        """Many servers do so, without a reason or with one that cannot be read, when they do not know a client."""
        opening = isinstance(self._open_secure_channel_exchange, ua.OpenSecureChannelParameters)
        if opening and self._wire.security_policy.host_certificate:
            return ConnectionError("the server hung up when it saw our certificate: it must trust that first")
        return ConnectionError("the server hung up")

    def _whole(self, at: int) -> int:
        """The length of the chunk that begins there; 0 as long as it is not there in whole."""
        held = self._held
        if len(held) - at < _HEAD.size:
            if len(held) - at >= 3 and bytes(held[at : at + 3]) not in _KINDS:
                raise UaError("bytes that are no OPC UA")
            return 0
        kind, final, size = _HEAD.unpack_from(held, at)
        if kind not in _KINDS or final not in (b"F", b"C", b"A"):
            raise UaError("bytes that are no OPC UA")
        if not 12 <= size <= CHUNK:
            raise UaError(f"a chunk that says that it has {size:,} bytes")
        if self._bytes + size > self.longest:
            raise UaError(f"a message of more than {self.longest:,} bytes")
        return size if len(held) - at >= size else 0

    def _take(self, chunk: bytes) -> None:
        kind, final, size = _HEAD.unpack_from(chunk)
        if kind not in _SECURE:
            self._take_plain(kind, chunk)
            return
        self._bytes, self._chunks = self._bytes + size, self._chunks + 1
        if self._chunks > CHUNKS:
            raise UaError(f"a message of more than {CHUNKS} chunks")
        if final != b"C":
            self._bytes = self._chunks = 0
        buffer = Strict(chunk)
        try:
            message = self._wire.receive_from_header_and_body(header_from_binary(buffer), buffer)
        except Aborted as error:
            self._give_up(error)
            return
        if message is not None:
            if kind == b"OPN":
                self._opened(message)
            self._call_callback(message.request_id(), message.body())

    def _take_plain(self, kind: bytes, chunk: bytes) -> None:
        """An acknowledgement, or an error after which the server hangs up; neither is signed (part 6, 7.1.2)."""
        if kind == b"ERR":
            code = _code(chunk[8:])
            raise _bad(code) if code >> 31 else self._hung_up()
        if len(chunk) != 8 + _FIVE.size or 0 not in self._callbackmap:
            raise UaError("an acknowledgement that does not fit")
        answer = ua.Acknowledge(*_FIVE.unpack_from(chunk, 8))
        if answer.ReceiveBufferSize < SMALLEST:
            raise UaError(f"a server that takes {answer.ReceiveBufferSize} bytes at once")
        self._wire.acknowledged(answer.ReceiveBufferSize)
        self._call_callback(0, answer)

    def _opened(self, message: Message) -> None:
        asked = self._open_secure_channel_exchange
        if not isinstance(asked, ua.OpenSecureChannelParameters):
            raise UaError("a channel that was not asked for")
        self.check_answer(message.body(), "")
        response = struct_from_binary(ua.OpenSecureChannelResponse, message.body())
        response.ResponseHeader.ServiceResult.check()
        self._open_secure_channel_exchange = response
        self._wire.set_channel(response.Parameters, asked.RequestType, asked.ClientNonce)

    def _give_up(self, error: Aborted) -> None:
        future = self._callbackmap.pop(error.request, None)
        if future is not None and not future.done():
            future.set_exception(_bad(error.code))

    def _end(self, why: Exception) -> None:
        """No more of it: whoever waits gets the reason, at once."""
        self._why = why
        self._held = bytearray()
        self._wire._drop_incoming_parts()  # noqa: SLF001  # they may be megabytes
        self._fail_all_pending(why)
        if self.transport is not None:
            self.transport.abort()


class Wire(UaClient):
    """asyncua's services over a guarded protocol."""

    def __init__(self, timeout: float, policy: SecurityPolicy) -> None:
        super().__init__(timeout)
        self.set_security(policy)

    def _make_protocol(self) -> Protocol:
        protocol = Protocol(self._timeout, self.security_policy)
        protocol.on_connection_lost = self._on_transport_lost
        protocol.is_session_closing = self._is_session_closing
        self.protocol = protocol
        return protocol


def _bad(code: int) -> UaStatusCodeError:
    return UaStatusCodeError(code)  # type: ignore[no-untyped-call]  # asyncua's class has no types


def _code(body: bytes | Sequence[int]) -> int:
    """The status code with which the body of an error begins; what the server says beyond that is not repeated."""
    return int.from_bytes(bytes(body[:4]), "little")
