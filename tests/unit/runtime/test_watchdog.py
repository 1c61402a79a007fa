"""Who hangs is found out, and nobody else; hours are virtual, so that they take no time."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from agent.health import Health, Part, Pulse
from agent.model.clock import Clock
from agent.model.errors import Unavailable, Unreachable
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Steps
from agent.northbound.api import Backfill
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from agent.runtime.notify import Notify
from agent.runtime.pump import Pump
from agent.runtime.storage import Storage
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff, keep
from agent.runtime.watchdog import FLOOR, PERIOD, Judge, Watchdog, state
from buffer.store import Store
from buffer.writer import Writer
from tests.bench.virtual import NOON, running, virtually

S = 1_000_000_000  # ns
FIRST = 60 - NOON // S % 60  # seconds until what is read each minute is read for the first time


class Fed(Notify):
    """Counts how often the watchdog was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.meals = 0

    def alive(self) -> None:
        self.meals += 1


class Times:
    """A clock that is set by hand, and a watchdog that goes by it."""

    def __init__(self, health: Health, patience: float = FLOOR) -> None:
        self.now, self.fed, self.patience = 0, Fed(), patience
        clock = Clock(mono=lambda: self.now)
        self._dog = Watchdog(health, self.fed, clock, asyncio.Event())

    async def pass_by(self, seconds: float, between: Callable[[], Awaitable[object]] | None = None) -> int:
        """Look as often as it does in so many seconds; how often it fed meanwhile."""
        before = self.fed.meals
        for _ in range(round(seconds / PERIOD)):
            self.now += round(PERIOD * S)
            self._dog.look()
            if between is not None:
                await between()
        return self.fed.meals - before


# The judgement.


def test_a_beat_that_stays_the_same_for_longer_than_patience_is_a_hang() -> None:
    judge, pulse = Judge(40), Pulse(60, lambda _: 7, str)
    found = [judge.look(now * S, {("line", "a"): pulse}) for now in (1000, 1020, 1040, 1060, 1080)]
    assert found == [{}, {}, {}, {("line", "a"): 60.0}, {("line", "a"): 80.0}]


@pytest.mark.parametrize("beats", [[1, 2, 3, 4, 5, 6], [1, 1, None, 1, 1, None], [None] * 6], ids=str)
def test_who_gets_on_or_may_rest_does_not(beats: list[object]) -> None:
    given, judge = iter(beats), Judge(40)
    pulse = Pulse(60, lambda _: next(given), str)
    assert [judge.look(now * S, {("line", "a"): pulse}) for now in range(0, 240, 40)] == [{}] * 6


@pytest.mark.parametrize("gap", [7200, 40], ids=["stopped for two hours", "as always"])
def test_time_in_which_nobody_looked_does_not_count(gap: int) -> None:
    """SIGSTOP, a machine that slept, a loop that was held up: the parts had no time either."""
    judge, pulse = Judge(40), Pulse(60, lambda _: 7, str)
    assert [judge.look(now * S, {("line", "a"): pulse}) for now in (0, gap)] == [{}, {}]


def test_a_part_that_has_begun_anew_has_all_of_its_patience() -> None:
    judge = Judge(40)
    for now in (0, 40):
        judge.look(now * S, {("line", "a"): Pulse(60, lambda _: 7, str)})
    assert judge.look(80 * S, {("line", "a"): Pulse(60, lambda _: 7, str)}) == {}


# Lines, on virtual time.


class Device:
    """Answers at once, or as `act` has it."""

    def __init__(self, interval: float, act: Callable[[int], Awaitable[object]] | None = None) -> None:
        self.device, self.endpoint, self.line = "meter", "tcp://line", "tcp://line"
        self.schemas = (Schema("meter", "g", (Tag("a", "int16"),), interval),)
        self.act, self.scans = act, 0

    async def open(self) -> None:
        """It is always open."""

    async def close(self) -> None:
        """So it stays."""

    async def scan(self, schema: Schema) -> Frame:
        self.scans += 1
        if self.act is not None:
            await self.act(self.scans)
        return Frame(schema, 1, (1,), bytes(1))


