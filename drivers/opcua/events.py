"""Events of a node, one frame each: the filter that asks for them, and what a notification makes of it.

An event has the fields of its type, and lacks the others: its frame has columns for those alone. Its own time is the
source time of all of them. An alarm's state comes as events too, so that after a connect the server is asked to tell
the alarms that stand once more (ConditionRefresh, part 9, 5.5.7); the bracket around these is left out.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError

from agent.model.errors import Garbled, Refused
from agent.model.frame import Frame, Value
from agent.model.tag import Schema, Tag
from drivers.opcua import services
from drivers.opcua.eventing import EventsConfig, Level, column, dtype, path
from drivers.opcua.guard import Strict
from drivers.opcua.nodes import parse
from drivers.opcua.notify import EVENTS, Message
from drivers.opcua.pulse import KEEP_ALIVE, patience
from drivers.opcua.refusal import name as status_name
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad
from drivers.opcua.stream import Refusal, postponed
from drivers.opcua.values import converter

UNDECODABLE = (
    UaError,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
LONGEST = 4096  # characters of a text
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (1 << 63) - 1
_BASE, _CONDITION, _REFRESH, _START, _END, _REQUIRED, _OVERFLOW = (
    ua.NodeId(ua.Int32(number))
    for number in (
        ObjectIds.BaseEventType,
        ObjectIds.ConditionType,
        ObjectIds.ConditionType_ConditionRefresh,
        ObjectIds.RefreshStartEventType,
        ObjectIds.RefreshEndEventType,
        ObjectIds.RefreshRequiredEventType,
        ObjectIds.EventQueueOverflowEventType,
    )
)
_ACKNOWLEDGED, _ALARM = (
    ua.NodeId(ua.Int32(number)) for number in (ObjectIds.AcknowledgeableConditionType, ObjectIds.AlarmConditionType)
)
# the types that have these fields; some servers look for a field nowhere else
_TYPES = {
    **dict.fromkeys(("ConditionName", "BranchId", "Retain", "EnabledState", "Quality", "LastSeverity"), _CONDITION),
    **dict.fromkeys(("Comment", "ClientUserId", "ConditionClassId", "ConditionClassName"), _CONDITION),
    **dict.fromkeys(("AckedState", "ConfirmedState"), _ACKNOWLEDGED),
    **dict.fromkeys(("ActiveState", "InputNode", "SuppressedState", "ShelvingState", "SuppressedOrShelved"), _ALARM),
}
_OWN = ("EventType", "Time")  # what is asked for besides, before the columns


@dataclass(frozen=True, slots=True)
class EventPlan:
    """One group of events: compiled from its configuration, whatever server there is."""

    schema: Schema
    config: EventsConfig
    fields: tuple[tuple[Level, ...], ...]


def event_plan(device: str, config: EventsConfig) -> EventPlan:
    tags = tuple(Tag(column(text), dtype(text), "", "event") for text in config.columns)
    return EventPlan(Schema(device, config.name, tags, 0.0), config, tuple(path(text) for text in config.columns))


class Events:
    """One group of events in one session. `refused` says which fields the server does not know, or why it tells none:
    then there is a `refusal`, which says when it is asked again."""

    def __init__(self, plan: EventPlan, session: Session, interval: float = 1.0) -> None:
        self.plan, self.schema = plan, plan.schema
        self.number = 0
        self.patience = self.heard = 0.0
        self.compare_at = 0.0  # when the server's own list of items is looked at again
        self.refusal: Refusal | None = None
        self._interval = interval
        self.refused: dict[str, str] = {}
        self.overflows = 0
        self.stale = False  # the server says that alarms have to be told again
        self._session = session
        self._uris = {index: uri for uri, index in session.namespaces.items()}
        self._convert = [converter(tag.dtype) for tag in plan.schema.tags]
        self._text = [tag.dtype == "str" for tag in plan.schema.tags]

    async def open(self) -> None:
        """Ask for them, on a subscription of their own. Raises Refused when the node tells none."""
        if self.refusal is not None:
            await self._session.learn()
            self._uris = {index: uri for uri, index in self._session.namespaces.items()}
        self.refused.clear()
        node = self._session.resolve(parse(self.plan.config.node))
        if node is None:
            raise Refused(f"{self._where}: the server does not know the namespace of {self.plan.config.node}")
        item = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
        item.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.EventNotifier)
        item.RequestedParameters = ua.MonitoringParameters(
            Filter=self._filter(), QueueSize=self.plan.config.queue_size, DiscardOldest=True
        )
        if not self.number:
            made = await self._session.subscribe(self._interval, KEEP_ALIVE)
            self.number, self.patience = int(made.SubscriptionId), patience(made, self._interval, self._session.timeout)
        (result,) = await self._session.monitor(self.number, [item])
        if is_bad(result.StatusCode.value):
            hint = "is it an object that notifies? the Server object, i=2253, knows all events"
            raise Refused(f"{self._where}: {status_name(result.StatusCode.value)}", hint=hint)
        self.refusal = None
        self._note(result.FilterResult)
        if self.plan.config.conditions:
            await self.refresh()

    @property
    def session(self) -> Session:
        return self._session

    def refuse(self, why: str, now: float) -> None:
        """The server tells none: to be tried again as a tag that it refuses."""
        self.refusal = postponed(self.refusal, now)
        self.refused = {self.schema.group: why}

    async def refresh(self) -> None:
        """Have the alarms that stand told again; a server without alarms does not know how, and that is well."""
        self.stale = False
        argument = ua.Variant(self.number, ua.VariantType.UInt32)
        try:
            called = await services.call(self._session, _CONDITION, _REFRESH, [argument])
        except Refused as error:
            self.refused["ConditionRefresh"] = str(error)
            return
        if is_bad(called.StatusCode.value):
            self.refused["ConditionRefresh"] = status_name(called.StatusCode.value)

    def read(self, message: Message, ts: int, mono: int) -> list[Frame]:
        """The frames of a message. Raises Garbled."""
        frames: list[Frame] = []
        for kind, body in message.others:
            if kind == EVENTS:
                try:
                    data = struct_from_binary(ua.EventNotificationList, Strict(body))
                except UNDECODABLE as error:
                    raise Garbled(f"{self._where}: {str(error) or type(error).__name__}") from error
                frames += self.take(data, ts, mono)
        return frames

    def take(self, data: ua.EventNotificationList, ts: int, mono: int) -> list[Frame]:
        """A frame per event, in their order."""
        return [frame for each in data.Events or () if (frame := self._frame(each.EventFields, ts, mono)) is not None]

    def _frame(self, fields: Sequence[ua.Variant] | None, ts: int, mono: int) -> Frame | None:
        held = [getattr(each, "Value", None) for each in fields or ()]
        if len(held) != len(self._convert) + len(_OWN):
            return None
        kind, moment, *rest = held
        if kind in (_START, _END, _REQUIRED):
            self.stale = self.stale or kind == _REQUIRED
            return None
        self.overflows += kind == _OVERFLOW
        places = tuple(at for at, value in enumerate(rest) if value is not None)
        values = tuple(self._value(at, rest[at]) for at in places)
        quality = bytes(64 * (value is None) for value in values)
        stamp = _stamp(moment, ts)
        whole = len(places) == len(self._convert)
        return Frame(self.schema, ts, values, quality, mono, None if whole else places, (stamp,) * len(places))

    def _value(self, at: int, held: object) -> Value:
        if isinstance(held, ua.NodeId):
            return services.spelt(held, self._uris) or None
        return text(held) if self._text[at] else self._convert[at](held)

    def _filter(self) -> ua.EventFilter:
        found = ua.EventFilter()
        own = [(Level(0, name),) for name in _OWN]
        found.SelectClauses = [self._operand(levels) for levels in (*own, *self.plan.fields)]
        if self.plan.config.severity:
            least = ua.LiteralOperand(ua.Variant(self.plan.config.severity, ua.VariantType.UInt16))
            element = ua.ContentFilterElement(ua.FilterOperator.GreaterThanOrEqual)
            element.FilterOperands = [self._operand((Level(0, "Severity"),)), least]
            found.WhereClause.Elements = [element]
        return found

    def _operand(self, levels: Sequence[Level]) -> ua.SimpleAttributeOperand:
        if [level.name for level in levels] == ["ConditionId"]:  # of no field but of the condition itself
            return ua.SimpleAttributeOperand(_CONDITION, [], AttributeIds.NodeId)
        names = [ua.QualifiedName(level.name, self._index(level.namespace)) for level in levels]
        return ua.SimpleAttributeOperand(_TYPES.get(levels[0].name, _BASE), names, AttributeIds.Value)

    def _index(self, namespace: int | str) -> Any:
        return self._session.namespaces.get(namespace, 0xFFFF) if isinstance(namespace, str) else namespace

    def _note(self, result: object) -> None:
        if not isinstance(result, ua.EventFilterResult):
            return
        codes = list(result.SelectClauseResults or ())[len(_OWN) :]
        for name, code in zip(self.plan.config.columns, codes, strict=False):
            if is_bad(code.value) and code.value != StatusCodes.BadNothingToDo:  # which is said of ConditionId
                self.refused[name] = status_name(code.value)

    @property
    def _where(self) -> str:
        return f"{self._session.endpoint}: events {self.schema.group!r}"


def text(held: object) -> str:
    """Anything that a field may hold, for people and machines alike: times as ISO 8601, bytes in hexadecimal."""
    match held:
        case ua.LocalizedText():
            found = held.Text or ""
        case ua.QualifiedName():
            found = held.Name or ""
        case ua.StatusCode():
            found = status_name(held.value)
        case ua.NodeId():
            found = services.spelt(held, {})
        case datetime():
            moment = held if held.tzinfo else held.replace(tzinfo=UTC)
            found = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case bytes():
            found = held.hex()
        case bool():
            found = "true" if held else "false"
        case _:
            found = str(held)
    found = found if found.isascii() else found.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return found if len(found) <= LONGEST else found[: LONGEST - 1] + "…"


def _stamp(moment: object, received: int) -> int:
    if not isinstance(moment, datetime):
        return received
    since: timedelta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    found = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
    return found if 0 < found <= _LATEST else received
