"""One scan group in one session: its node ids, the requests that read it, the subscription that follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.quality import Quality
from drivers.opcua.notify import Batch
from drivers.opcua.plan import Plan, chunks
from drivers.opcua.refusal import name
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad, quality

Answers = list[tuple[Sequence[int], Batch]]


@dataclass(frozen=True, slots=True)
class Group:
    """`nodes` has one entry per column (None: its namespace is unknown); `refused` says why a tag cannot be had."""

    plan: Plan
    session: Session
    nodes: tuple[ua.NodeId | None, ...]
    reads: tuple[tuple[Sequence[int], ua.ReadRequest], ...]
    refused: dict[str, str] = field(default_factory=dict)

    async def read(self) -> tuple[Answers, bytearray]:
        """What the server answered, and per column the quality that holds where it did not.

        Raises the error when no request was answered; after one that got no answer, no further one is made.
        """
        answers: Answers = []
        missing = bytearray((Quality.BAD_CONFIG,)) * len(self.nodes)
        failure: DeviceError | None = None
        for columns, request in self.reads:
            if isinstance(failure, Unreachable | Garbled):
                _mark(missing, columns, Quality.BAD_COMM)
                continue
            try:
                answers.append((columns, await self.session.fetch(request)))
            except Refused as error:
                failure = error
                _mark(missing, columns, Quality.BAD_DEVICE)
            except (Unreachable, Garbled) as error:
                failure = error
                _mark(missing, columns, Quality.BAD_COMM)
        if failure is not None and not answers:
            raise failure
        return answers, missing

    async def monitor(self, subscription: int, sampling: float, queue_size: int) -> dict[int, int]:
        """Add the monitored items, whose client handles are the columns; the columns not taken, with their quality."""
        bad: dict[int, int] = {column: Quality.BAD_CONFIG for column, node in enumerate(self.nodes) if node is None}
        known = [(column, node) for column, node in enumerate(self.nodes) if node is not None]
        items = [_item(column, node, sampling, queue_size) for column, node in known]
        for chunk in chunks(items, self.session.monitor_limit):
            bad.update(await self._add(subscription, chunk))
        return bad

    def note(self, column: int, why: str) -> None:
        self.refused.setdefault(self.plan.schema.tags[column].name, why)

    async def _add(self, subscription: int, items: Sequence[ua.MonitoredItemCreateRequest]) -> Mapping[int, int]:
        columns = [int(item.RequestedParameters.ClientHandle) for item in items]
        try:
            results = await self.session.monitor(subscription, items)
        except Refused as error:
            for column in columns:
                self.note(column, str(error))
            return dict.fromkeys(columns, int(Quality.BAD_DEVICE))
        codes = {c: r.StatusCode.value for c, r in zip(columns, results, strict=True) if is_bad(r.StatusCode.value)}
        for column, code in codes.items():
            self.note(column, name(code))
        return {column: quality(code) for column, code in codes.items()}


def bind(plan: Plan, session: Session) -> Group:
    """Look up the plan's namespaces in this session, and cut its nodes into requests that the server allows."""
    nodes = tuple(session.resolve(node) for node in plan.nodes)
    known = [(column, node) for column, node in enumerate(nodes) if node is not None]
    reads = tuple(
        (tuple(column for column, _ in chunk), session.read_request([node for _, node in chunk]))
        for chunk in chunks(known, session.read_limit)
    )
    group = Group(plan, session, nodes, reads)
    for column, node in enumerate(nodes):
        if node is None:
            group.note(column, f"the server has no namespace {plan.nodes[column].namespace}")
    return group


def all_refused(device: str, groups: Sequence[Group]) -> Refused:
    """The error when no tag can be had; it names the first few."""
    names = [tag.name for group in groups for tag in group.plan.schema.tags]
    reasons = {tag: why for group in groups for tag, why in group.refused.items()}
    refused = [f"{tag}: {reasons[tag]}" for tag in names if tag in reasons]
    first = ", ".join(refused[:3])
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    return Refused(f"{device}: the server has none of the tags: {first}{more}", hint="check their `node` entries")


def _mark(qualities: bytearray, columns: Sequence[int], value: int) -> None:
    for column in columns:
        qualities[column] = value


def _item(column: int, node: ua.NodeId, sampling: float, queue_size: int) -> ua.MonitoredItemCreateRequest:
    item = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
    item.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value)
    item.RequestedParameters = ua.MonitoringParameters(
        ClientHandle=column, SamplingInterval=sampling * 1000, QueueSize=queue_size, DiscardOldest=True
    )
    return item