async def never(scan: int) -> None:
    await asyncio.Event().wait()


async def dead(scan: int) -> None:
    await asyncio.sleep(60)
    raise Unreachable("no answer within 60 s")


async def late(scan: int) -> None:
    """Without a deadline, but not for ever."""
    if scan == 3:
        await asyncio.sleep(1000)


def line(device: Device, seconds: float, *, room: bool = True) -> tuple[Health, Fed, int]:
    """A line and its watchdog for that long; how often it was to be fed by then."""
    health, fed = Health(), Fed()

    async def run() -> None:
        inlet = Inlet(limit=1 << 30 if room else 1)
        clock, part = running().clock(), health.part("line", "tcp://line")
        made = Line([device], part, Steps(device.schemas), inlet, health, clock, patience=FLOOR, luck=lambda: 0.0)
        dog = Watchdog(health, fed, clock, asyncio.Event())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(made.run()), group.create_task(dog.run())]
            await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()

    virtually(run())
    return health, fed, round(seconds / PERIOD)


@pytest.mark.parametrize(
    ("device", "hours"),
    [(Device(60), 5), (Device(3600), 10), (Device(86400), 50), (Device(60, dead), 5)],
    ids=["each minute", "once an hour", "once a day", "dead, with a deadline of a minute"],
)
def test_a_line_gets_on_however_seldom_it_reads_and_however_dead_its_devices_are(device: Device, hours: int) -> None:
    health, fed, looks = line(device, hours * 3600 + 1)
    assert device.scans >= 2
    assert fed.meals >= looks
    assert health.parts["line", "tcp://line"].state == "up"


def test_a_line_that_waits_for_the_disk_does_not_hang_by_that() -> None:
    _, fed, looks = line(Device(20), 3601, room=False)
    assert fed.meals >= looks


def test_a_driver_that_hangs_is_told_once_and_nobody_is_fed_any_more(caplog: pytest.LogCaptureFixture) -> None:
    health, fed, _ = line(Device(60, never), 3600)
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    said = "line tcp://line hangs: at a standstill for 300 s, device meter, group g (restart the agent)"
    assert record.getMessage() == said
    assert health.parts["line", "tcp://line"].state == "down"
    assert fed.meals == (FIRST + FLOOR) // PERIOD


def test_a_driver_that_goes_on_after_all_is_fed_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "floorgate"):
        health, fed, looks = line(Device(60, late), 3600)
    assert [each.levelname for each in caplog.records] == ["ERROR", "INFO"]
    assert health.parts["line", "tcp://line"].state == "up"
    assert fed.meals == pytest.approx(looks - (1000 - FLOOR) / PERIOD, abs=1)


# Sessions.

SCHEMA = Schema("press", "1s", (Tag("a", "int16"),), 1.0)


class Frames:
    """None come; what looks after the session does, or does not."""

    looked = 0

    def __aiter__(self) -> "Frames":
        return self

    async def __anext__(self) -> Frame:
        await asyncio.Event().wait()
        raise AssertionError


