"""Events and alarms of an independent server, a frame each."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.model.errors import Refused
from agent.model.frame import Frame
from agent.model.quality import Quality
from drivers.opcua.eventing import EventsConfig, Level, column, dtype, path
from drivers.opcua.events import Events, event_plan, text
from drivers.opcua.session import Session
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer
from tests.unit.opcua.conftest import Connect, device
from tests.unit.opcua.fakes import FakeSession

pytestmark = pytest.mark.xdist_group("opcua")
TEMP = {"temp": f"nsu={MACHINE};s=Temp"}


def told(frame: Frame) -> dict[str, Any]:
    return {tag.name: value for tag, value, _ in frame.rows()}


async def until(stream: Any, group: str, **wanted: Any) -> Frame:
    """The first frame of a group with these values."""
    async with asyncio.timeout(10):
        async for frame in stream:
            if frame.schema.group == group and told(frame).items() >= wanted.items():
                return cast(Frame, frame)
    raise AssertionError


async def test_an_event_is_a_frame_with_its_own_time(machine: OpcuaServer, connect: Connect) -> None:
    """Fields that its type does not have are no columns of it."""
    events = [{"name": "all", "fields": ["Time", "Message", "Severity", "SourceName", "ActiveState/Id"]}]
    driver = await connect(machine.endpoint, TEMP, events=events)
    stream = driver.frames()
    await until(stream, "100ms")
    began = datetime.now(UTC).timestamp()
    machine.tell(event="door open", severity=700)
    frame = await until(stream, "all", Message="door open")
    assert told(frame).keys() == {"Time", "Message", "Severity", "SourceName"}
    assert (told(frame)["Severity"], told(frame)["SourceName"]) == (700, "Machine")
    assert not any(frame.quality)
    stamp = cast(tuple[int, ...], frame.stamps)[0] / 1e9
    assert began - 0.1 < stamp < began + 5
    assert told(frame)["Time"] == datetime.fromtimestamp(stamp, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


async def test_many_events_at_once_all_come_and_in_order(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, TEMP, events=[{"name": "all", "fields": ["Message"]}])
    stream = driver.frames()
    await until(stream, "100ms")
    for number in range(300):
        machine.tell(event=f"n{number}")
    seen: list[str] = []
    while not seen or seen[-1] != "n299":
        message = told(await until(stream, "all"))["Message"]
        seen += [message] if message.startswith("n") else []
    assert seen == [f"n{number}" for number in range(300)]


async def test_an_alarm_comes_and_goes_and_stands_after_a_connect(machine: OpcuaServer, connect: Connect) -> None:
    """A gateway that connects while an alarm stands is told of it at once."""
    events = [{"name": "alarms", "conditions": True}]
    wanted = {"ConditionName": "TempAlarm", "ActiveState_Id": True}
    stream = (first := await connect(machine.endpoint, TEMP, events=events)).frames()
    await until(stream, "100ms")
    machine.tell(node="Temp", value=95)
    frame = await until(stream, "alarms", **wanted)
    assert told(frame)["ActiveState"] == "Active"
    assert told(frame)["ConditionId"] == f"nsu={MACHINE};s=Machine-TempAlarm"
    assert first.refused == {}
    await first.close()
    stream = (await connect(machine.endpoint, TEMP, events=events)).frames()
    assert told(await until(stream, "alarms", **wanted))["Retain"] is True
    machine.tell(node="Temp", value=20)
    await until(stream, "alarms", ConditionName="TempAlarm", ActiveState_Id=False)


async def test_only_what_is_severe_enough_comes(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, TEMP, events=[{"name": "severe", "severity": 500}])
    stream = driver.frames()
    await until(stream, "100ms")
    machine.tell(event="small", severity=499)
    machine.tell(event="large", severity=500)
    assert told(await until(stream, "severe"))["Message"] == "large"


async def test_events_of_a_node_that_has_none_do_not_stop_the_tags(machine: OpcuaServer, connect: Connect) -> None:
    events = [{"name": "bad", "node": f"nsu={MACHINE};s=Nobody"}, {"name": "odd", "fields": ["Message", "2:Nothing"]}]
    driver = await connect(machine.endpoint, TEMP, events=events)
    stream = driver.frames()
    assert set((await until(stream, "bad")).quality) == {Quality.BAD_CONFIG}
    assert {"bad", "2:Nothing"} == driver.refused.keys()


async def test_a_device_that_has_nothing_but_events_that_nobody_tells(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, {}, events=[{"name": "bad", "node": "nsu=urn:nobody;s=x"}])
    with pytest.raises(Refused, match="namespace"):
        await anext(driver.frames())


async def test_events_are_not_read(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, TEMP, events=[{"name": "all"}])
    frames = [await driver.scan(schema) for schema in driver.schemas]
    assert [(frame.schema.group, len(frame.values)) for frame in frames] == [("100ms", 1), ("all", 0)]


@pytest.mark.parametrize(
    ("field", "levels", "name", "kind"),
    [
        ("Severity", [(0, "Severity")], "Severity", "uint16"),
        ("ActiveState/Id", [(0, "ActiveState"), (0, "Id")], "ActiveState_Id", "bool"),
        ("ActiveState", [(0, "ActiveState")], "ActiveState", "str"),
        ("2:Batch no", [(2, "Batch no")], "Batch_no", "str"),
        ("nsu=http://a/b/;Part/3:Id", [("http://a/b/", "Part"), (3, "Id")], "Part_Id", "str"),
    ],
)
def test_fields(field: str, levels: list[Any], name: str, kind: str) -> None:
    assert (path(field), column(field), dtype(field)) == (tuple(Level(*each) for each in levels), name, kind)


@pytest.mark.parametrize("field", ["", "/", "a//b", "a/", "99999:x", "nsu=;x", "a;b"])
def test_what_is_no_field(field: str) -> None:
    with pytest.raises(ValueError, match="no field"):
        path(field)


@given(st.text(max_size=12))
def test_any_text_is_a_field_or_refused(field: str) -> None:
    try:
        levels = path(field)
    except ValueError:
        return
    assert all(level.name for level in levels)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"events": [{"name": "1s"}], "interval": "1s"}, "another group"),
        ({"events": [{"name": "a"}, {"name": "a"}]}, "another group"),
        ({"events": [{"name": "a"}], "mode": "poll"}, "subscription"),
        ({"events": [{"name": "a", "fields": ["A/B", "A_B"]}]}, "A_B"),
        ({"events": [{"name": "a", "fields": []}]}, "at least 1"),
        ({"events": [{"name": "a", "node": "Machine"}]}, "node id"),
    ],
)
def test_what_no_device_can_say(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        device("opc.tcp://127.0.0.1:1", {}, **keys)


def events(*fields: str) -> Events:
    session = FakeSession()
    session.namespaces = {"urn:x": 1}  # type: ignore[attr-defined]  # as a session has it
    return Events(event_plan("d", EventsConfig(name="all", fields=list(fields))), cast(Session, session))


def notified(*values: Any, kind: Any = None) -> ua.EventNotificationList:
    fields = [ua.Variant(kind or ua.NodeId(2041)), ua.Variant(None), *map(ua.Variant, values)]
    return ua.EventNotificationList(Events=[ua.EventFieldList(EventFields=fields)])


def test_a_notification_that_does_not_fit_is_no_frame() -> None:
    """Too few fields, none at all, or a number that is none."""
    source = events("Message", "Severity")
    assert source.take(notified("x"), 1, 1) == []
    assert source.take(ua.EventNotificationList(), 1, 1) == []
    (frame,) = source.take(notified("x" * 10_000, "high"), 5, 1)
    assert (len(cast(str, frame.values[0])), frame.values[1]) == (4096, None)
    assert (frame.quality, frame.stamps) == (bytes((0, Quality.BAD_DECODE)), (5, 5))


def test_the_bracket_around_a_refresh_is_left_out_and_its_request_is_heard() -> None:
    source = events("Message")
    assert source.take(notified("x", kind=ua.NodeId(2787)), 1, 1) == []
    assert not source.stale
    assert source.take(notified("x", kind=ua.NodeId(2789)), 1, 1) == []
    assert source.stale
    assert len(source.take(notified("x", kind=ua.NodeId(3035)), 1, 1)) == source.overflows == 1


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (ua.LocalizedText("door"), "door"),
        (ua.LocalizedText(None), ""),
        (ua.QualifiedName("n", 2), "n"),
        (ua.StatusCode(0x80340000), "BadNodeIdUnknown"),
        (b"\x00\xff", "00ff"),
        (True, "true"),
        (datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), "2026-01-02T03:04:05.006Z"),
        (ua.NodeId("x", 2), "ns=2;s=x"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1, 2], "[1, 2]"),
        ("T\udcfcr", "T\ufffdr"),  # as asyncua gives Latin-1 from a server that should have sent UTF-8
    ],
)
def test_whatever_a_field_holds_has_a_text(held: Any, said: str) -> None:
    assert text(held) == said
