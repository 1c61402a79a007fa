"""RPC over the gateway API: read strictly, answered each, never from what may have waited."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.northbound.command import Unreadable
from agent.northbound.house import Alone, Answer, Answered, Command
from agent.northbound.thingsboard.names import Names
from agent.northbound.thingsboard.rpc import Call, called, commanded, replied
from agent.northbound.thingsboard.sink import ThingsBoardSink
from tests.sim.mosquitto import Mosquitto
from tests.sim.thingsboard import ACL, ThingsBoard
from tests.sim.thingsboard import thingsboard as serving
from tests.unit.northbound.making import beside, entry, schema, thingsboard

NAMES = Names("{device}", "gw", ())
PRESS = schema("setpoint", "speed", device="press-3")


class Guard(Alone):
    """Notes what it is asked, and answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Command] = []
        self.dropped = 0

    def submit(self, command: Command, answered: Answered) -> None:
        self.asked.append(command)
        answered(Answer("done", value=command.value, audit=7))

    def drop(self) -> None:
        self.dropped += 1


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, acl=ACL) as running:
        yield running


@asynccontextmanager
async def meeting(broker: Mosquitto, guard: Guard, **keys: Any) -> AsyncIterator[tuple[ThingsBoard, ThingsBoardSink]]:
    keys = {"commands": {"allow": ["press-3/setpoint"]}, "hold_off": "0s", **keys}
    async with serving(broker) as platform, beside(thingsboard(broker, guard, **keys)) as sink:
        await sink.send([entry([1.0, 2.0], of=PRESS)])
        await platform.until(lambda: platform.connected == {"press-3"})
        yield platform, sink


async def test_the_method_is_write_or_the_tag(broker: Mosquitto) -> None:
    guard = Guard()
    async with meeting(broker, guard) as (platform, _):
        found = await platform.ask("press-3", 5, "write", {"tag": "setpoint", "value": 22.5})
        assert found == {"success": True, "outcome": "done", "value": 22.5, "message": "", "hint": "", "audit": 7}
        await platform.ask("press-3", 6, "setpoint", 23)
        await platform.ask("press-3", 7, "setpoint", {"value": True, "ttl": "10s", "issued_at": 1_700_000_000_123})
        await platform.ask("press-3", 8, "setpoint", {"value": "on", "id": "mine"})
        assert platform.faults == []
    assert [(each.device, each.tag, each.value) for each in guard.asked] == [
        ("press-3", "setpoint", 22.5),
        ("press-3", "setpoint", 23),
        ("press-3", "setpoint", True),
        ("press-3", "setpoint", "on"),
    ]
    assert [(each.issued, each.ttl) for each in guard.asked] == [
        (0, 0),
        (0, 0),
        (1_700_000_000_123 * 10**6, 10),
        (0, 0),
    ]
    ids = [each.id for each in guard.asked]
    assert ids[0].split("/")[1:] == ["5", "press-3"] and ids[3] == "mine"
    assert guard.dropped == 1


async def test_the_platform_s_numbers_are_other_ones_over_another_connection(broker: Mosquitto) -> None:
    guard = Guard()
    for _ in range(2):
        async with meeting(broker, guard) as (platform, _):
            await platform.ask("press-3", 1, "setpoint", 1)
    assert len({each.id for each in guard.asked}) == 2


async def test_what_may_have_waited_is_not_passed_on(broker: Mosquitto) -> None:
    guard = Guard()
    async with meeting(broker, guard, hold_off="60s") as (platform, _):
        found = await platform.ask("press-3", 1, "setpoint", 1)
        assert (found["success"], found["outcome"]) == (False, "stale")
        now = time.time_ns() // 10**6
        assert (await platform.ask("press-3", 2, "setpoint", {"value": 1, "issued_at": now}))["outcome"] == "done"
    assert len(guard.asked) == 1


async def test_a_retained_message_is_no_command(broker: Mosquitto) -> None:
    guard = Guard()
    call = json.dumps({"device": "press-3", "data": {"id": 1, "method": "setpoint", "params": 1}})
    async with serving(broker) as platform:
        await platform.say(call, retain=True)
    async with meeting(broker, guard) as (platform, _):
        await platform.until(lambda: platform.answers)
        assert platform.answers[0]["data"]["outcome"] == "stale"
    assert guard.asked == []


