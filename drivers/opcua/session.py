"""One session with one server: asyncua's services with a life of our own, its errors as ours, its answers checked."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from asyncua import ua
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509

from agent.model.errors import DeviceError, Garbled, Unreachable
from drivers.opcua import notify
from drivers.opcua.access import OPEN, Access, Papers
from drivers.opcua.binary import ticks
from drivers.opcua.channel import Channel, Left
from drivers.opcua.guard import UNDECODABLE, Strict
from drivers.opcua.limits import limits
from drivers.opcua.nodes import NodeAddress, spellings
from drivers.opcua.profiles import PROFILES, Service, recognise
from drivers.opcua.refusal import ServiceRefused, lost, refusal
from drivers.opcua.security import ANONYMOUS, choose, compare, listed_here, prove

_LOGGER = logging.getLogger("asyncua")
if _LOGGER.level == logging.NOTSET:
    _LOGGER.setLevel(logging.CRITICAL + 1)  # it logs each failure that it also raises; the supervisor logs outages

GOODBYE = 0.2  # seconds that a server gets for the goodbye when it has just failed to answer
SESSION = 60.0  # seconds without a request after which a server may forget the session of a gateway that died
SHORTEST = 10.0  # seconds, whatever a server says: it is no reason to connect all the time
_ABOUT: dict[str, int] = {  # what a session learns of its server first
    "namespaces": ObjectIds.Server_NamespaceArray,
    "read": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    "monitor": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "register": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRegisterNodes,
    "translate": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
    "history": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
    "maker": ObjectIds.Server_ServerStatus_BuildInfo_ManufacturerName,
    "product": ObjectIds.Server_ServerStatus_BuildInfo_ProductName,
}
_STATUS = (ObjectIds.Server_ServerStatus_CurrentTime, ObjectIds.Server_ServerStatus_StartTime)

_KINDS = {
    "i": ua.NodeIdType.Numeric,
    "s": ua.NodeIdType.String,
    "g": ua.NodeIdType.Guid,
    "b": ua.NodeIdType.ByteString,
}
APPLICATION = "urn:floorgate:gateway"  # who we are where there is no certificate to say it


class Response(Protocol):
    ResponseHeader: ua.ResponseHeader


Done = Callable[[notify.Message | DeviceError], None]
R = TypeVar("R", bound=Response)
T = TypeVar("T")


class Session:
    """Made for one connection and thrown away after it: `open`, any number of requests, `close`.

    Every request ends within `timeout` seconds, `publish` excepted. All raise Unreachable (the session is lost),
    Garbled (lost too) or Refused (it goes on).
    """

    def __init__(
        self,
        endpoint: str,
        device: str,
        timeout: float,
        idle: float = SESSION,
        access: Access = OPEN,
        *,
        profile: str = "auto",
        before: Left | None = None,
    ) -> None:
        self.endpoint, self.timeout = endpoint, timeout
        self.profile = PROFILES.get(profile, PROFILES["careful"])
        self.limits = limits(self.profile, {})
        self._guess = profile == "auto"
        self._namespaces: dict[str, int] = {}
        self._name, self._access = f"Floorgate {device}", access
        self._channel = Channel(endpoint, timeout)
        self._patience = max(SESSION, min(idle, 3600.0))
        self.certificates: dict[str, x509.Certificate] = {}  # those that this session lives on: our, the server's
        self.tended: Callable[[], None] = _nothing
        self.left: Left | None = None  # this session, as long as the server may have it
        self.skew: float | None = None  # of the server's clock, as far as it said so before the session
        self._before = before
        self.asked = 0  # requests whose answers are waited for, so far
        self._lost = self._learnt = False
        self._used = self._renew_at = 0.0

    @property
    def alive(self) -> bool:
        """Whether requests can still be made; a silent server is found out by asking."""
        protocol = self._channel.protocol
        return not self._lost and protocol is not None and not protocol.is_closed

    @property
    def read_limit(self) -> int:
        return self.limits.of("read")

    @property
    def expired(self) -> bool:
        """Whether so long nothing was asked that the server may have forgotten the session."""
        return time.monotonic() - self._used > self._patience / 2

    async def open(self) -> None:
        """Connect, and learn the server's namespaces and limits."""
        done = False
        try:
            with self._mapped("connecting", UNDECODABLE):
                await self._connect()
            await self.learn()
            done = True
        finally:
            if not done:
                await self.close()

    async def close(self) -> None:
        """Say goodbye as far as the server listens, then let go of the wire; never raises for a dead server."""
        alive = self.alive
        self._lost = True
        if await self._channel.close(self.timeout if alive else GOODBYE) and alive:
            self.left = None

    def resolve(self, node: NodeAddress) -> ua.NodeId | None:
        """The node id in this session, or None when the server does not know its namespace."""
        index: Any = self.index(node.namespace)
        identifier: Any = node.identifier
        return None if index is None else ua.NodeId(identifier, index, _KINDS[node.kind])

    def index(self, namespace: int | str) -> int | None:
        """The index of a namespace in this session, or None when the server does not know it."""
        if isinstance(namespace, int):
            return namespace
        return next((self._namespaces[uri] for uri in spellings(namespace) if uri in self._namespaces), None)

    def read_request(self, nodes: Sequence[ua.NodeId]) -> ua.ReadRequest:
        """A request for the values of these nodes, to be used any number of times."""
        request = ua.ReadRequest()
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value) for node in nodes]
        return request

    async def read(self, request: ua.ReadRequest) -> list[ua.DataValue]:
        response = await self.call(request, ua.ReadResponse)
        return self._each(response.Results, request.Parameters.NodesToRead)

    async def learn(self) -> None:
        """Ask the server for its namespaces, its limits and its name."""
        self._learn(dict(zip(_ABOUT, await self._values(_ABOUT.values()), strict=True)))

    def _learn(self, found: Mapping[str, object]) -> None:
        names = found["namespaces"]
        self._namespaces = {uri: index for index, uri in enumerate(names if isinstance(names, list) else ())}
        if self._guess:
            self.profile = recognise(found.get("maker"), found.get("product"))
        services: tuple[Service, ...] = ("read", "monitor", "register", "translate", "history")
        learnt = self.limits.sizes if self._learnt else {}
        self.limits = limits(self.profile, {each: found.get(each) for each in services})
        for service, size in learnt.items():
            self.limits.sizes[service] = min(size, self.limits.of(service))
        self._learnt = True

    async def status(self) -> tuple[int, int]:
        """The server's time and when it started, in ticks (100 ns since 1601); 0 where it does not say."""
        times = await self._values(_STATUS)
        return tuple(map(ticks, times))  # type: ignore[return-value]  # two were asked for

    async def _values(self, numbers: Iterable[int]) -> list[object]:
        """The values of nodes of the standard; None for one that the server does not have."""
        nodes = [ua.NodeId(ua.Int32(number)) for number in numbers]
        try:
            batch = await self.fetch(self.read_request(nodes))
        except ServiceRefused as error:
            if not self.limits.learn("read", error.code, len(nodes)):
                raise
            half = len(nodes) // 2
            numbers = list(numbers)
            return [*await self._values(numbers[:half]), *await self._values(numbers[half:])]
        return [batch.good(place) for place in range(len(batch))]

    async def fetch(self, request: ua.ReadRequest) -> notify.Batch:
        """As `read`, in columns: many times faster, and a structure stays bytes."""
        body = await self._ask(request)
        with self._mapped("Read", UNDECODABLE):
            kind, code, at = notify.service(body)
            ua.StatusCode(ua.UInt32(code)).check()
            batch = notify.values(body, at) if kind == notify.READ else notify.Batch()
        self._each(batch.values, request.Parameters.NodesToRead)
        return batch

    async def subscribe(self, interval: float, keep_alive: float, most: int = 5000) -> ua.CreateSubscriptionResult:
        """One that publishes each `interval` seconds and at least every `keep_alive`, so many values in a message."""
        beats = max(1, round(keep_alive / interval))
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        wanted.RequestedPublishingInterval = interval * 1000
        wanted.RequestedMaxKeepAliveCount = beats
        wanted.RequestedLifetimeCount = max(3 * beats, round(SESSION / interval))
        wanted.MaxNotificationsPerPublish = ua.UInt32(most)
        wanted.PublishingEnabled = True
        return cast(ua.CreateSubscriptionResult, (await self.call(request, ua.CreateSubscriptionResponse)).Parameters)

    async def monitor(
        self, subscription: int, items: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = list(items)
        response = await self.call(request, ua.CreateMonitoredItemsResponse)
        return self._each(response.Results, items)

    async def forget(self, subscription: int, items: Sequence[int]) -> None:
        """Delete monitored items; those that the server does not know any more are none."""
        request = ua.DeleteMonitoredItemsRequest()
        request.Parameters.SubscriptionId = ua.UInt32(subscription)
        request.Parameters.MonitoredItemIds = [ua.UInt32(item) for item in items]
        await self.call(request, ua.DeleteMonitoredItemsResponse)

    async def register(self, nodes: Sequence[ua.NodeId]) -> list[ua.NodeId]:
        """Node ids that the server finds faster, for this session."""
        request = ua.RegisterNodesRequest()
        request.Parameters.NodesToRegister = list(nodes)
        response = await self.call(request, ua.RegisterNodesResponse)
        return self._each(response.Parameters.RegisteredNodeIds, nodes)

    async def history(
        self, nodes: Sequence[tuple[ua.NodeId, bytes | None]], start: datetime, end: datetime, most: int
    ) -> list[notify.Past]:
        """What the server kept of each node (with its continuation point) in this time, at most so many values each."""
        request = ua.HistoryReadRequest()
        wanted = request.Parameters
        wanted.HistoryReadDetails = ua.ReadRawModifiedDetails(
            IsReadModified=False, StartTime=start, EndTime=end, NumValuesPerNode=ua.UInt32(most), ReturnBounds=False
        )
        wanted.TimestampsToReturn = ua.TimestampsToReturn.Both
        wanted.ReleaseContinuationPoints = False
        wanted.NodesToRead = [
            ua.HistoryReadValueId(NodeId=node, ContinuationPoint=point and ua.ByteString(point))
            for node, point in nodes
        ]
        body = await self._ask(request)
        with self._mapped("HistoryRead", UNDECODABLE):
            kind, code, at = notify.service(body)
            ua.StatusCode(ua.UInt32(code)).check()
            found = notify.past(body, at) if kind == notify.HISTORY else []
        return self._each(found, nodes)

    def publish(self, acknowledge: Sequence[ua.SubscriptionAcknowledgement], done: Done) -> None:
        """Ask for the next message of any subscription; `done` gets it when it comes, so there is no deadline here."""
        protocol = self._wire()
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = list(acknowledge)
        self._used = time.monotonic()
        with self._mapped("Publish"):
            # its public wrapper is a coroutine: one that is given up takes the message with it, a future does not
            answer = protocol._send_request(request, timeout=0)  # noqa: SLF001
        answer.add_done_callback(lambda future: self._published(future, done))

    async def tend(self) -> None:
        """Renew the channel when three quarters of its life are over (part 4, 5.5.2)."""
        self.tended()
        if time.monotonic() >= self._renew_at:
            self._note_channel()  # first, so that nobody else renews it too
            with self._mapped("renewing the channel", UNDECODABLE):
                await self._channel.renew()
            self._note_channel()

    @property
    def namespaces(self) -> dict[str, int]:
        """The server's namespaces: index by URI."""
        return self._namespaces

    async def _connect(self) -> None:
        """With security, what the server offers is asked first, over a connection of its own."""
        listed: list[ua.EndpointDescription] = []
        papers: Papers | None = None
        if self._access.secured:
            listed = await self._discover()
            chosen = choose(self.endpoint, listed, self._access.security, self._access.mode)
            papers = await asyncio.to_thread(self._access.papers, self.endpoint, chosen)
            self.certificates = {"our": papers.own.certificate, "the server's": papers.server}
            self._channel = Channel(self.endpoint, self.timeout, papers.policy(chosen, self._access.mode))
        channel = self._channel
        await channel.open()
        self._note_channel()
        login = papers.login if papers else ANONYMOUS
        if self._before is not None:
            await channel.bury(self._before, login)
        made = await channel.create(self._name, papers.own.uri if papers else APPLICATION, self._patience)
        self._patience = max(SHORTEST, made.RevisedSessionTimeout / 1000)
        here = listed_here(self.endpoint, made.ServerEndpoints, channel.policy)
        if papers is not None:
            compare(self.endpoint, listed, made.ServerEndpoints, chosen)
        self.left = channel.left(here)
        await channel.activate(*prove(self.endpoint, login, here, channel.policy, channel.nonce))
        self.left = channel.left(here)

    async def _discover(self) -> list[ua.EndpointDescription]:
        try:
            await self._channel.open()
            return await self._channel.endpoints()
        finally:
            self.skew = self._channel.skew
            await self._channel.close(GOODBYE)

    def _note_channel(self) -> None:
        self._renew_at = time.monotonic() + 0.75 * self._channel.lifetime / 1000

    def _published(self, answer: "asyncio.Future[Buffer]", done: Done) -> None:
        if answer.cancelled():
            return
        outcome: notify.Message | DeviceError
        try:
            with self._mapped("Publish", UNDECODABLE):
                kind, code, at = notify.service(body := bytes(answer.result()))
                ua.StatusCode(ua.UInt32(code)).check()
                if kind != notify.PUBLISH:
                    raise UaError(f"an answer of type {kind}")
                outcome = notify.publish(body, at)
        except DeviceError as error:
            outcome = error
        done(outcome)

    def _wire(self) -> UASocketProtocol:
        protocol = self._channel.protocol
        if protocol is None or not self.alive:
            raise Unreachable(f"{self.endpoint}: the session is lost")
        return protocol

    async def call(self, request: Any, kind: type[R]) -> R:
        """The decoded answer to a request of any service."""
        data = Strict(await self._ask(request))
        with self._mapped(_name(request), UNDECODABLE):
            response = struct_from_binary(kind, data)
            response.ResponseHeader.ServiceResult.check()
        return response

    async def _ask(self, request: Any) -> bytes:
        """The bytes of the answer to a request."""
        await self.tend()
        protocol = self._wire()
        self.asked += 1
        self._used = time.monotonic()
        with self._mapped(_name(request)):
            return bytes(await protocol.send_request(request))

    def _each(self, answers: Sequence[T] | None, asked: Sequence[object]) -> list[T]:
        if len(answers or ()) != len(asked):
            self._lost = True
            raise Garbled(f"{self.endpoint}: {len(asked)} items asked, {len(answers or ())} answered")
        return list(answers or ())

    @contextmanager
    def _mapped(self, doing: str, undecodable: tuple[type[Exception], ...] = (UaError,)) -> Iterator[None]:
        """What asyncua raises, as ours; after anything but a Refused the session is lost."""
        try:
            yield
        except UaStatusCodeError as error:
            found = refusal(self.endpoint, doing, error.code)
            self._lost = self._lost or lost(error.code)
            raise found from error
        except TimeoutError as error:
            raise self._gone(
                f"no answer in {self.timeout:g} s ({doing})", "is it an OPC UA server, and is it well?"
            ) from error
        except OSError as error:
            raise self._gone(
                f"{str(error) or 'connection lost'} ({doing})", "is the server running, and is the port right?"
            ) from error
        except undecodable as error:
            self._lost = True
            raise Garbled(f"{self.endpoint}: {doing}: {str(error) or type(error).__name__}") from error

    def _gone(self, what: str, hint: str) -> DeviceError:
        self._lost = True
        return Unreachable(f"{self.endpoint}: {what}", hint=hint)


def _nothing() -> None:
    """Nobody has asked to be told."""


def _name(request: object) -> str:
    return type(request).__name__.removesuffix("Request")
