"""One scan group in one session: its nodes, the requests that read it, the monitored items that follow it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.quality import Quality
from drivers.opcua.encodings import Dictionaries
from drivers.opcua.meaning import meanings
from drivers.opcua.monitoring import Watch
from drivers.opcua.notify import Batch
from drivers.opcua.plan import Plan
from drivers.opcua.refusal import ServiceRefused, reason
from drivers.opcua.resolve import resolve
from drivers.opcua.session import Session
from drivers.opcua.spots import locate
from drivers.opcua.status import PLAIN, is_bad, quality

Answers = Sequence[tuple[Sequence[int], Batch]]
Request = tuple[Sequence[int], ua.ReadRequest]

TRIGGERS = {
    "status": ua.DataChangeTrigger.Status,
    "value": ua.DataChangeTrigger.StatusValue,
    "value_timestamp": ua.DataChangeTrigger.StatusValueTimestamp,
}
_NO_FILTER = frozenset(
    {
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadFilterNotAllowed,
        StatusCodes.BadDeadbandFilterInvalid,
    }
)
_GONE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid})


@dataclass(slots=True, eq=False)
class Group:
    """`nodes` has one entry per column (None: it is not there); `refused` says why a tag cannot be had.

    `special` are the columns whose values need more than their type to be understood, and `closed` says of those why
    nothing can be had from within what their nodes hold. `unfiltered` are the columns whose deadband the server does
    not take: each change of them comes.
    """

    plan: Plan
    session: Session
    nodes: list[ua.NodeId | None] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unfiltered: set[int] = field(default_factory=set)
    special: set[int] = field(default_factory=set)
    within: set[int] = field(default_factory=set)  # columns of which the file says that they are a part of a node
    deep: bool = False  # some tags look into a node, whose whole array or structure comes for each of them
    known: Dictionaries = field(default_factory=Dictionaries)
    closed: dict[int, str] = field(default_factory=dict)
    last: tuple[Answers, int] = ((), 0)  # what the last scan brought, and when (ns, monotonic)
    _registered: dict[int, ua.NodeId] = field(default_factory=dict)
    _requests: list[Request] = field(default_factory=list)

    async def bind(self, columns: Iterable[int] | None = None) -> None:
        """Find the nodes of these columns, or of all, in this session, and what their values mean."""
        wanted = list(range(len(self.plan.nodes)) if columns is None else columns)
        if columns is None:
            self.nodes = [None] * len(wanted)
        else:
            self.known.forget()
        spots = [locate(self.plan.nodes[column]) for column in wanted]
        self.within.update(column for column, spot in zip(wanted, spots, strict=True) if spot.inner)
        found = await resolve(self.session, spots)
        for column, each in zip(wanted, found, strict=True):
            self.nodes[column] = each.node
            if each.node is None:
                self.note(column, each.why)
        special = {c: each for c, each in zip(wanted, found, strict=True) if c in self.plan.enums or each.inner}
        self.special.update(special)
        self.deep = self.deep or any(each.inner for each in found)
        converts, closed = await meanings(self.session, self.known, special, self.plan.enums)
        for column, convert in converts.items():
            self.plan.columns.adapt(column, convert)
        self.closed = {column: why for column, why in self.closed.items() if column not in special} | closed
        self._requests.clear()

    async def search(self) -> None:
        """Look again for the nodes that were not to be found."""
        missing = [column for column, node in enumerate(self.nodes) if node is None]
        if missing:
            await self.session.learn()
            await self.bind(missing)
            for column in missing:
                if self.nodes[column] is not None:
                    self.taken(column)

    def follow(self, group: "Group") -> None:
        """Take the place of one with fewer columns, in the same session: what it has learnt of its own still holds."""
        self.unfiltered |= group.unfiltered
        self.refused = group.refused | self.refused

    async def register(self) -> None:
        """Have the server keep the nodes at hand that are read again and again; one that refuses is asked without."""
        left = [(column, node) for column, node in enumerate(self.nodes) if node is not None]
        while left:
            chunk = left[: self.session.limits.of("register")]
            try:
                names = await self.session.register([node for _, node in chunk])
            except ServiceRefused as error:
                if self.session.limits.learn("register", error.code, len(chunk)):
                    continue
                break
            self._registered.update(zip([column for column, _ in chunk], names, strict=True))
            del left[: len(chunk)]
        self._requests.clear()

    async def read(self) -> tuple[Answers, bytearray]:
        """What the server answered, and per column the quality that holds where it did not.

        Raises the error when no request was answered; after one that got no answer, no further one is made.
        """
        answers: list[tuple[Sequence[int], Batch]] = []
        missing = bytearray((Quality.BAD_CONFIG,)) * len(self.nodes)
        failure: DeviceError | None = None
        self._requests = self._requests or list(self._cut([c for c, node in enumerate(self.nodes) if node is not None]))
        left = list(self._requests)
        while left:
            columns, request = left.pop(0)
            if isinstance(failure, Unreachable | Garbled):
                _mark(missing, columns, Quality.BAD_COMM)
                continue
            try:
                answers.append((columns, await self.session.fetch(request)))
            except Refused as error:
                if self._too_many(error, "read", columns):
                    left = list(self._cut([*columns, *(column for some, _ in left for column in some)]))
                    self._requests.clear()
                    continue
                failure = error
                _mark(missing, columns, Quality.BAD_DEVICE)
            except (Unreachable, Garbled) as error:
                failure = error
                _mark(missing, columns, Quality.BAD_COMM)
        if failure is not None and not answers:
            if self.plan.columns.lost is not None:
                self.plan.columns.lost(failure)
            raise failure
        self._let_go(answers)
        return answers, missing

    async def monitor(self, subscription: int, columns: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Add the monitored items of these columns, whose client handles they are.

        The ids of those that were taken, and the qualities of those that were not, by column.
        """
        taken: dict[int, int] = {}
        bad: dict[int, int] = {column: Quality.BAD_CONFIG for column in columns if self.nodes[column] is None}
        left = [column for column in columns if self.nodes[column] is not None]
        room = len(left)
        while left:
            chunk = left[: min(room, self.session.limits.of("monitor"))]
            try:
                results = await self.session.monitor(subscription, [self._item(column) for column in chunk])
            except Refused as error:
                if _is_full(error):
                    room = len(chunk) // 2  # fewer may fit; when not even one does, none of the others will
                    chunk = left if not room else []
                elif self._too_many(error, "monitor", chunk):
                    continue
                for column in chunk:
                    self.note(column, str(error))
                bad.update(dict.fromkeys(chunk, int(Quality.BAD_DEVICE)))
                del left[: len(chunk)]
                continue
            del left[: len(chunk)]
            left = [*self._results(chunk, results, taken, bad), *left]
        return taken, bad

    def note(self, column: int, why: str) -> None:
        self.refused[self.plan.schema.tags[column].name] = why

    def taken(self, column: int) -> None:
        """The server has taken what it had refused."""
        self.refused.pop(self.plan.schema.tags[column].name, None)

    def _results(
        self,
        chunk: Sequence[int],
        results: Sequence[ua.MonitoredItemCreateResult],
        taken: dict[int, int],
        bad: dict[int, int],
    ) -> list[int]:
        """Sort the answers; the columns that are worth another try at once, without their filter."""
        again = []
        for column, result in zip(chunk, results, strict=True):
            code = result.StatusCode.value
            if not is_bad(code):
                taken[column] = int(result.MonitoredItemId)
            elif code in _NO_FILTER and column not in self.unfiltered:
                self.unfiltered.add(column)
                again.append(column)
            else:
                self.note(column, reason(code))
                bad[column] = quality(code)
        return again

    def _cut(self, columns: Sequence[int]) -> Iterator[Request]:
        size = self.session.limits.of("read")
        for start in range(0, len(columns), size):
            some = columns[start : start + size]
            nodes = [self._registered.get(column) or self.nodes[column] for column in some]
            yield some, self.session.read_request([node for node in nodes if node is not None])

    def _let_go(self, answers: Answers) -> None:
        """A registered node that is gone may be back under its own name."""
        gone = [
            c
            for columns, batch in answers
            for c, code in zip(columns, batch.codes, strict=False)
            if code & PLAIN in _GONE
        ]
        if any(self._registered.pop(column, None) for column in gone):
            self._requests.clear()

    def _too_many(self, error: Refused, service: str, columns: Sequence[int]) -> bool:
        limits = self.session.limits
        return isinstance(error, ServiceRefused) and limits.learn(service, error.code, len(columns))  # type: ignore[arg-type]  # the two that are called

    def _item(self, column: int) -> ua.MonitoredItemCreateRequest:
        watch = self.plan.watches[column]
        node = self.nodes[column]
        assert node is not None
        sampling = max(watch.sampling, self.session.profile.least_sampling)
        item = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
        item.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value)
        item.RequestedParameters = ua.MonitoringParameters(
            ClientHandle=column,
            SamplingInterval=sampling * 1000,
            QueueSize=watch.queue,
            DiscardOldest=watch.discard_oldest,
            Filter=None if column in self.unfiltered else _filter(watch),
        )
        return item


