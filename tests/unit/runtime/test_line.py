"""A line: devices take turns, and a dead one costs a deadline, then less and less. Time is virtual, so it is exact."""

import asyncio
import logging
from collections.abc import Callable, Mapping

import pytest

from agent.health import Health
from agent.model.errors import Garbled, Refused, Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Step, Steps
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from drivers.api import Learner, Priority
from tests.bench.virtual import running, virtually

ANSWER, DEADLINE = 0.01, 1.0  # seconds that a device takes: a living one, and a dead one


class Device:
    """A device in memory; `fail` decides what a scan does."""

    def __init__(self, name: str, interval: float = 1.0, groups: int = 1, answer: float = ANSWER) -> None:
        self.device, self.endpoint, self.line = name, "tcp://line", "tcp://line"
        self.schemas = tuple(
            Schema(name, f"g{i}", (Tag("a", "int16"), *[Tag("b", "float64")] * (groups - i)), interval)
            for i in range(groups)
        )
        self.answer = answer
        self.opened = self.closed = 0
        self.scans: list[tuple[float, str]] = []  # when, group
        self.dead = False
        self.fail: Callable[[Schema], Exception | None] = lambda schema: None
        self.silent = 0  # columns at the end that get no answer

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    async def scan(self, schema: Schema) -> Frame:
        self.scans.append((running().time(), schema.group))
        if self.dead or self.silent:
            await asyncio.sleep(DEADLINE)
        if self.dead:
            raise Unreachable(f"{self.device}: no answer")
        if error := self.fail(schema):
            raise error
        await asyncio.sleep(self.answer)
        good = len(schema.tags) - self.silent
        quality = bytes(good) + bytes((Quality.BAD_COMM,)) * self.silent
        values = (*(1,) * good, *(None,) * self.silent)
        return Frame(schema, running().mono(), values, quality)

    def times(self) -> list[float]:
        return [round(at, 2) for at, _ in self.scans]


class Keen(Device):
    """A device that learns something with each scan that it is told to."""

    news: bytes | None = None
    searching = False

    def recall(self, kept: bytes) -> None:
        raise AssertionError("the line recalls nothing")

    def learnt(self) -> bytes | None:
        news, self.news = self.news, None
        return news