async def test_what_is_no_rpc_is_passed_over_and_told_once(broker: Mosquitto) -> None:
    guard = Guard()
    async with meeting(broker, guard) as (platform, _):
        for wrong in (b"{", b"\xff" * 1000, b"[" * 50_000, b"x" * 100_000, b"null", b'{"device":"press-3"}'):
            await platform.say(wrong)
        assert (await platform.ask("press-3", 1, "write", {"tag": "setpoint"}))["outcome"] == "forbidden"
        assert len(platform.answers) == 1
    assert guard.asked == []
    assert len(guard.notes) == 1 and "is no RPC" in guard.notes[0]


async def test_without_the_section_nobody_listens(broker: Mosquitto) -> None:
    guard = Guard()
    async with meeting(broker, guard, commands=None) as (platform, sink):
        await platform.call("press-3", 1, "setpoint", 1)
        await sink.send([entry([1.0, 2.0], of=PRESS)])
    assert guard.asked == []
    assert "SUBSCRIBE" in broker.log and "floorgate-gw-01-tb 1 v1/gateway/rpc" not in broker.log


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"data": {"id": 1, "method": "a"}}, "has a `device`"),
        ({"device": "", "data": {"id": 1, "method": "a"}}, "has a `device`"),
        ({"device": "d" * 300, "data": {"id": 1, "method": "a"}}, "has a `device`"),
        ({"device": "d", "data": []}, "has a `device`"),
        ({"device": "d", "data": {"id": 1}}, "a `method`"),
        ({"device": "d", "data": {"id": True, "method": "a"}}, "number or a short text"),
        ({"device": "d", "data": {"id": None, "method": "a"}}, "number or a short text"),
        ({"device": "d", "data": {"id": 2**64, "method": "a"}}, "number or a short text"),
        ({"device": "d", "data": {"id": "x" * 200, "method": "a"}}, "number or a short text"),
        ({"device": "d", "data": {"id": 1.5, "method": "a"}}, "number or a short text"),
    ],
)
def test_what_cannot_be_answered(payload: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        called(json.dumps(payload).encode())


def test_an_answer_that_comes_back_is_none_of_our_business() -> None:
    call = Call("press-3", 5, "setpoint", 1)
    assert called(replied(call, Answer("done", value=1))) is None


@pytest.mark.parametrize(
    ("method", "params", "why"),
    [
        ("write", None, "tag is missing"),
        ("write", {"tag": "setpoint"}, "value is missing"),
        ("write", {"tag": "setpoint", "value": [1]}, "`value` must be"),
        ("write", {"tag": "", "value": 1}, "`tag` must be text"),
        ("write", {"tag": "setpoint", "value": 1, "device": "press-4"}, "no parameter 'device'"),
        ("write", {"tag": "setpoint", "value": 1, "who": "root"}, "no parameter 'who'"),
        ("write", {"tag": "setpoint", "value": 1, "issued_at": "now"}, "`issued_at` must be"),
        ("write", {"tag": "setpoint", "value": 1, "id": "\n"}, "`id` must be"),
        ("setpoint", None, "`value` must be"),
        ("setpoint", {"tag": "other", "value": 1}, "the method is the tag"),
        ("set\npoint", 1, "`tag` must be"),
        ("x" * 200, 1, "`tag` must be"),
    ],
)
def test_what_is_no_command(method: str, params: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        commanded(Call("press-3", 1, method, params), NAMES, "run")


def test_a_device_of_another_gateway_is_none_of_ours() -> None:
    with pytest.raises(Unreadable, match="there is no device"):
        commanded(Call("gw-2 press-3", 1, "setpoint", 1), Names("gw-1 {device}", "gw", ()), "run")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_refused_or_is_a_call(payload: bytes) -> None:
    try:
        call = called(payload)
    except Unreadable:
        return
    assert call is None or isinstance(call, Call)


@given(st.sampled_from(["write", "setpoint"]), json_values)
def test_whatever_is_called_is_refused_or_is_a_command_for_that_device(method: str, params: Any) -> None:
    try:
        command = commanded(Call("press-3", 1, method, params), NAMES, "run")
    except Unreadable:
        return
    assert command.device == "press-3" and command.id and command.who == "ThingsBoard"
