"""A session without a wire: it answers what a test told it to."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary

from agent.model.clock import Clock
from agent.model.errors import DeviceError
from drivers.opcua.config import Config
from drivers.opcua.group import Group, bind
from drivers.opcua.limits import Limits
from drivers.opcua.nodes import NodeAddress
from drivers.opcua.notify import Batch, Message, publish, values
from drivers.opcua.plan import plans
from drivers.opcua.profiles import PROFILES, Profile
from drivers.opcua.refusal import ServiceRefused
from drivers.opcua.session import Session

Done = Callable[[Message | DeviceError], None]
UNKNOWN = 0x80340000


@dataclass
class FakeSession:
    """Stands where `drivers.opcua.session.Session` stands. `asked` are the publish requests that wait for an answer."""

    endpoint: str = "opc.tcp://fake:4840"
    timeout: float = 1.0
    unknown: frozenset[str] = frozenset()
    answers: Iterator[list[ua.DataValue] | DeviceError] = field(default_factory=lambda: iter(()))
    refusal: DeviceError | None = None
    asked: list[Done] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    monitored: list[int] = field(default_factory=list)
    wanted: list[ua.MonitoringParameters] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    limits: Limits = field(default_factory=lambda: Limits({"read": 2, "monitor": 2}))
    profile: Profile = PROFILES["careful"]
    times: tuple[int, int] = (0, 0)
    reads: int = 0
    probes: int = 0
    learnt: int = 0
    numbers: list[int] = field(default_factory=lambda: list(range(7, 99)))
    interval: float | None = None  # to which the server revises each (ms)

    def resolve(self, node: NodeAddress) -> ua.NodeId | None:
        if isinstance(node.namespace, str):
            return None
        return ua.NodeId(cast(Any, node.identifier), cast(Any, node.namespace))

    async def learn(self) -> None:
        self.learnt += 1

    async def forget(self, subscription: int, items: Sequence[int]) -> None:
        self.forgotten += items

    def read_request(self, nodes: Sequence[ua.NodeId]) -> list[ua.NodeId]:
        return list(nodes)

    async def fetch(self, request: list[ua.NodeId]) -> Batch:
        self.reads += 1
        answer = next(self.answers)
        if isinstance(answer, DeviceError):
            raise answer
        assert len(answer) == len(request)
        return batch_of(answer)

    async def subscribe(self, interval: float, keep_alive: float, most: int = 0) -> ua.CreateSubscriptionResult:
        if not self.numbers:
            raise ServiceRefused("BadTooManySubscriptions", StatusCodes.BadTooManySubscriptions)
        return ua.CreateSubscriptionResult(
            cast(Any, self.numbers.pop(0)),
            cast(Any, interval * 1000 if self.interval is None else self.interval),
            RevisedMaxKeepAliveCount=cast(Any, round(keep_alive / interval)),
        )

    async def monitor(
        self, subscription: int, items: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        if self.refusal is not None:
            raise self.refusal
        self.monitored.append(len(items))
        self.wanted += [item.RequestedParameters for item in items]
        names = [str(item.ItemToMonitor.NodeId.Identifier) for item in items]
        codes = [UNKNOWN if name in self.unknown else 0 for name in names]
        return [
            ua.MonitoredItemCreateResult(
                ua.StatusCode(cast(Any, code)), cast(Any, item.RequestedParameters.ClientHandle)
            )
            for code, item in zip(codes, items, strict=True)
        ]

    def publish(self, acknowledge: Sequence[ua.SubscriptionAcknowledgement], done: Done) -> None:
        self.acknowledged += [int(each.SequenceNumber) for each in acknowledge]
        self.asked.append(done)

    async def status(self) -> tuple[int, int]:
        self.probes += 1
        if self.refusal is not None:
            raise self.refusal
        return self.times

    async def tend(self) -> None:
        """No channel to renew."""

    def say(self, *changes: tuple[int, Any], sequence: int = 1, **how: Any) -> None:
        """Answer the oldest publish request with these (client handle, value)."""
        items = [
            ua.MonitoredItemNotification(cast(Any, handle), ua.DataValue(ua.Variant(value)))
            for handle, value in changes
        ]
        self.send(ua.DataChangeNotification(items) if items else None, sequence, **how)

    def send(
        self, data: object, sequence: int = 1, *, number: int = 7, more: bool = False, published: datetime | None = None
    ) -> None:
        result = ua.PublishResult(cast(Any, number), MoreNotifications=more)
        if published is not None:
            result.NotificationMessage.PublishTime = published
        result.NotificationMessage.SequenceNumber = cast(Any, sequence)
        result.NotificationMessage.NotificationData = cast(Any, [data] if data is not None else None)
        self.asked.pop(0)(publish(struct_to_binary(result), 0))


def batch_of(data: Sequence[ua.DataValue], handles: Sequence[int] = ()) -> Batch:
    """What the driver makes of these, by way of asyncua's bytes."""
    items = [struct_to_binary(item) for item in data]
    if handles:
        items = [struct.pack("<I", handle) + item for handle, item in zip(handles, items, strict=True)]
    return values(struct.pack("<i", len(items)) + b"".join(items), handled=bool(handles))


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: 1_700_000_000_000_000_000, lambda: int(self.seconds * 1e9))


async def group_of(session: FakeSession, nodes: Sequence[str], **options: Any) -> Group:
    """One group with a tag per node: t0, t1, …"""
    tags = [{"name": f"t{number}", "node": node} for number, node in enumerate(nodes)]
    config = Config.model_validate(
        {
            "name": "press-3",
            "driver": "opcua",
            "endpoint": session.endpoint,
            "security": "none",
            "tags": tags,
            **options,
        }
    )
    (plan,) = plans(config)
    return await bind(plan, cast(Session, session))
