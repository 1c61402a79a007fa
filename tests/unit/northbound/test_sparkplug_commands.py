"""What host applications ask for: writes, rebirths, nonsense, and all of it too often."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.model.errors import Denied
from agent.northbound.house import Answer, Answered, Command
from agent.northbound.sparkplug import codec
from tests.sim.mosquitto import Mosquitto
from tests.sim.mqtt_tap import Tap, tap
from tests.unit.northbound.fake_broker import fake_broker
from tests.unit.northbound.sparkplug_world import (
    METER,
    PRESS,
    REBIRTH,
    Plant,
    command,
    denying,
    heard,
    running,
    say,
    sparkplug,
    until,
)

NODE, DEVICE = "spBv1.0/acme/NCMD/gw-01", "spBv1.0/acme/DCMD/gw-01/press"
ALLOWED: dict[str, Any] = {"commands": {"allow": ["*/*"]}}


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.read_all()
    return plant


@pytest.fixture
async def wire(broker: Mosquitto) -> AsyncIterator[Tap]:
    async with tap(broker.port) as wire:
        yield wire


async def aliases(wire: Tap) -> dict[str, int | None]:
    """Of the press, as the birth tells them."""
    await until(lambda: "press" in heard(wire).devices, "a birth")
    return {name: known.alias for name, known in heard(wire).devices["press"].by_name.items()}


def answers(wire: Tap) -> list[dict[str, Any]]:
    samples = heard(wire).samples
    return [json.loads(str(sample.value)) for sample in samples if sample.metric == "Command/Answer"]


async def answered(wire: Tap, count: int = 1) -> list[dict[str, Any]]:
    await until(lambda: len(answers(wire)) >= count, f"{count} answers")
    assert heard(wire).faults == []
    return answers(wire)


TYPED = {
    "t_int8": (codec.INT, 2**32 - 8, -8),
    "t_int64": (codec.LONG, 2**64 - 5, -5),
    "t_uint32": (codec.INT, 2**32 - 1, 2**32 - 1),
    "t_uint64": (codec.LONG, 2**64 - 1, 2**64 - 1),
    "t_float32": (codec.SINGLE, 1.5, 1.5),
    "t_float64": (codec.TWICE, 0.1, 0.1),
    "t_bool": (codec.TRUTH, True, True),
    "t_str": (codec.TEXT, "an", "an"),
}


@pytest.mark.parametrize("by", ["name", "alias"])
async def test_a_metric_is_written_by_its_name_or_its_alias(
    broker: Mosquitto, wire: Tap, plant: Plant, by: str
) -> None:
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        known = await aliases(wire)
        for name, (field, value, _) in TYPED.items():
            which = {"name": name} if by == "name" else {"alias": known[name]}
            say(broker, DEVICE, command(**which, timestamp=1_700_000_000_123, field=field, value=value))
        told = await answered(wire, len(TYPED))
    assert [(each.device, each.tag, each.value) for each in plant.asked] == [
        ("press", name, value) for name, (_, _, value) in TYPED.items()
    ]
    assert {each.issued for each in plant.asked} == {1_700_000_000_123_000_000}
    assert [(each["tag"], each["outcome"], each["value"]) for each in told] == [
        (name, "done", value) for name, (_, _, value) in TYPED.items()
    ]
    assert (told[0]["device"], told[0]["audit"]) == ("press", 7)


async def test_a_command_without_a_time_has_that_of_its_payload(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    before = time.time_ns() // 10**6 * 10**6
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        say(broker, DEVICE, command(name="t_bool", field=codec.TRUTH, value=True))
        say(broker, DEVICE, command(name="t_bool", field=codec.TRUTH, value=True, timestamp=2**64 - 1))
        await answered(wire, 2)
    assert before <= plant.asked[0].issued <= time.time_ns()
    assert plant.asked[1].issued // 10**9 == 253_402_300_799  # the end of the year 9999


NONSENSE = {
    "press has no metric nothing": command(name="nothing", field=codec.INT, value=1),
    "press has no metric voltage": command(name="voltage", field=codec.INT, value=1),
    "press has no metric alias 1": command(alias=1, field=codec.INT, value=1),  # which is the meter's
    "press has no metric alias 18446744073709551615": command(alias=2**64 - 1, field=codec.INT, value=1),
    "press has no metric alias None": command(field=codec.INT, value=1),
    "press has no metric ": command(name="", field=codec.INT, value=1),
    "a command needs a value": command(name="t_int16"),
    "a command needs a value that": codec.encode(
        1, [codec.metric(codec.text(1, "t_int16") + b"\x38\x01\x50\x05")], None
    ),
    "a command needs a value that a": codec.encode(1, [codec.metric(codec.text(1, "t_int16") + b"\x8a\x01\x00")], None),
    "this is no payload of Sparkplug B": b"\xff\xff",
    "this is no payload of Sparkplug B: ": b'{"value": 1}',
    "70,000 bytes are too many for a command": b"\x08" * 70_000,
    "a payload of more than 1,000 metrics": codec.encode(1, [codec.metric(b"")] * 1001, None),
}


@pytest.mark.parametrize("said", NONSENSE)
async def test_what_means_no_tag_or_no_value_is_answered_and_goes_no_further(
    broker: Mosquitto, wire: Tap, plant: Plant, said: str
) -> None:
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        say(broker, DEVICE, NONSENSE[said])
        (told,) = await answered(wire)
    assert plant.asked == []
    assert (told["outcome"], told["device"], told["value"], told["audit"]) == ("forbidden", "press", None, 0)
    assert said in told["message"]


async def test_a_device_that_is_not_there_has_no_metrics(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        say(broker, DEVICE.replace("press", "other"), command(name="t_bool", field=codec.TRUTH, value=True))
        (told,) = await answered(wire)
    assert (told["outcome"], told["message"]) == ("forbidden", "other has no metric t_bool")


async def test_an_alias_of_another_session_writes_nothing(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        alias = (await aliases(wire))["t_bool"]
    more = Plant((METER, PRESS))
    more.kept = plant.kept  # a restart with other devices
    more.read_all()
    async with running(sparkplug(wire.url, more, **ALLOWED)):
        assert alias not in (await aliases(wire)).values()
        say(broker, DEVICE, command(alias=alias, field=codec.TRUTH, value=True))
        (told,) = await answered(wire)
    assert (told["outcome"], more.asked) == ("forbidden", [])


async def test_what_is_retained_is_no_command(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    say(broker, DEVICE, command(name="t_bool", field=codec.TRUTH, value=True), "-r")
    say(broker, NODE, REBIRTH, "-r")
    sink = sparkplug(wire.url, plant, **ALLOWED)
    await sink.open()
    await asyncio.sleep(0.1)
    await sink.ready()
    await sink.send([plant.meter()])
    await sink.close()
    assert plant.asked == []
    assert heard(wire).heard("NBIRTH") == 1


async def test_each_metric_of_a_payload_is_a_command(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    names = ["t_int8", "nothing", "t_int16"]
    metrics = [codec.metric(codec.text(1, name) + codec.value(codec.INT, 1)) for name in names]
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        say(broker, DEVICE, codec.encode(1, metrics, None))
        told = await answered(wire, 3)
    assert [each["outcome"] for each in told] == ["done", "forbidden", "done"]
    assert [each.tag for each in plant.asked] == ["t_int8", "t_int16"]


async def test_forged_ones_by_the_thousand_are_not_all_answered(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    """Fifty a second: what is forged must not crowd out data."""
    forged = [codec.metric(codec.number(2, alias) + codec.value(codec.INT, 1)) for alias in range(100, 1000)]
    async with running(sparkplug(wire.url, plant, **ALLOWED)) as sink:
        say(broker, DEVICE, codec.encode(1, forged, None))
        assert len(await answered(wire, 50)) == 50
        await sink.send([plant.meter()])
    assert plant.asked == []
    assert len(answers(wire)) == 50


async def test_without_commands_nothing_is_written_and_the_right_to_listen_is_not_needed(plant: Plant) -> None:
    async with fake_broker(subscribed=denying(b"DCMD")) as broker:
        async with running(sparkplug(broker.url, plant, protocol="5")) as sink:
            await sink.send([plant.meter()])
        (notice,) = plant.notes
        assert "does not let us subscribe to spBv1.0/acme/DCMD/gw-01/+" in notice
        assert notice.endswith("; nothing can be written from there anyway")
        sink = sparkplug(broker.url, plant, protocol="5", **ALLOWED)
        with pytest.raises(Denied, match="DCMD"):
            await sink.open()


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"name": "Node Control/Reboot", "field": codec.TRUTH, "value": True}, "Node Control/Reboot of the node"),
        ({"name": "bdSeq", "field": codec.LONG, "value": 3}, "bdSeq of the node cannot be written"),
        ({"alias": 3, "field": codec.INT, "value": 1}, "alias 3 of the node cannot be written"),
    ],
)
async def test_of_the_node_nothing_is_written(
    broker: Mosquitto, wire: Tap, plant: Plant, metric: dict[str, Any], said: str
) -> None:
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        say(broker, NODE, command(**metric))
        (told,) = await answered(wire)
    assert (told["outcome"], told["hint"]) == ("forbidden", "there is Node Control/Rebirth")
    assert told["message"].startswith(said)


@pytest.mark.parametrize(("field", "value"), [(codec.TRUTH, False), (codec.INT, 1), (codec.TEXT, "true")])
async def test_a_rebirth_is_true_or_none(
    broker: Mosquitto, wire: Tap, plant: Plant, field: int, value: int | str
) -> None:
    async with running(sparkplug(wire.url, plant)):
        say(broker, NODE, command(name="Node Control/Rebirth", field=field, value=value))
        say(broker, NODE, command(name="bdSeq"))
        await answered(wire)
    assert heard(wire).heard("NBIRTH") == 1


async def test_a_storm_of_rebirths_is_a_few(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    """One at once, one a second later, while data go on."""
    many = codec.encode(1, [codec.metric(codec.text(1, "Node Control/Rebirth") + b"\x70\x01")] * 500, None)
    start = time.monotonic()
    async with running(sparkplug(wire.url, plant)) as sink:
        for _ in range(10):
            say(broker, NODE, many)
            await sink.send([plant.meter()])
        await until(lambda: heard(wire).heard("NBIRTH") >= 3, "a last rebirth")
        seconds = time.monotonic() - start
        await sink.send([plant.meter()])
    found = heard(wire)
    assert found.faults == []
    assert 3 <= found.heard("NBIRTH") <= 3 + seconds
    assert found.heard("DDATA", "meter") == 11
    assert set(found.bdseqs) == {0}


class Slow(Plant):
    """A house that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Answered] = []

    def submit(self, command: Command, answered: Answered) -> None:
        self.asked.append(command)
        self.waiting.append(answered)


async def test_an_answer_that_comes_too_late_is_told_nobody(broker: Mosquitto, wire: Tap) -> None:
    plant = Slow()
    plant.read_all()
    async with running(sparkplug(wire.url, plant, **ALLOWED)):
        say(broker, DEVICE, command(name="t_bool", field=codec.TRUTH, value=True))
        await until(lambda: plant.waiting, "a command")
    assert plant.dropped == 1
    before = len(wire.packets)
    plant.waiting[0](Answer("done", value=True))
    await asyncio.sleep(0.05)
    assert len(wire.packets) == before