class Press:
    device, endpoint, schemas, dropped = "press", "opc.tcp://press", (SCHEMA,), 0

    def __init__(self, *, opens: bool = True) -> None:
        self.opens, self.given = opens, Frames()

    async def open(self) -> None:
        if not self.opens:
            await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to let go."""

    def frames(self) -> AsyncIterator[Frame]:
        return self.given


async def session(press: Press, between: Callable[[], Awaitable[object]] | None = None) -> int:
    """How often it was fed in an hour, of 180 times."""
    health = Health()
    made = Subscription(
        press, Steps([SCHEMA]), Inlet(), Part("device", "press"), Clock(), Backoff(1), health=health, patience=900
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        await asyncio.sleep(0)
        fed = await Times(health).pass_by(3600, between)
        task.cancel()
    return fed


async def test_a_session_in_silence_gets_on_as_long_as_somebody_looks_after_it() -> None:
    press = Press()

    async def look() -> None:
        press.given.looked += 1

    assert await session(press, look) == 180
    assert await session(press) == 900 // PERIOD


async def test_a_session_that_is_never_opened_hangs() -> None:
    assert await session(Press(opens=False)) == 900 // PERIOD


# Sinks and the store.


class Target:
    """Never comes to an end with what `hangs` says; away for good when it is `gone`."""

    ordered, window, limit = False, 4, 10

    def __init__(self, hangs: str = "", *, gone: bool = False) -> None:
        self.hangs, self.gone = hangs, gone

    async def open(self) -> None:
        if self.gone:
            raise Unavailable("nobody answers")
        await self._do("open")

    async def send(self, batch: Sequence[object]) -> None:
        await self._do("send")

    async def close(self) -> None:
        """Nothing to let go."""

    async def _do(self, what: str) -> None:
        if self.hangs == what:
            await asyncio.Event().wait()


class Rig:
    """A store with a pump that owes something, and time that passes."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(lambda: Store.open(folder / "store.db", boot="b", keep=3600, max_size=1 << 28, reserve=0))
        self.storage = Storage(self.writer, Inlet(), Part("store", "store.db"), 0.01, Backoff(1))
        self.health = Health()
        self.health.pulses["store", "store.db"] = self.storage.pulse(FLOOR)
        self.times = Times(self.health)

    async def fed(self, target: Target) -> int:
        """How often in ten minutes, of 30 times; the pump has a moment between two looks."""
        await self.storage.call(self.storage.store.attach, ["platform"])
        frames = [Frame(SCHEMA, i, (i,), bytes(1)) for i in range(95)]
        await self.storage.call(self.storage.store.append, frames)
        backoff, stop = Backoff(0.001), asyncio.Event()
        part = self.health.part("sink", "platform")
        clock, fast = Clock(mono=lambda: self.times.now), Backfill(rate="unlimited")
        pump = Pump("platform", target, self.storage, part, backoff, stop, fast, clock=clock, jitter=lambda low, _: low)
        self.health.pulses["sink", "platform"] = Pulse(FLOOR, pump.beat, pump.doing)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(keep(pump.run, part, backoff, stop))
            await asyncio.sleep(0.05)
            fed = await self.times.pass_by(600, lambda: asyncio.sleep(0.002))
            task.cancel()
        return fed


@pytest.fixture
def rig(tmp_path: Path) -> "Rig":
    return Rig(tmp_path)


@pytest.mark.parametrize("target", [Target(), Target(gone=True)], ids=["all is sent", "the platform is away"])
async def test_a_pump_gets_on_with_nothing_to_do_and_with_nobody_there(rig: Rig, target: Target) -> None:
    assert await rig.fed(target) == 30
    rig.writer.close()


@pytest.mark.parametrize(("hangs", "doing"), [("open", "connecting"), ("send", "sending frames from 1 on")])
async def test_a_sink_that_hangs_is_told(rig: Rig, hangs: str, doing: str) -> None:
    assert await rig.fed(Target(hangs)) == FLOOR // PERIOD
    assert doing in rig.health.parts["sink", "platform"].error
    rig.writer.close()


async def test_a_thread_that_is_stuck_is_told_and_its_end_as_well(rig: Rig) -> None:
    stuck = threading.Event()
    blocked = rig.writer.call(stuck.wait)
    assert await rig.times.pass_by(1200) == FLOOR // PERIOD
    assert "waiting for the disk" in rig.health.parts["store", "store.db"].error
    stuck.set()
    await asyncio.wrap_future(blocked)
    await rig.storage.call(int)
    assert await rig.times.pass_by(1200, lambda: rig.storage.call(int)) == 1200 // PERIOD
    assert rig.health.parts["store", "store.db"].state == "up"
    rig.writer.close()


# What people see.


def test_the_status_counts_devices_and_names_sinks() -> None:
    health = Health()
    for number in range(12):
        health.part("device", f"d{number}").up()
    assert state(health) == "12 devices"
    health.part("device", "d3").down(Unreachable("away"))
    for name in ("a", "b", "c", "d"):
        health.part("sink", name).down(Unavailable("away"))
    assert state(health) == "12 devices, 1 away; away: a, b, c and 1 more"
