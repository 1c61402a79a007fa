"""Checks of what a node says, each under the ids of the specification's assertions that it proves (`tck-id-…`).

A check gets a whole day on the wire: see `sparkplug_world.py`. Those about sessions, commands and the end are in
`sparkplug_checks_life.py`.
"""

import time
from collections.abc import Callable, Iterator

from agent.model.quality import SPARKPLUG_BAD, SPARKPLUG_STALE
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.codec import Metric, Payload
from tests.sim.mqtt_tap import Packet
from tests.unit.northbound.sparkplug_world import TYPES, Day

Check = Callable[[Day], None]
CHECKS: dict[str, Check] = {}
NODE, DEVICE = "spBv1.0/acme/{}/gw-01", "spBv1.0/acme/{}/gw-01/{}"


def tck(*ids: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        assert not CHECKS.keys() & set(ids)
        CHECKS.update(dict.fromkeys(ids, check))
        return check

    return register


def said(day: Day, verb: str, phase: str | None = None) -> list[tuple[Packet, Payload]]:
    """The messages of one kind, the last will not among them."""
    found = [each for each in day.wire.published(phase) if each.topic.split("/")[2] == verb]
    return [(packet, codec.decode(packet.payload)) for packet in found]


def everything(day: Day) -> list[tuple[Packet, Payload]]:
    return [(packet, codec.decode(packet.payload)) for packet in day.wire.published()]


def metrics(day: Day, *verbs: str) -> Iterator[tuple[Packet, Metric]]:
    for verb in verbs:
        found = said(day, verb)
        assert found, verb
        for packet, payload in found:
            for metric in payload.metrics:
                yield packet, metric


def named(payload: Payload, name: str) -> Metric:
    (found,) = [metric for metric in payload.metrics if metric.name == name]
    return found


def _quiet(day: Day, verb: str) -> None:
    """QoS 0, not retained."""
    for packet, _ in said(day, verb):
        assert (packet.qos, packet.retain) == (0, False)
    assert said(day, verb)


@tck("topics-nbirth-mqtt", "payloads-nbirth-qos", "payloads-nbirth-retain")
@tck("message-flow-edge-node-birth-publish-nbirth-qos", "message-flow-edge-node-birth-publish-nbirth-retained")
def nbirth_is_quiet(day: Day) -> None:
    _quiet(day, "NBIRTH")


@tck("topics-dbirth-mqtt", "payloads-dbirth-qos", "payloads-dbirth-retain")
@tck("message-flow-device-birth-publish-dbirth-qos", "message-flow-device-birth-publish-dbirth-retained")
def dbirth_is_quiet(day: Day) -> None:
    _quiet(day, "DBIRTH")


@tck("topics-ndata-mqtt", "payloads-ndata-qos", "payloads-ndata-retain")
def ndata_is_quiet(day: Day) -> None:
    _quiet(day, "NDATA")


@tck("topics-ddata-mqtt", "payloads-ddata-qos", "payloads-ddata-retain")
def ddata_is_quiet(day: Day) -> None:
    _quiet(day, "DDATA")


@tck("topics-ddeath-mqtt")
def ddeath_is_quiet(day: Day) -> None:
    _quiet(day, "DDEATH")


@tck("topics-nbirth-topic", "message-flow-edge-node-birth-publish-nbirth-topic")
@tck("topics-ndata-topic", "topics-ndeath-topic")
def topics_of_the_node(day: Day) -> None:
    for verb in ("NBIRTH", "NDATA", "NDEATH"):
        assert {packet.topic for packet, _ in said(day, verb)} == {NODE.format(verb)}


@tck("topics-dbirth-topic", "message-flow-device-birth-publish-dbirth-topic")
@tck("topics-ddata-topic", "topics-ddeath-topic")
@tck("message-flow-device-birth-publish-dbirth-match-edge-node-topic")
def topics_of_devices(day: Day) -> None:
    for verb in ("DBIRTH", "DDATA", "DDEATH"):
        wanted = {DEVICE.format(verb, "meter"), DEVICE.format(verb, "press")}
        assert {packet.topic for packet, _ in said(day, verb)} == wanted


@tck("topic-structure", "topic-structure-namespace-a", "topic-structure-namespace-unique-device-id")
@tck("topic-structure-namespace-device-id-associated-message-types")
@tck("topic-structure-namespace-device-id-non-associated-message-types")
@tck("intro-group-id-string", "intro-edge-node-id-string", "intro-device-id-string")
def topics_have_their_levels(day: Day) -> None:
    for packet, _ in everything(day):
        levels = packet.topic.split("/")
        assert levels[0] == "spBv1.0"
        assert (levels[1], levels[3]) == ("acme", "gw-01")
        assert len(levels) == (5 if levels[2].startswith("D") else 4)


@tck("topics-nbirth-seq-num", "payloads-nbirth-seq", "payloads-sequence-num-req-nbirth")
@tck("message-flow-edge-node-birth-publish-nbirth-payload-seq")
def nbirth_begins_with_zero(day: Day) -> None:
    assert [payload.seq for _, payload in said(day, "NBIRTH")] == [0, 0, 0]


@tck("payloads-sequence-num-always-included", "payloads-sequence-num-incrementing")
@tck("topics-dbirth-seq", "payloads-dbirth-seq", "payloads-dbirth-seq-inc")
@tck("message-flow-device-birth-publish-dbirth-payload-seq")
@tck("topics-ndata-seq-num", "payloads-ndata-seq", "payloads-ndata-seq-inc")
@tck("topics-ddata-seq-num", "payloads-ddata-seq", "payloads-ddata-seq-inc")
@tck("topics-ddeath-seq-num", "payloads-ddeath-seq", "payloads-ddeath-seq-inc", "payloads-ddeath-seq-number")
def every_message_has_the_next_number(day: Day) -> None:
    """That it goes round after 255: see test_sparkplug_session.py."""
    before = -1
    for packet, payload in everything(day):
        verb = packet.topic.split("/")[2]
        if verb == "NDEATH":
            continue
        assert payload.seq == (0 if verb == "NBIRTH" else (before + 1) % 256)
        before = payload.seq


@tck("topics-nbirth-timestamp", "payloads-nbirth-timestamp", "topics-dbirth-timestamp", "payloads-dbirth-timestamp")
@tck("topics-ndata-timestamp", "payloads-ndata-timestamp", "topics-ddata-timestamp", "payloads-ddata-timestamp")
@tck("payloads-ddeath-timestamp", "payloads-timestamp-in-UTC")
def every_message_has_its_time(day: Day) -> None:
    now, before = time.time() * 1000, 0
    for _, payload in everything(day):
        assert payload.timestamp is not None
        assert before <= payload.timestamp
        assert now - 120_000 < payload.timestamp < now
        before = payload.timestamp


@tck("payloads-name-birth-data-requirement", "payloads-metric-timestamp-in-UTC")
def every_metric_has_a_time(day: Day) -> None:
    now = time.time() * 1000
    for _, metric in metrics(day, "NBIRTH", "DBIRTH", "NDATA", "DDATA"):
        assert metric.timestamp is not None
        assert now - (3_800_000 if metric.historical else 140_000) < metric.timestamp < now


@tck("payloads-metric-datatype-req", "payloads-metric-datatype-value-type", "payloads-metric-datatype-value")
@tck("topics-nbirth-metrics", "topics-dbirth-metrics")
@tck("operational-behavior-data-publish-nbirth-values", "operational-behavior-data-publish-dbirth-values")
def births_tell_name_type_and_value_or_null(day: Day) -> None:
    for _, metric in metrics(day, "NBIRTH", "DBIRTH"):
        assert metric.name
        assert metric.datatype in range(1, 13)
        assert metric.null == (metric.raw is None)
        assert metric.raw is None or metric.raw.field == codec.FIELDS[metric.datatype or 0]


@tck("operational-behavior-data-publish-dbirth", "topics-dbirth-metric-reqs")
@tck("operational-behavior-data-publish-nbirth", "topics-nbirth-metric-reqs")
def births_tell_all_that_is_ever_told(day: Day) -> None:
    """The host noted what no birth had told."""
    assert day.host.faults == []
    names = {metric.name for _, payload in said(day, "DBIRTH") for metric in payload.metrics}
    assert names == {"voltage", "energy", "1s/count", "10s/count", *(f"t_{dtype}" for dtype in TYPES)}
    assert len(day.host.samples) > 40


@tck("payloads-metric-datatype-not-req")
def data_tell_no_type(day: Day) -> None:
    assert {metric.datatype for _, metric in metrics(day, "NDATA", "DDATA")} == {None}


@tck("payloads-name-requirement", "payloads-alias-data-cmd-requirement")
def data_have_an_alias_or_a_name(day: Day) -> None:
    for _, metric in metrics(day, "DDATA"):
        assert metric.name is None
        assert metric.alias is not None
    for _, metric in metrics(day, "NDATA"):
        assert metric.name is not None
        assert metric.alias is None


@tck("payloads-alias-uniqueness", "payloads-alias-birth-requirement")
def births_have_a_name_beside_each_alias_and_no_alias_twice(day: Day) -> None:
    for phase in ("births", "rebirth", "online"):
        told = [m for verb in ("NBIRTH", "DBIRTH") for _, payload in said(day, verb, phase) for m in payload.metrics]
        aliases = [metric.alias for metric in told if metric.alias is not None]
        assert len(aliases) == len(set(aliases)) == 16
        assert all(metric.name for metric in told)


@tck("operational-behavior-data-publish-nbirth-order", "operational-behavior-data-publish-dbirth-order")
def metrics_come_in_the_order_of_their_times(day: Day) -> None:
    for _, payload in everything(day):
        times = [metric.timestamp or 0 for metric in payload.metrics if not metric.historical]
        assert times == sorted(times)


@tck("message-flow-edge-node-birth-publish-nbirth-payload", "message-flow-device-birth-publish-dbirth-payload")
def every_type_is_told_in_its_protobuf(day: Day) -> None:
    """That other decoders read it: see test_sparkplug_others.py."""
    values = day.host.values("press") if day.host.devices else {}
    assert values == {}  # it has said goodbye
    _, birth = next(each for each in said(day, "DBIRTH", "births") if each[0].topic.endswith("/press"))
    assert {metric.name: metric.value for metric in birth.metrics} == {f"t_{k}": v for k, v in TYPES.items()}
    types = {metric.name: metric.datatype for metric in birth.metrics}
    assert [types[f"t_{dtype}"] for dtype in TYPES] == list(range(1, 13))


@tck("topics-ddata-payload", "topics-ndata-payload", "operational-behavior-data-publish-nbirth-change")
def data_have_what_is_new(day: Day) -> None:
    told = [(sample.device, sample.metric) for sample in day.host.samples]
    assert told.count(("meter", "energy")) == 1
    numbers = [sample.value for sample in day.host.samples if sample.metric == "Statistics/Samples"]
    assert len(numbers) > 1
    assert len(set(numbers)) == len(numbers)


@tck("payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size")
@tck("payloads-metric-propertyvalue-type-type", "payloads-metric-propertyvalue-type-value")
@tck("payloads-metric-propertyvalue-type-req")
def properties_have_a_type_and_a_value_of_it(day: Day) -> None:
    """The reader refuses property sets whose numbers of keys and values differ."""
    found = [metric.properties for _, metric in metrics(day, "NBIRTH", "DBIRTH", "DDATA") if metric.properties]
    assert {"engUnit": (codec.STRING, "V")} in found
    for properties in found:
        for datatype, value in properties.values():
            assert (datatype, type(value)) in {(codec.STRING, str), (codec.INT32, int)}


@tck("payloads-propertyset-quality-value-type", "payloads-propertyset-quality-value-value")
def quality_is_one_of_three_numbers(day: Day) -> None:
    found = [metric.properties["Quality"] for _, metric in metrics(day, "DDATA") if "Quality" in metric.properties]
    assert set(found) == {(codec.INT32, SPARKPLUG_STALE), (codec.INT32, SPARKPLUG_BAD)}