async def bind(plan: Plan, session: Session, known: Dictionaries | None = None) -> Group:
    """Look up the plan's nodes in this session, of which `known` is what other groups of it have learnt."""
    group = Group(plan, session, known=known or Dictionaries())
    await group.bind()
    return group


def all_refused(device: str, groups: Sequence[Group]) -> Refused:
    """The error when no tag can be had; it names the first few."""
    names = [tag.name for group in groups for tag in group.plan.schema.tags]
    reasons = {tag: why for group in groups for tag, why in group.refused.items()}
    refused = [f"{tag}: {reasons[tag]}" for tag in names if tag in reasons]
    first = ", ".join(refused[:3])
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    return Refused(f"{device}: the server has none of the tags: {first}{more}", hint="check their `node` entries")


def _is_full(error: Refused) -> bool:
    return isinstance(error, ServiceRefused) and error.code == StatusCodes.BadTooManyMonitoredItems


def _mark(qualities: bytearray, columns: Sequence[int], value: int) -> None:
    for column in columns:
        qualities[column] = value


def _filter(watch: Watch) -> ua.DataChangeFilter | None:
    """None where the server's own default says the same: fewer servers stumble over it."""
    if watch.trigger == "value" and watch.deadband is None:
        return None
    kind, size = watch.deadband or (0, 0.0)
    return ua.DataChangeFilter(TRIGGERS[watch.trigger], ua.UInt32(kind), ua.Double(size))
