"""A small OPC UA server that does what a test tells it to, and publishes any number of values for next to nothing.

    python opcua_canned.py [--port N] [--values N]

It speaks the security policy None to any number of clients. Its nodes are `Value0` … in the namespace `NAMESPACE`; as a
program each holds a double that grows by one per interval. It says `ready PORT`, and ends when its input ends.
"""

import argparse
import asyncio
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

NAMESPACE = "urn:floorgate:canned"
EPOCH = 116_444_736_000_000_000  # 1970, in ticks of 100 ns since 1601
POLICY = "http://opcfoundation.org/UA/SecurityPolicy#None"
PIECE = 60_000  # bytes of a chunk
ITEM = "IBBdqq"  # handle, mask, type, value, source time, server time


def code(name: str) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(getattr(ua.StatusCodes, name)))


@dataclass(slots=True, eq=False)
class Subscription:
    number: int
    interval: float
    keep_alive: int
    items: dict[int, tuple[int, str]] = field(default_factory=dict)  # item id: client handle, node
    sequence: int = 0
    silent: bool = False
    due: float = 0.0
    beats: int = 0
    first: list[tuple[int, Any]] = field(default_factory=list)  # what new items hold, not yet told


@dataclass(slots=True, eq=False)
class Plant:
    """What the server is, and what it has been asked; a test changes it while it runs."""

    values: dict[str, Any] = field(default_factory=dict)  # node: what it holds
    namespaces: list[str] = field(default_factory=lambda: ["http://opcfoundation.org/UA/", "urn:me", NAMESPACE])
    refused: dict[str, str] = field(default_factory=dict)  # node: the status that it is refused with
    announced: tuple[int, int] = (0, 0)  # MaxNodesPerRead, MaxMonitoredItemsPerCall
    allowed: tuple[int, int] = (1 << 30, 1 << 30)  # what it really takes
    room: int = 1 << 30  # monitored items that it has room for
    clock: Callable[[], float] = time.time
    start: float = 0.0  # its StartTime
    maker: str = "Floorgate"
    filters: set[int] = field(default_factory=lambda: {0, 1})  # kinds of deadband that it takes
    registers: str = "Good"  # status of RegisterNodes
    lists: str = "BadMethodInvalid"  # status of GetMonitoredItems
    hidden: set[int] = field(default_factory=set)  # client handles that it does not list
    history: dict[str, list[tuple[float, Any]]] = field(default_factory=dict)  # node: (time, value)
    page: int = 1000  # values of a node per answer of HistoryRead
    asked: list[Any] = field(default_factory=list)  # requests, publish requests excepted
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    sessions: int = 0
    greet: Callable[[], None] = lambda: None  # called for each session
    moving: bool = False  # every monitored value grows by one per interval

    def requests(self, kind: type) -> list[Any]:
        return [each for each in self.asked if isinstance(each, kind)]

    def node(self, where: ua.NodeId) -> str:
        """The name of a node of ours that is there, also by the alias that RegisterNodes gave it."""
        name = str(where.Identifier).removeprefix("alias of ")
        known = where.NamespaceIndex < len(self.namespaces) and self.namespaces[where.NamespaceIndex] == NAMESPACE
        return name if known and name in self.values else ""


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, plant: Plant) -> None:
        self._plant, self._bytes, self._parts = plant, b"", b""
        self._sequence = 0
        self._mine: list[Subscription] = []
        self._waiting: list[tuple[int, int]] = []  # publish requests: request id, request handle
        self._told = 0
        self._session = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(0.01, self._tick)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._plant.sessions -= self._session
        for each in self._mine:
            self._plant.subscriptions.pop(each.number, None)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while len(self._bytes) >= 8:
            (size,) = struct.unpack_from("<I", self._bytes, 4)
            if len(self._bytes) < size:
                return
            chunk, self._bytes = self._bytes[:size], self._bytes[size:]
            self._chunk(chunk)

    def _chunk(self, chunk: bytes) -> None:
        kind, last = chunk[:3], chunk[3:4] == b"F"
        if kind == b"HEL":
            self._transport.write(b"ACKF" + struct.pack("<I5I", 28, 0, 65536, 65536, 0, 0))
        elif kind == b"OPN":
            body = Buffer(chunk[12:])
            struct_from_binary(ua.AsymmetricAlgorithmHeader, body)
            _, request_id = struct.unpack("<II", body.read(8))
            self._request(request_id, body)
        elif kind == b"CLO":
            self._transport.close()
        else:
            self._parts += chunk[24:]
            if last:
                parts, self._parts = self._parts, b""
                self._request(struct.unpack_from("<I", chunk, 20)[0], Buffer(parts))

    def _request(self, request_id: int, body: Buffer) -> None:
        kind = (
            ua.extension_objects_by_typeid.get(nodeid_from_binary(body.copy()))
            or _CLASSES[nodeid_from_binary(body.copy()).Identifier]
        )
        request = struct_from_binary(kind, body)
        handle = request.RequestHeader.RequestHandle
        if isinstance(request, ua.PublishRequest):
            self._waiting.append((request_id, handle))
            return
        self._plant.asked.append(request)
        answer = getattr(self, "_" + kind.__name__.removesuffix("Request").lower())(request)
        if isinstance(answer, ua.StatusCode):
            fault = ua.ServiceFault()
            fault.ResponseHeader.ServiceResult = answer
            answer = fault
        answer.ResponseHeader.RequestHandle = handle
        self._send(request_id, struct_to_binary(answer), b"OPN" if kind is ua.OpenSecureChannelRequest else b"MSG")

    def _send(self, request_id: int, body: bytes, kind: bytes = b"MSG") -> None:
        policy = struct_to_binary(ua.AsymmetricAlgorithmHeader(POLICY)) if kind == b"OPN" else struct.pack("<I", 1)
        for start in range(0, len(body), PIECE):
            self._sequence += 1
            piece = policy + struct.pack("<II", self._sequence, request_id) + body[start : start + PIECE]
            last = b"F" if start + PIECE >= len(body) else b"C"
            self._transport.write(kind + last + struct.pack("<II", len(piece) + 12, 1) + piece)

    def _opensecurechannel(self, request: ua.OpenSecureChannelRequest) -> ua.OpenSecureChannelResponse:
        answer = ua.OpenSecureChannelResponse()
        token = answer.Parameters.SecurityToken
        token.ChannelId = token.TokenId = ua.UInt32(1)
        token.RevisedLifetime = ua.UInt32(3_600_000)
        return answer

    def _createsession(self, request: ua.CreateSessionRequest) -> ua.CreateSessionResponse:
        answer = ua.CreateSessionResponse()
        answer.Parameters.SessionId = answer.Parameters.AuthenticationToken = ua.NodeId(ua.Int32(99), ua.Int16(1))
        answer.Parameters.RevisedSessionTimeout = request.Parameters.RequestedSessionTimeout
        where = ua.EndpointDescription()
        where.EndpointUrl = request.Parameters.EndpointUrl
        where.SecurityPolicyUri = POLICY
        where.SecurityMode = ua.MessageSecurityMode.None_
        where.UserIdentityTokens = [
            ua.UserTokenPolicy("anonymous", ua.UserTokenType.Anonymous, SecurityPolicyUri=POLICY)
        ]
        answer.Parameters.ServerEndpoints = [where]
        self._session = True
        self._plant.sessions += 1
        self._plant.greet()
        return answer

    def _activatesession(self, request: ua.ActivateSessionRequest) -> ua.ActivateSessionResponse:
        return ua.ActivateSessionResponse()

    def _closesession(self, request: ua.CloseSessionRequest) -> ua.CloseSessionResponse:
        return ua.CloseSessionResponse()

    def _read(self, request: ua.ReadRequest) -> Any:
        wanted = request.Parameters.NodesToRead
        if len(wanted) > self._plant.allowed[0]:
            return code("BadTooManyOperations")
        answer = ua.ReadResponse()
        answer.Results = [self._value(each) for each in wanted]
        return answer

    def _value(self, wanted: ua.ReadValueId) -> ua.DataValue:
        plant, number = self._plant, wanted.NodeId.Identifier
        if wanted.NodeId.NamespaceIndex == 0:
            now = plant.clock()
            moments = {
                2257: datetime.fromtimestamp(plant.start, UTC),
                2258: datetime.fromtimestamp(now, UTC),
                2255: list(plant.namespaces),
                11705: ua.Variant(plant.announced[0], ua.VariantType.UInt32),
                11714: ua.Variant(plant.announced[1], ua.VariantType.UInt32),
                2259: ua.Variant(0, ua.VariantType.Int32),
                2263: plant.maker,
            }
            if number not in moments:
                return ua.DataValue(StatusCode=code("BadNodeIdUnknown"))
            held = moments[number]  # type: ignore[index]  # looked up just now
            return ua.DataValue(held if isinstance(held, ua.Variant) else ua.Variant(held))
        name = plant.node(wanted.NodeId)
        if not name or name in plant.refused:
            return ua.DataValue(StatusCode=code(plant.refused.get(name, "BadNodeIdUnknown")))
        return ua.DataValue(ua.Variant(plant.values[name]), SourceTimestamp=datetime.fromtimestamp(plant.clock(), UTC))

    def _translatebrowsepathstonodeids(self, request: ua.TranslateBrowsePathsToNodeIdsRequest) -> ua.StatusCode:
        return code("BadServiceUnsupported")

    def _registernodes(self, request: ua.RegisterNodesRequest) -> Any:
        if self._plant.registers != "Good":
            return code(self._plant.registers)
        answer = ua.RegisterNodesResponse()
        answer.Parameters.RegisteredNodeIds = [
            ua.NodeId(ua.String(f"alias of {node.Identifier}"), node.NamespaceIndex)
            for node in request.Parameters.NodesToRegister
        ]
        return answer

    def _createsubscription(self, request: ua.CreateSubscriptionRequest) -> ua.CreateSubscriptionResponse:
        wanted = request.Parameters
        number = max(self._plant.subscriptions, default=0) + 1
        interval = wanted.RequestedPublishingInterval / 1000
        made = Subscription(number, interval, wanted.RequestedMaxKeepAliveCount, due=self._loop.time() + interval)
        self._plant.subscriptions[number] = made
        self._mine.append(made)
        answer = ua.CreateSubscriptionResponse()
        answer.Parameters.SubscriptionId = ua.UInt32(number)
        answer.Parameters.RevisedPublishingInterval = wanted.RequestedPublishingInterval
        answer.Parameters.RevisedMaxKeepAliveCount = wanted.RequestedMaxKeepAliveCount
        answer.Parameters.RevisedLifetimeCount = wanted.RequestedLifetimeCount
        return answer

    def _createmonitoreditems(self, request: ua.CreateMonitoredItemsRequest) -> Any:
        items = request.Parameters.ItemsToCreate
        if len(items) > self._plant.allowed[1]:
            return code("BadTooManyOperations")
        subscription = self._plant.subscriptions[request.Parameters.SubscriptionId]
        answer = ua.CreateMonitoredItemsResponse()
        answer.Results = [self._monitor(subscription, item) for item in items]
        return answer

    def _monitor(self, subscription: Subscription, item: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        name = self._plant.node(item.ItemToMonitor.NodeId)
        held = item.RequestedParameters.Filter
        if not name or name in self._plant.refused:
            return ua.MonitoredItemCreateResult(code(self._plant.refused.get(name, "BadNodeIdUnknown")))
        if getattr(held, "DeadbandType", 0) not in self._plant.filters:
            return ua.MonitoredItemCreateResult(code("BadMonitoredItemFilterUnsupported"))
        if sum(len(each.items) for each in self._plant.subscriptions.values()) >= self._plant.room:
            return ua.MonitoredItemCreateResult(code("BadTooManyMonitoredItems"))
        self._told += 1
        handle = int(item.RequestedParameters.ClientHandle)
        subscription.items[self._told] = handle, name
        subscription.first.append((handle, self._plant.values[name]))
        return ua.MonitoredItemCreateResult(code("Good"), ua.UInt32(self._told), RevisedQueueSize=ua.UInt32(1))

    def _deletemonitoreditems(self, request: ua.DeleteMonitoredItemsRequest) -> ua.DeleteMonitoredItemsResponse:
        subscription = self._plant.subscriptions[request.Parameters.SubscriptionId]
        answer = ua.DeleteMonitoredItemsResponse()
        answer.Results = [
            code("Good" if subscription.items.pop(each, None) else "BadMonitoredItemIdInvalid")
            for each in request.Parameters.MonitoredItemIds
        ]
        return answer

    def _call(self, request: ua.CallRequest) -> ua.CallResponse:
        """GetMonitoredItems, the one method that there is."""
        answer = ua.CallResponse()
        answer.Results = [self._listed(each) for each in request.Parameters.MethodsToCall]
        return answer

    def _listed(self, called: ua.CallMethodRequest) -> ua.CallMethodResult:
        if self._plant.lists != "Good":
            return ua.CallMethodResult(code(self._plant.lists))
        items = self._plant.subscriptions[called.InputArguments[0].Value].items.items()
        found = [(item, handle) for item, (handle, _) in items if handle not in self._plant.hidden]
        columns = ([item for item, _ in found], [handle for _, handle in found])
        told = [ua.Variant(column, ua.VariantType.UInt32, is_array=True) for column in columns]
        return ua.CallMethodResult(code("Good"), OutputArguments=told)

    def _historyread(self, request: ua.HistoryReadRequest) -> ua.HistoryReadResponse:
        answer = ua.HistoryReadResponse()
        answer.Results = [self._past(request, each) for each in request.Parameters.NodesToRead]
        return answer

    def _past(self, request: ua.HistoryReadRequest, wanted: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        name = self._plant.node(wanted.NodeId)
        if request.Parameters.ReleaseContinuationPoints:
            return ua.HistoryReadResult(code("BadContinuationPointInvalid"))
        if name not in self._plant.history:
            return ua.HistoryReadResult(code("BadHistoryOperationUnsupported"))
        asked = request.Parameters.HistoryReadDetails
        kept = [
            ua.DataValue(ua.Variant(value), SourceTimestamp=datetime.fromtimestamp(at, UTC))
            for at, value in self._plant.history[name]
            if asked.StartTime.timestamp() <= at <= asked.EndTime.timestamp()
        ]
        start = int(wanted.ContinuationPoint or b"0")
        end = start + min(self._plant.page, asked.NumValuesPerNode or self._plant.page)
        more = str(end).encode() if end < len(kept) else None
        return ua.HistoryReadResult(code("Good"), more, ua.HistoryData(kept[start:end]))

    def _tick(self) -> None:
        now = self._loop.time()
        for each in self._mine:
            if now >= each.due and not each.silent:
                each.due += each.interval
                self._beat(each)
        self._timer = self._loop.call_later(0.01, self._tick)

    def _beat(self, subscription: Subscription) -> None:
        subscription.beats += 1
        if subscription.first:
            first, subscription.first = subscription.first, []
            self._publish(subscription, first)
        elif self._plant.moving and subscription.items:
            handles = [(handle, self._grown(name)) for handle, name in subscription.items.values()]
            for start in range(0, len(handles), 5000):
                self._publish(subscription, handles[start : start + 5000])
        elif subscription.beats >= subscription.keep_alive:
            self._publish(subscription, [])

    def _grown(self, name: str) -> float:
        self._plant.values[name] += 1.0
        return float(self._plant.values[name])

    def tell(self, subscription: Subscription, items: Sequence[tuple[int, Any]]) -> None:
        self._publish(subscription, items)

    def _publish(self, subscription: Subscription, items: Sequence[tuple[int, Any]]) -> None:
        if not self._waiting:
            self._loop.call_later(0.01, self._publish, subscription, items)
            return
        request_id, handle = self._waiting.pop(0)
        subscription.beats = 0
        subscription.sequence += bool(items)
        ticks = int(self._plant.clock() * 1e7) + EPOCH
        head = struct.pack("<4BqIIBi3xIiBIqi", 1, 0, 0x3D, 3, ticks, handle, 0, 0, 0, subscription.number, 0, 0,
                           max(subscription.sequence, 1), ticks, bool(items))  # fmt: skip
        body = _changes(items, ticks) if items else b""
        tail = struct.pack("<ii", 0, 0)
        self._send(request_id, head + body + tail)


def _changes(items: Sequence[tuple[int, Any]], ticks: int) -> bytes:
    if all(isinstance(value, float) for _, value in items):
        flat = [part for handle, value in items for part in (handle, 0x0D, 11, value, ticks, ticks)]
        listed = struct.pack("<" + ITEM * len(items), *flat)
    else:
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        listed = b"".join(
            struct.pack("<I", handle)
            + struct_to_binary(
                value if isinstance(value, ua.DataValue) else ua.DataValue(ua.Variant(value), SourceTimestamp=moment)
            )
            for handle, value in items
        )
    told = struct.pack("<i", len(items)) + listed + struct.pack("<i", 0)
    return struct.pack("<4BBi", 1, 0, 0x2B, 3, 1, len(told)) + told


_SERVICES = (
    "OpenSecureChannel CreateSession ActivateSession CloseSession Read RegisterNodes TranslateBrowsePathsToNodeIds "
    "CreateSubscription CreateMonitoredItems DeleteMonitoredItems HistoryRead Publish Call"
)
_CLASSES = {
    getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"): getattr(ua, f"{name}Request")
    for name in _SERVICES.split()
}


async def main(arguments: argparse.Namespace) -> None:
    plant = Plant({f"Value{number}": float(number) for number in range(arguments.values)}, moving=True)
    plant.greet = lambda: print("connected", time.time(), flush=True)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(plant), "127.0.0.1", arguments.port)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    await ended.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--values", type=int, default=10)
    asyncio.run(main(parser.parse_args()))
