"""Checks of sessions, commands, the primary host and the end; see `sparkplug_checks.py`."""

from agent.northbound.sparkplug import codec
from tests.sim.mqtt_tap import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, Packet
from tests.unit.northbound.sparkplug_checks import NODE, everything, named, said, tck
from tests.unit.northbound.sparkplug_world import Day


def kind(day: Day, kind: int) -> list[Packet]:
    return [packet for packet in day.wire.packets if packet.kind == kind]


def wills(day: Day) -> list[Packet]:
    found = [packet.will for packet in kind(day, CONNECT)]
    assert len(found) == 2
    return [will for will in found if will is not None]


def filters(day: Day) -> list[tuple[str, int]]:
    """Of the first connection."""
    return [each for packet in kind(day, SUBSCRIBE) if packet.connection == 1 for each in packet.filters]


def verbs(day: Day, phase: str) -> list[str]:
    return [packet.topic.split("/")[2] for packet in day.wire.published(phase)]


@tck("principles-persistence-clean-session-311", "principles-persistence-clean-session-50")
def sessions_are_clean(day: Day) -> None:
    for packet in kind(day, CONNECT):
        assert packet.version == (5 if day.version == "5" else 4)
        assert (packet.clean, packet.expiry) == (True, 0)


@tck("message-flow-edge-node-birth-publish-will-message", "payloads-ndeath-will-message")
@tck("message-flow-edge-node-birth-publish-will-message-topic")
@tck("message-flow-edge-node-birth-publish-will-message-qos", "payloads-ndeath-will-message-qos")
@tck("message-flow-edge-node-birth-publish-will-message-will-retained", "payloads-ndeath-will-message-retain")
def the_will_is_the_ndeath(day: Day) -> None:
    assert [(will.topic, will.qos, will.retain) for will in wills(day)] == [(NODE.format("NDEATH"), 1, False)] * 2


