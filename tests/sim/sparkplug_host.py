"""A host application of Sparkplug B that forgives nothing: it hears messages in order and notes what is wrong.

The bytes it reads with the product's codec, which is held against two others elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.model.frame import Value
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.codec import Metric, Payload


class Sample(NamedTuple):
    """One value of one metric; `device` is empty for the node, `quality` None where nothing is said of it."""

    device: str
    metric: str
    ts: int
    value: Value
    quality: int | None
    historical: bool


@dataclass
class Known:
    """What a birth has told of a metric."""

    name: str
    alias: int | None
    datatype: int
    properties: dict[str, codec.Property]


@dataclass
class Born:
    """A node or a device that lives."""

    by_name: dict[str, Known] = field(default_factory=dict)
    by_alias: dict[int, Known] = field(default_factory=dict)
    current: dict[str, Sample] = field(default_factory=dict)


class Host:
    """`faults` are breaches of the specification, in words; `lost` says that a rebirth is due.

    One that is `old` is from before Sparkplug 3.0.
    """

    def __init__(self, group: str, edge: str, *, old: bool = False) -> None:
        self.group, self.edge, self.old = group, edge, old
        self.fields = codec.OLD_FIELDS if old else codec.FIELDS
        self.faults: list[str] = []
        self.samples: list[Sample] = []
        self.verbs: list[tuple[str, str]] = []  # (verb, device) of each message
        self.node: Born | None = None
        self.devices: dict[str, Born] = {}
        self.bdseqs: list[int] = []
        self.lost = False
        self._seq = -1

    def hear(self, topic: str, payload: bytes) -> None:
        levels = topic.split("/")
        if len(levels) not in {4, 5} or levels[0] != "spBv1.0" or (levels[1], levels[3]) != (self.group, self.edge):
            self._fault(f"{topic} is no topic of the node")
            return
        verb, device = levels[2], levels[4] if len(levels) == 5 else ""
        if (verb[0] == "D") != bool(device):
            self._fault(f"{verb} on {topic}")
        try:
            found = codec.decode(payload, most=100_000)
        except ValueError as error:
            self._fault(f"{verb}: {error}")
            return
        self.verbs.append((verb, device))
        if found.timestamp is None:
            self._fault(f"{verb} without a time")
        self._order(verb, device, found)
        self._hear(verb, device, found)

    def hear_all(self, messages: Iterable[tuple[bytes, bytes, bool]]) -> None:
        """As the product hands them to a broker: topic head, payload, retain."""
        for head, payload, retain in messages:
            if retain:
                self._fault(f"{head!r} is retained")
            self.hear(head[2:].decode(), payload)

    def heard(self, verb: str, device: str = "") -> int:
        """How many messages of that kind there were."""
        return self.verbs.count((verb, device))

    def values(self, device: str) -> dict[str, Value]:
        """The current ones."""
        return {name: sample.value for name, sample in self.devices[device].current.items()}

    def _order(self, verb: str, device: str, payload: Payload) -> None:
        if verb == "NDEATH":
            if payload.seq is not None:
                self._fault("an NDEATH with a seq")
            return
        if verb == "NBIRTH":
            if payload.seq != 0:
                self._fault(f"an NBIRTH with seq {payload.seq}")
        elif payload.seq != (self._seq + 1) % 256:
            self._fault(f"{verb} {device}: seq {payload.seq} after {self._seq}")
            self.lost = True
        self._seq = -1 if payload.seq is None else payload.seq

    def _hear(self, verb: str, device: str, payload: Payload) -> None:
        if verb == "NBIRTH":
            self.node, self.devices, self.lost = self._birth(verb, payload, self._aliases(())), {}, False
            self.bdseqs.append(self._bdseq(payload))
        elif verb == "NDEATH":
            if self.bdseqs and self._bdseq(payload) == self.bdseqs[-1]:
                self.node, self.devices = None, {}
            if len(payload.metrics) != 1:
                self._fault(f"an NDEATH of {len(payload.metrics)} metrics")
        elif self.node is None:
            self._fault(f"{verb} {device} before an NBIRTH")
        elif verb == "NDATA":
            self._data("", self.node, payload)
        else:
            self._hear_of(verb, device, payload, self.node)

    def _hear_of(self, verb: str, device: str, payload: Payload, node: Born) -> None:
        if verb == "DBIRTH":
            if device in self.devices:
                self._fault(f"DBIRTH of {device}, which lives")
            others = [node, *(born for name, born in self.devices.items() if name != device)]
            self.devices[device] = self._birth(f"{verb} {device}", payload, self._aliases(others))
        elif device not in self.devices:
            self._fault(f"{verb} of {device}, which is not born")
        elif verb == "DDATA":
            self._data(device, self.devices[device], payload)
        elif verb == "DDEATH":
            del self.devices[device]
        else:
            self._fault(f"{verb} is nothing that a node says")

    def _aliases(self, others: Iterable[Born]) -> set[int]:
        return {alias for born in others for alias in born.by_alias}

    def _bdseq(self, payload: Payload) -> int:
        for metric in payload.metrics:
            if metric.name == "bdSeq" and metric.datatype == codec.INT64 and isinstance(metric.value, int):
                if not 0 <= metric.value <= 255:
                    self._fault(f"bdSeq {metric.value}")
                return metric.value
        self._fault("no bdSeq")
        return -1

    def _birth(self, what: str, payload: Payload, taken: set[int]) -> Born:
        born = Born()
        for metric in payload.metrics:
            if not metric.name or metric.datatype is None or metric.timestamp is None:
                self._fault(f"{what}: {metric} without a name, a type or a time")
                continue
            known = Known(metric.name, metric.alias, metric.datatype, dict(metric.properties))
            if metric.name in born.by_name or metric.alias in taken or metric.alias in born.by_alias:
                self._fault(f"{what}: {metric.name} or its alias {metric.alias} is there twice")
            born.by_name[metric.name] = known
            if metric.alias is not None:
                born.by_alias[metric.alias] = known
            device = what.partition(" ")[2]
            born.current[metric.name] = self._sample(device, known, metric)
            if metric.historical:
                self._fault(f"{what}: {metric.name} is historical")
        self._chronological(what, payload)
        if what == "NBIRTH":
            self._rebirth_metric(born)
        return born

    def _rebirth_metric(self, born: Born) -> None:
        known = born.by_name.get("Node Control/Rebirth")
        if known is None or known.alias is not None or known.datatype != codec.BOOLEAN:
            self._fault(f"NBIRTH: Node Control/Rebirth is {known}")
        elif born.current[known.name].value is not False:
            self._fault("NBIRTH: Node Control/Rebirth is not false")

    def _data(self, device: str, born: Born, payload: Payload) -> None:
        if not payload.metrics:
            self._fault(f"data of {device or 'the node'} without a metric")
        for metric in payload.metrics:
            known = self._known(device, born, metric)
            if known is None:
                continue
            if metric.timestamp is None or metric.datatype != (known.datatype if self.old else None):
                self._fault(f"data of {device}: {known.name} without a time, or of type {metric.datatype}")
            sample = self._sample(device, known, metric)
            self.samples.append(sample)
            if not sample.historical:
                if sample.ts < born.current[known.name].ts:
                    self._fault(f"{device}: {known.name} goes back from {born.current[known.name].ts} to {sample.ts}")
                born.current[known.name] = sample
        self._chronological(f"data of {device}", payload)

    def _known(self, device: str, born: Born, metric: Metric) -> Known | None:
        if (metric.alias is None) == (metric.name is None):
            self._fault(f"data of {device}: {metric} has a name and an alias, or none of them")
            return None
        known = born.by_name.get(metric.name or "") if metric.alias is None else born.by_alias.get(metric.alias)
        if known is None:
            self._fault(f"data of {device}: no birth told {metric.name or metric.alias}")
        elif metric.alias is None and known.alias is not None:
            self._fault(f"data of {device}: {known.name} goes by its name, and has an alias")
        return known

    def _sample(self, device: str, known: Known, metric: Metric) -> Sample:
        if metric.null != (metric.raw is None):
            self._fault(f"{device}: {known.name} is null and has a value, or neither")
        if metric.raw is not None and metric.raw.field != self.fields.get(known.datatype):
            self._fault(f"{device}: {known.name} of type {known.datatype} in field {metric.raw.field}")
        value = None if metric.raw is None else metric.raw.typed(known.datatype)
        quality = metric.properties.get("Quality")
        if quality is not None and (quality[0] != codec.INT32 or quality[1] not in {0, 192, 500}):
            self._fault(f"{device}: {known.name} has quality {quality}")
        said = int(quality[1]) if quality is not None and isinstance(quality[1], int) else None
        return Sample(device, known.name, metric.timestamp or 0, value, said, metric.historical)

    def _chronological(self, what: str, payload: Payload) -> None:
        times = [metric.timestamp or 0 for metric in payload.metrics if not metric.historical]
        if times != sorted(times):
            self._fault(f"{what}: metrics are not in chronological order")

    def _fault(self, what: str) -> None:
        self.faults.append(what)