class Bench:
    """A line with its devices, run for a while; what came out by device."""

    def __init__(self, *devices: Device, priority: Callable[[Schema], Priority] = lambda schema: "normal") -> None:
        self.devices, self.priority = devices, priority
        self.inlet, self.health = Inlet(limit=1 << 30), Health()
        self.frames: dict[str, list[Frame]] = {device.device: [] for device in devices}
        self.steps: Mapping[Schema, Step] | None = None  # others than the usual
        self.learnt: list[tuple[str, bytes]] = []
        self.events: list[tuple[float, Callable[[], object]]] = []

    def at(self, seconds: float, what: Callable[[], object]) -> "Bench":
        self.events.append((seconds, what))
        return self

    def run(self, seconds: float) -> "Bench":
        virtually(self._run(seconds))
        return self

    async def _run(self, seconds: float) -> None:
        part = self.health.part("line", "tcp://line")
        steps = self.steps or Steps(schema for device in self.devices for schema in device.schemas)
        line = Line(
            self.devices,
            part,
            steps,
            self.inlet,
            self.health,
            running().clock(),
            priority=self.priority,
            learn=lambda device, what: self.learnt.append((device, what)),
            luck=lambda: 0.0,
        )
        for when, what in self.events:
            running().call_at(when, what)
        task = asyncio.create_task(line.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        self.inlet.close()
        for frame in await self.inlet.take(0):
            self.frames[frame.schema.device].append(frame)

    @property
    def load(self) -> float:
        """Seconds for which the wire was busy."""
        return self.health.loads["tcp://line"].busy / 1e9


def test_each_device_is_scanned_at_its_interval_and_closed_in_the_end() -> None:
    quick, slow = Device("quick", 0.02, answer=0.0005), Device("slow", 0.1, answer=0.0005)
    bench = Bench(quick, slow).run(1.01)
    assert (len(bench.frames["quick"]), len(bench.frames["slow"])) == (50, 10)
    assert (quick.opened, quick.closed, slow.opened, slow.closed) == (1, 1, 1, 1)
    assert bench.health.part("device", "quick").state == "up"


def test_a_dead_device_costs_its_neighbours_one_deadline_per_probe() -> None:
    dead, alive = Device("dead"), Device("alive", 0.1)
    dead.dead = True
    bench = Bench(dead, alive).run(30.05)
    assert dead.times() == [1.0, 4.0, 9.0, 25.0], "after 2 s, after 4 s, then when the account has paid for it"
    assert len(bench.frames["alive"]) >= 299 - 4 * 10


def test_a_device_that_dies_leaves_one_bad_frame_per_group_and_comes_back() -> None:
    device = Device("meter", groups=2)
    bench = Bench(device)
    bench.at(5.5, lambda: setattr(device, "dead", True)).at(20, lambda: setattr(device, "dead", False)).run(40)
    bad = [frame for frame in bench.frames["meter"] if any(frame.quality)]
    assert [(frame.schema.group, set(frame.quality), set(frame.values)) for frame in bad] == [
        ("g0", {Quality.BAD_COMM}, {None}),
        ("g1", {Quality.BAD_COMM}, {None}),
    ]
    assert not any(bench.frames["meter"][-1].quality)
    assert device.opened >= 2, "a device is opened anew after it failed"


def test_a_probe_asks_for_the_smallest_group_that_the_device_has_not_refused() -> None:
    device = Device("meter", groups=3)
    device.fail = lambda schema: Refused("illegal data address") if schema.group == "g2" else None
    Bench(device).at(4.5, lambda: setattr(device, "dead", True)).run(30)
    probes = [group for at, group in device.scans if at > 6.5]
    assert len(probes) >= 3
    assert set(probes) == {"g1"}


def test_a_refused_group_is_marked_and_asked_less_often_while_the_others_go_on() -> None:
    device = Device("meter", groups=2)
    device.fail = lambda schema: Refused("illegal data address") if schema.group == "g0" else None
    bench = Bench(device).run(30.5)
    by_group = {group: [f for f in bench.frames["meter"] if f.schema.group == group] for group in ("g0", "g1")}
    assert [set(frame.quality) for frame in by_group["g0"]] == [{Quality.BAD_DEVICE}]
    assert len(by_group["g1"]) == 30
    assert [at for at, group in device.scans if group == "g0"] == pytest.approx([1, 3, 7, 13, 21], abs=0.02)
    assert device.opened == 1


def test_a_refused_group_is_logged_on_its_edges_only(caplog: pytest.LogCaptureFixture) -> None:
    """However often the other groups of the device are read meanwhile."""
    device = Device("meter", groups=2)
    device.fail = lambda schema: Refused("illegal data address") if schema.group == "g0" else None
    bench = Bench(device).at(30, lambda: setattr(device, "fail", lambda schema: None))
    with caplog.at_level(logging.INFO, "floorgate"):
        bench.run(60)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["group meter/g0: illegal data address", "group meter/g0 is back"]
    assert (bench.health.part("device", "meter").state, bench.health.part("group", "meter/g0").state) == ("up", "up")


def test_a_device_that_refuses_to_be_opened_is_marked_as_a_whole() -> None:
    device = Device("press", groups=2)

    async def refuse() -> None:
        raise Refused("the server wants a user")

    device.open = refuse  # type: ignore[method-assign]  # this device wants a user
    bench = Bench(device).run(2.5)
    marks = [(frame.schema.group, set(frame.quality)) for frame in bench.frames["press"]]
    assert marks == [("g0", {Quality.BAD_DEVICE}), ("g1", {Quality.BAD_DEVICE})]
    assert bench.health.part("device", "press").failures == 1


def test_a_block_that_stays_silent_takes_a_small_share_of_the_line() -> None:
    """The rest of the group is read all the same, so it is not a dead device, and has no back-off."""
    partly, alive = Device("partly"), Device("alive", 0.1)
    partly.silent = 1
    bench = Bench(partly, alive).run(200)
    assert 8 <= len(bench.frames["partly"]) <= 200 * 0.05 + 1, "each of them takes a second, and they may take 5 %"
    assert len(bench.frames["alive"]) >= 1999 - 10 * len(partly.scans)
    assert bench.health.part("device", "partly").state == "up"


def test_a_device_alone_is_read_as_often_as_it_should_be_even_if_a_part_is_silent() -> None:
    partly = Device("partly", interval=2.0)
    partly.silent = 1
    bench = Bench(partly).run(100.5)
    assert len(bench.frames["partly"]) >= 49


def test_many_dead_devices_together_take_a_small_share_of_the_line() -> None:
    alive, dead = Device("alive", 0.1), [Device(f"dead{number}") for number in range(4)]
    for device in dead:
        device.dead = True
    bench = Bench(alive, *dead).run(3600)
    late = sum(len([at for at in device.times() if at > 60]) for device in dead)
    assert late * DEADLINE <= 0.05 * 3540 + 1
    assert all(len(device.scans) >= 3600 / 300 for device in dead)
    assert bench.health.loads["tcp://line"].dead() == [device.device for device in dead]


def test_dead_devices_alone_on_a_line_are_probed_every_ten_seconds() -> None:
    dead = [Device(f"dead{number}") for number in range(3)]
    for device in dead:
        device.dead = True
    Bench(*dead).run(300)
    assert min(len(device.scans) for device in dead) >= 300 / 14


def test_devices_behind_a_gateway_that_comes_back_are_all_back_at_once() -> None:
    units = [Device(f"unit{number:02}") for number in range(20)]
    bench = Bench(*units)
    bench.at(10.5, lambda: [setattr(unit, "dead", True) for unit in units])
    bench.at(1000, lambda: [setattr(unit, "dead", False) for unit in units]).run(1015)
    assert all(unit.scans[-1][0] > 1013 for unit in units)
    assert {part.state for part in bench.health.parts.values()} == {"up"}
    assert {part.breaker for part in bench.health.loads["tcp://line"].devices} == {"closed"}


def test_a_garbled_answer_and_a_bug_put_only_their_own_device_in_doubt() -> None:
    noisy, buggy, fine = Device("noisy"), Device("buggy"), Device("fine")
    noisy.fail = lambda schema: Garbled("checksum")
    buggy.fail = lambda schema: ZeroDivisionError()
    bench = Bench(noisy, buggy, fine).run(20.5)
    assert len(bench.frames["fine"]) == 20
    assert {frame.quality[0] for frame in bench.frames["noisy"] + bench.frames["buggy"]} == {Quality.BAD_COMM}
    assert bench.health.part("device", "buggy").bugs >= 1


def test_scans_that_take_longer_than_the_interval_are_counted_as_late_and_not_doubled() -> None:
    bench = Bench(Device("slow", 0.02, answer=0.07)).run(0.5)
    assert len(bench.frames["slow"]) == 6
    assert bench.health.part("device", "slow").late == 6 * 3
    assert bench.health.loads["tcp://line"].late == 6 * 3


def test_what_a_dead_device_misses_is_not_late() -> None:
    dead, alive = Device("dead", 0.1), Device("alive", 10.0)
    dead.dead = True
    bench = Bench(dead, alive).run(60)
    assert bench.health.part("device", "dead").late <= 10, "only the deadline by which it was found out"


def test_a_full_inlet_makes_the_line_wait_instead_of_losing_frames() -> None:
    device = Device("meter", 0.02, answer=0.0005)
    bench = Bench(device)
    bench.inlet._limit = 100
    bench.run(10)
    assert len(device.scans) <= 6
    assert bench.health.part("device", "meter").dropped == 0
    assert bench.load <= 6 * 0.001, "to wait for the disk is no use of the wire"


def test_devices_that_need_no_waiting_leave_the_loop_to_others() -> None:
    """A line that is always behind, with a driver that never suspends."""

    class Instant(Device):
        async def scan(self, schema: Schema) -> Frame:
            running()._virtual.passed += 0.02
            return Frame(schema, 0, (1, 1), bytes(2))

    bench, seen = Bench(Instant("a", 0.01), Instant("b", 0.01)), list[float]()
    for tick in range(1, 10):
        bench.at(tick / 10, lambda: seen.append(running().time()))
    bench.run(1)
    assert len(seen) == 9


def test_high_goes_first_and_low_does_not_starve() -> None:
    """On a line that has twice as much to do as it has time for."""
    devices = [Device(name, 0.1, answer=0.07) for name in ("low", "normal", "high")]
    bench = Bench(*devices, priority=lambda schema: schema.device).run(120)  # type: ignore[arg-type,return-value]  # named so
    low, normal, high = (len(bench.frames[device.device]) for device in devices)
    assert high > 600 > normal > low > 8


def test_what_a_device_has_learnt_is_handed_on_once() -> None:
    device, other = Keen("meter"), Device("other")
    assert isinstance(device, Learner)
    bench = Bench(device, other)
    bench.at(3.5, lambda: setattr(device, "news", b"a hole")).at(7.5, lambda: setattr(device, "news", b"another"))
    bench.run(20)
    assert bench.learnt == [("meter", b"a hole"), ("meter", b"another")]


def test_a_group_is_asked_as_often_as_ever_while_its_device_looks_into_the_refusal() -> None:
    device = Keen("meter")
    device.fail = lambda schema: Refused("illegal data address")
    bench = Bench(device).at(4, lambda: setattr(device, "searching", True))
    bench.at(16.5, lambda: setattr(device, "searching", False)).run(40)
    assert device.times() == pytest.approx([1, 3, *range(7, 18)], abs=0.02)
    assert len(bench.frames["meter"]) == 1


def test_what_is_learnt_from_a_refusal_is_handed_on_too() -> None:
    device = Keen("meter")
    device.fail = lambda schema: Refused("illegal data address")
    device.news = b"nothing there"
    assert Bench(device).run(2).learnt == [("meter", b"nothing there")]


def test_a_line_tells_how_busy_it_is() -> None:
    bench = Bench(*(Device(f"d{number}", answer=0.1) for number in range(4))).run(90.05)
    load = bench.health.loads["tcp://line"]
    assert bench.load == pytest.approx(90 * 0.4 - 0.4, rel=0.02)
    assert load.ratio(90 * 10**9) == pytest.approx(0.4, abs=0.02)
    assert load.late == 0
    assert load.ratio(160 * 10**9) < 0.03, "a minute later it has done nothing"


def test_a_line_that_cannot_keep_up_says_so_once_with_what_would_help(caplog: pytest.LogCaptureFixture) -> None:
    devices = [Device(f"d{number:02}", answer=0.064) for number in range(30)]
    bench = Bench(*devices)
    bench.at(300, lambda: [setattr(device, "answer", 0.01) for device in devices])
    with caplog.at_level(logging.INFO, "floorgate"):
        bench.run(600)
    said, wide = [record.getMessage() for record in caplog.records], "widen group g0 from 1s to 3s"
    assert said == [
        f"line tcp://line: cannot keep up: it needs 1.92 s per 1 s cycle; {wide}, or give it fewer devices",
        "line tcp://line keeps up again",
    ]
    assert not bench.health.loads["tcp://line"].overloaded


def test_a_busy_minute_is_no_overload(caplog: pytest.LogCaptureFixture) -> None:
    device = Device("meter", answer=1.5)
    bench = Bench(device, Device("other")).at(40, lambda: setattr(device, "answer", 0.1))
    with caplog.at_level(logging.INFO, "floorgate"):
        bench.run(300)
    assert caplog.records == []


def test_a_line_that_is_started_again_begins_with_all_of_its_groups() -> None:
    """After a bug the supervisor runs it anew."""
    device = Device("meter", groups=3)

    async def twice() -> None:
        health, steps = Health(), {schema: Steps()[schema] for schema in device.schemas}
        line = Line([device], health.part("line", "l"), steps, Inlet(limit=1 << 30), health, running().clock())
        for _ in range(2):
            task = asyncio.create_task(line.run())
            await asyncio.sleep(5.025)
            task.cancel()
            await asyncio.wait([task])

    virtually(twice())
    assert len(device.scans) == 2 * 5 * 3