@tck("message-flow-edge-node-birth-publish-will-message-payload", "topics-ndeath-payload", "topics-ndeath-seq")
@tck("payloads-ndeath-seq", "message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
@tck("topics-nbirth-bdseq-increment")
def the_will_has_the_next_bdseq_and_nothing_else(day: Day) -> None:
    for number, will in enumerate(wills(day)):
        payload = codec.decode(will.payload)
        (metric,) = payload.metrics
        assert (metric.name, metric.datatype, metric.value, payload.seq) == ("bdSeq", codec.INT64, number, None)


@tck("topics-nbirth-bdseq-included", "topics-nbirth-bdseq-matching", "payloads-nbirth-bdseq")
@tck("payloads-nbirth-bdseq-repeat", "payloads-ndeath-bdseq")
@tck("message-flow-edge-node-birth-publish-nbirth-payload-bdSeq")
def the_birth_has_the_bdseq_of_the_will(day: Day) -> None:
    found = [(packet.connection, named(payload, "bdSeq")) for packet, payload in said(day, "NBIRTH")]
    assert [(number, metric.datatype, metric.value) for number, metric in found] == [(1, 4, 0), (1, 4, 0), (2, 4, 1)]


@tck("topics-nbirth-rebirth-metric", "payloads-nbirth-rebirth-req", "operational-behavior-data-commands-rebirth-name")
@tck("operational-behavior-data-commands-rebirth-name-aliases")
@tck("operational-behavior-data-commands-rebirth-datatype", "operational-behavior-data-commands-rebirth-value")
def the_birth_offers_a_rebirth(day: Day) -> None:
    for _, payload in said(day, "NBIRTH"):
        metric = named(payload, "Node Control/Rebirth")
        assert (metric.alias, metric.datatype, metric.value) == (None, codec.BOOLEAN, False)


@tck("principles-birth-certificates-order", "message-flow-edge-node-birth-publish-connect")
@tck("message-flow-device-birth-publish-nbirth-wait")
@tck("payloads-dbirth-order", "payloads-ndata-order", "payloads-ddata-order")
def births_come_first_and_all_together(day: Day) -> None:
    for connection, phase in ((1, "births"), (2, "online")):
        mine = [packet for packet in day.wire.packets if packet.connection == connection]
        assert mine[0].kind == CONNECT
        first = next(packet for packet in mine if packet.kind == PUBLISH)
        assert first.topic == NODE.format("NBIRTH")
        assert verbs(day, phase)[:3] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert verbs(day, "rebirth") == ["NBIRTH", "DBIRTH", "DBIRTH"]


@tck("message-flow-edge-node-ncmd-subscribe", "topics-ncmd-topic")
@tck("message-flow-device-dcmd-subscribe", "topics-dcmd-topic")
@tck("operational-behavior-primary-application-state-with-multiple-servers-state-subs")
def it_listens_before_its_births(day: Day) -> None:
    assert filters(day) == [
        ("spBv1.0/acme/NCMD/gw-01", 1),
        ("spBv1.0/STATE/scada", 1),
        ("spBv1.0/acme/DCMD/gw-01/+", 1),
    ]
    (command,) = day.plant.asked
    assert (command.device, command.tag, command.value) == ("press", "t_int16", -5)
    assert verbs(day, "alone") == []


@tck("message-flow-edge-node-birth-publish-phid-wait", "operational-behavior-edge-node-birth-sequence-wait")
@tck("message-flow-edge-node-birth-publish-phid-wait-id", "message-flow-edge-node-birth-publish-phid-wait-online")
def nothing_is_said_before_the_primary_host_is_online(day: Day) -> None:
    """Another host was online meanwhile, and ours had said that it is not."""
    assert verbs(day, "alone") == []
    assert verbs(day, "births") == ["NBIRTH", "DBIRTH", "DBIRTH"]


@tck("message-flow-edge-node-birth-publish-phid-wait-timestamp")
def an_outdated_online_is_none(day: Day) -> None:
    """On the next connection, too."""
    assert verbs(day, "again") == []
    assert verbs(day, "online")[0] == "NBIRTH"


@tck("operational-behavior-edge-node-termination-host-offline-timestamp")
def an_outdated_offline_is_none(day: Day) -> None:
    assert "NDEATH" not in verbs(day, "outdated")
    assert "DDATA" in verbs(day, "outdated")


@tck("message-flow-edge-node-birth-publish-phid-offline", "operational-behavior-edge-node-termination-host-offline")
def when_the_primary_host_goes_so_does_the_node(day: Day) -> None:
    """The time of the host's death is that of its birth."""
    assert verbs(day, "offline") == ["NDEATH"]
    assert [packet.kind for packet in kind(day, DISCONNECT) if packet.phase == "offline"] == [DISCONNECT]


@tck("operational-behavior-edge-node-termination-host-offline-reconnect")
def and_comes_back(day: Day) -> None:
    assert [packet.phase for packet in kind(day, CONNECT)] == ["alone", "again"]
    assert verbs(day, "online")[:3] == ["NBIRTH", "DBIRTH", "DBIRTH"]


@tck("operational-behavior-data-commands-rebirth-action-1", "operational-behavior-data-commands-rebirth-action-2")
@tck("operational-behavior-data-commands-rebirth-action-3")
def a_rebirth_is_a_whole_birth_with_the_same_bdseq(day: Day) -> None:
    assert verbs(day, "rebirth") == ["NBIRTH", "DBIRTH", "DBIRTH"]
    ((_, payload),) = said(day, "NBIRTH", "rebirth")
    assert named(payload, "bdSeq").value == 0
    assert verbs(day, "after")[0] == "DDATA"


@tck("operational-behavior-device-ddeath")
def a_device_that_is_lost_dies_and_one_that_is_back_is_born(day: Day) -> None:
    assert [verb for verb in verbs(day, "device") if verb != "NDATA"] == ["DDATA", "DDEATH", "DBIRTH", "DDATA"]
    ((packet, payload),) = said(day, "DDEATH", "device")
    assert packet.topic.endswith("/press")
    assert payload.metrics == ()


@tck("operational-behavior-edge-node-intentional-disconnect-ndeath", "payloads-ndeath-will-message-publisher")
@tck("operational-behavior-edge-node-intentional-disconnect-packet")
@tck("payloads-ndeath-will-message-publisher-disconnect-mqtt311")
@tck("payloads-ndeath-will-message-publisher-disconnect-mqtt50")
def an_end_is_told_before_it_comes(day: Day) -> None:
    assert verbs(day, "stop") == ["DDEATH", "DDEATH", "NDEATH"]
    last = day.wire.packets[-1]
    assert (last.kind, last.reason) == (DISCONNECT, 4 if day.version == "5" else 0)
    assert everything(day)[-1][0].topic == NODE.format("NDEATH")
    deaths = [payload for topic, payload in day.witnessed if topic == NODE.format("NDEATH")]
    assert {named(codec.decode(payload), "bdSeq").value for payload in deaths} == {0, 1}
