"""A line: devices take turns, and a dead one costs a deadline, then less and less."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from agent.health import Health
from agent.model.clock import Clock
from agent.model.errors import Garbled, Refused, Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import compile_step
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from agent.runtime.supervise import Backoff

DEADLINE = 0.1  # seconds that a dead device takes


class Device:
    """A device in memory; `answer` decides what a scan does."""

    def __init__(self, name: str, interval: float = 0.02, groups: int = 1) -> None:
        self.device, self.endpoint, self.line = name, "tcp://line", "tcp://line"
        self.schemas = tuple(
            Schema(name, f"g{i}", (Tag("a", "int16"), Tag("b", "float64")), interval) for i in range(groups)
        )
        self.opened = self.closed = self.scans = 0
        self.dead = False
        self.fail: Callable[[Schema], Exception | None] = lambda schema: None

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    async def scan(self, schema: Schema) -> Frame:
        self.scans += 1
        if self.dead:
            await asyncio.sleep(DEADLINE)
            raise Unreachable(f"{self.device}: no answer")
        if error := self.fail(schema):
            raise error
        await asyncio.sleep(0.0005)
        return Frame(schema, self.scans, (self.scans, 0.5), bytes(2))


class Bench:
    """A line with its devices, run for a while; what came out by device."""

    def __init__(self, *devices: Device, backoff: Callable[[], Backoff] = lambda: Backoff(60)) -> None:
        self.inlet, self.health = Inlet(limit=1 << 30), Health()
        part = self.health.part("line", "tcp://line")
        steps = {schema: compile_step(schema) for device in devices for schema in device.schemas}
        self.line = Line(devices, part, steps, self.inlet, self.health, Clock(), backoff=backoff)
        self.frames: dict[str, list[Frame]] = {device.device: [] for device in devices}

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.line.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        self.inlet.close()
        for frame in await self.inlet.take(0):
            self.frames[frame.schema.device].append(frame)


async def test_each_device_is_scanned_at_its_interval_and_closed_in_the_end() -> None:
    quick, slow = Device("quick", 0.02), Device("slow", 0.1)
    bench = Bench(quick, slow)
    await bench.run(1.0)
    assert 40 <= len(bench.frames["quick"]) <= 51
    assert 8 <= len(bench.frames["slow"]) <= 11
    assert (quick.opened, quick.closed, slow.opened, slow.closed) == (1, 1, 1, 1)
    assert bench.health.part("device", "quick").state == "up"


async def test_a_dead_device_costs_its_neighbours_one_deadline_per_step_of_its_back_off() -> None:
    dead, alive = Device("dead"), Device("alive")
    dead.dead = True
    bench = Bench(dead, alive, backoff=lambda: Backoff(60, jitter=lambda: 0.3))
    await bench.run(1.5)
    assert dead.scans == 3  # at once, after 0.3 s, after another 0.6 s
    assert len(bench.frames["alive"]) >= (1.5 - 3 * DEADLINE) / 0.02 * 0.85


async def test_a_device_that_dies_leaves_one_bad_frame_per_group_and_comes_back() -> None:
    device = Device("meter", groups=2)
    bench = Bench(device, backoff=lambda: Backoff(60, jitter=lambda: 0.02))
    asyncio.get_running_loop().call_later(0.2, setattr, device, "dead", True)
    asyncio.get_running_loop().call_later(0.5, setattr, device, "dead", False)
    await bench.run(1.0)
    bad = [frame for frame in bench.frames["meter"] if any(frame.quality)]
    assert [(frame.schema.group, set(frame.quality), set(frame.values)) for frame in bad] == [
        ("g0", {Quality.BAD_COMM}, {None}),
        ("g1", {Quality.BAD_COMM}, {None}),
    ]
    assert not any(bench.frames["meter"][-1].quality)
    assert device.opened >= 2, "a device is opened anew after it failed"


async def test_a_refused_group_is_marked_and_asked_less_often_while_the_others_go_on() -> None:
    device = Device("meter", groups=2)
    device.fail = lambda schema: Refused("illegal data address") if schema.group == "g0" else None
    bench = Bench(device, backoff=lambda: Backoff(60, jitter=lambda: 0.2))
    await bench.run(0.6)
    by_group = {group: [f for f in bench.frames["meter"] if f.schema.group == group] for group in ("g0", "g1")}
    assert [set(frame.quality) for frame in by_group["g0"]] == [{Quality.BAD_DEVICE}]
    assert len(by_group["g1"]) > 20
    assert device.opened == 1


async def test_a_refused_group_is_logged_on_its_edges_only(caplog: pytest.LogCaptureFixture) -> None:
    """However often the other groups of the device are read meanwhile."""
    device = Device("meter", groups=2)
    device.fail = lambda schema: Refused("illegal data address") if schema.group == "g0" else None
    bench = Bench(device, backoff=lambda: Backoff(60, jitter=lambda: 0.02))
    asyncio.get_running_loop().call_later(0.3, setattr, device, "fail", lambda schema: None)
    with caplog.at_level(logging.INFO, "floorgate"):
        await bench.run(0.8)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["group meter/g0: illegal data address", "group meter/g0 is back"]
    assert (bench.health.part("device", "meter").state, bench.health.part("group", "meter/g0").state) == ("up", "up")


async def test_a_device_that_refuses_to_be_opened_is_marked_as_a_whole() -> None:
    device = Device("press", groups=2)

    async def refuse() -> None:
        raise Refused("the server wants a user")

    device.open = refuse  # type: ignore[method-assign]  # this device wants a user
    bench = Bench(device, backoff=lambda: Backoff(60, jitter=lambda: 1.0))
    await bench.run(0.2)
    marks = [(frame.schema.group, set(frame.quality)) for frame in bench.frames["press"]]
    assert marks == [("g0", {Quality.BAD_DEVICE}), ("g1", {Quality.BAD_DEVICE})]
    assert bench.health.part("device", "press").failures == 1


async def test_a_block_that_stays_silent_takes_a_small_share_of_the_line() -> None:
    """The rest of the group is read all the same, so it is not a dead device, and has no back-off."""
    partly, alive = Device("partly"), Device("alive")

    async def scan(schema: Schema) -> Frame:
        await asyncio.sleep(DEADLINE)
        return Frame(schema, 1, (1, None), bytes((Quality.GOOD, Quality.BAD_COMM)))

    partly.scan = scan  # type: ignore[method-assign]  # its second block gives no answer
    bench = Bench(partly, alive)
    await bench.run(1.2)
    assert 2 <= len(bench.frames["partly"]) <= 3, "each of them is followed by four deadlines of rest"
    assert len(bench.frames["alive"]) >= (1.2 - 3 * DEADLINE) / 0.02 * 0.85


async def test_many_dead_devices_together_take_a_small_share_of_the_line() -> None:
    alive, dead = Device("alive"), [Device(f"dead{number}") for number in range(4)]
    for device in dead:
        device.dead = True
    bench = Bench(alive, *dead, backoff=lambda: Backoff(60, jitter=lambda: 0.0))
    await bench.run(2.0)
    probes = sum(device.scans for device in dead)
    assert probes <= 4 + 1 + (2.0 - 4 * DEADLINE) / DEADLINE / 3, "after the first round: a quarter of the time at most"
    assert all(device.scans >= 2 for device in dead)


async def test_dead_devices_alone_on_a_line_are_probed_as_their_back_off_says() -> None:
    dead = [Device(f"dead{number}") for number in range(3)]
    for device in dead:
        device.dead = True
    bench = Bench(*dead, backoff=lambda: Backoff(60, jitter=lambda: 0.0))
    await bench.run(1.5)
    assert min(device.scans for device in dead) >= 4


async def test_a_garbled_answer_and_a_bug_put_only_their_own_device_in_doubt() -> None:
    noisy, buggy, fine = Device("noisy"), Device("buggy"), Device("fine")
    noisy.fail = lambda schema: Garbled("checksum")
    buggy.fail = lambda schema: ZeroDivisionError()
    bench = Bench(noisy, buggy, fine)
    await bench.run(0.3)
    assert len(bench.frames["fine"]) > 10
    assert {frame.quality[0] for frame in bench.frames["noisy"] + bench.frames["buggy"]} == {Quality.BAD_COMM}
    assert bench.health.part("device", "buggy").bugs >= 1


async def test_scans_that_take_longer_than_the_interval_are_counted_as_late_and_not_doubled() -> None:
    device = Device("slow", 0.02)
    original = device.scan

    async def sluggish(schema: Schema) -> Frame:
        await asyncio.sleep(0.07)
        return await original(schema)

    device.scan = sluggish  # type: ignore[method-assign]  # this device is slow
    bench = Bench(device)
    await bench.run(0.5)
    assert 4 <= len(bench.frames["slow"]) <= 7
    assert bench.health.part("device", "slow").late >= 10


async def test_a_full_inlet_makes_the_line_wait_instead_of_losing_frames() -> None:
    device = Device("meter")
    bench = Bench(device)
    bench.inlet._limit = 100
    await bench.run(0.3)
    assert device.scans <= 6
    assert bench.health.part("device", "meter").dropped == 0
