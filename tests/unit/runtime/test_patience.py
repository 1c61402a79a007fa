"""What takes long and gets on all the same is not taken for a hang: a gateway that is well is not started anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from agent.health import Health, Part, Pulse
from agent.model.clock import Clock
from agent.model.errors import Rejected, Unreachable
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Steps
from agent.northbound.api import Backfill
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from agent.runtime.pump import Pump
from agent.runtime.storage import Storage
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff, keep
from agent.runtime.watchdog import FLOOR, PERIOD, Judge
from buffer.store import Store
from buffer.writer import Writer

S = 1_000_000_000  # ns
SCHEMA = Schema("meter", "g", (Tag("a", "int16"),), 0.01)


class Rig:
    """Parts with a clock that is set by hand, and what is judged of them."""

    def __init__(self) -> None:
        self.now, self.health = 0, Health()
        self.clock = Clock(mono=lambda: self.now)
        self._judge = Judge(2 * PERIOD)

    async def hangs(self, seconds: float, between: Callable[[], object] = list) -> bool:
        """Whether anything is said to hang within so many seconds."""
        for _ in range(round(seconds / PERIOD)):
            self.now += round(PERIOD * S)
            if self._judge.look(self.now, self.health.pulses):
                return True
            between()
            await asyncio.sleep(0.001)
        return False


class Slow:
    """A device that asks and asks; what it does never ends here."""

    device, endpoint, line, schemas, dropped = "meter", "tcp://line", "tcp://line", (SCHEMA,), 0

    def __init__(self, step: str) -> None:
        self.step, self.asked = step, 0

    def ask(self) -> None:
        self.asked += 1

    async def open(self) -> None:
        await self._do("open")

    async def close(self) -> None:
        if self.step == "close":
            raise Unreachable("nobody says goodbye")

    async def scan(self, schema: Schema) -> Frame:
        await self._do("scan")
        raise AssertionError

    async def frames(self) -> AsyncIterator[Frame]:
        await self._do("frames")
        yield Frame(SCHEMA, 1, (1,), bytes(1))

    async def _do(self, step: str) -> None:
        if self.step == step:
            await asyncio.Event().wait()


@pytest.mark.parametrize("step", ["open", "scan"])
async def test_a_line_gets_on_as_long_as_its_device_asks(step: str) -> None:
    """To connect to a server that takes ten nodes at once, or to walk through it, takes longer than any patience."""
    rig, slow = Rig(), Slow(step)
    part = rig.health.part("line", "tcp://line")
    line = Line([slow], part, Steps([SCHEMA]), Inlet(), rig.health, rig.clock, patience=FLOOR)
    task = asyncio.create_task(line.run())
    await asyncio.sleep(0)
    rig.now = S
    await asyncio.sleep(0.03)
    assert not await rig.hangs(3600, slow.ask)
    assert await rig.hangs(FLOOR + PERIOD)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize(("step", "hangs"), [("open", True), ("close", False)])
async def test_a_session_gets_on_as_long_as_its_device_asks(step: str, hangs: bool) -> None:
    """And one that is over, however it ended, is waited for by nobody."""
    rig, slow = Rig(), Slow(step)
    part = rig.health.part("device", "meter")
    made = Subscription(slow, Steps([SCHEMA]), Inlet(), part, rig.clock, Backoff(1), health=rig.health, patience=FLOOR)
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    assert not await rig.hangs(3600, slow.ask)
    assert await rig.hangs(FLOOR + PERIOD) is hangs
    task.cancel()
    await asyncio.wait([task])


class Target:
    """Takes a minute for each answer, refuses every frame, and says what it got."""

    ordered, window, limit = True, 1, 100

    def __init__(self, rig: "Rig", sent: Callable[[], None] | None = None) -> None:
        self._rig, self._sent, self.offers = rig, sent, 0

    async def open(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def send(self, batch: Sequence[Entry]) -> None:
        self.offers += 1
        if self._sent is not None:
            await asyncio.Event().wait()
        began = self._rig.now
        while self._rig.now < began + 60 * S:
            await asyncio.sleep(0.0002)
        raise Rejected("not this one")


class Carrying:
    """A pump that owes 20 frames to a target."""

    def __init__(self, folder: Path, rig: Rig, target: Target) -> None:
        self._writer = Writer(lambda: Store.open(folder / "s.db", boot="b", keep=3600, max_size=1 << 28, reserve=0))
        self.storage = Storage(self._writer, Inlet(), Part("store", "store.db"), 0.01, Backoff(1))
        self._rig, self._target, self.part = rig, target, rig.health.part("sink", "platform")

    async def run(self, work: Callable[[], Awaitable[bool]]) -> bool:
        store, backoff, stop = self.storage.store, Backoff(0.001), asyncio.Event()
        await self.storage.call(store.attach, ["platform"])
        await self.storage.call(store.append, [Frame(SCHEMA, i, (i,), bytes(1)) for i in range(20)])
        fast, clock = Backfill(rate="unlimited"), self._rig.clock
        pump = Pump(
            "platform",
            self._target,
            self.storage,
            self.part,
            backoff,
            stop,
            fast,
            clock=clock,
            jitter=lambda low, _: low,
        )
        self._rig.health.pulses["sink", "platform"] = Pulse(FLOOR, pump.beat, pump.doing)
        task = asyncio.create_task(keep(pump.run, self.part, backoff, stop))
        while not self._target.offers:
            await asyncio.sleep(0.001)
        found = await work()
        task.cancel()
        await asyncio.wait([task])
        self._writer.close()
        return found


async def test_a_platform_that_refuses_frame_by_frame_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    rig = Rig()
    target = Target(rig)
    assert not await Carrying(tmp_path, rig, target).run(lambda: rig.hangs(1800))
    assert target.offers > 20


async def test_a_send_over_a_slow_link_gets_on_with_each_piece(tmp_path: Path) -> None:
    rig = Rig()
    carrying = Carrying(tmp_path, rig, Target(rig, list))

    def piece() -> None:
        carrying.part.sent += 1000

    async def work() -> bool:
        return await rig.hangs(3600, piece) or not await rig.hangs(FLOOR + PERIOD)

    assert not await carrying.run(work)


async def test_who_commits_is_watched_as_others_rest_while_the_inlet_is_full(tmp_path: Path) -> None:
    rig = Rig()
    part, inlet = Part("store", "store.db"), Inlet(limit=1)
    writer = Writer(lambda: Store.open(tmp_path / "s.db", boot="b", keep=3600, max_size=1 << 28, reserve=0))
    storage = Storage(writer, inlet, part, 0.001, Backoff(1))
    rig.health.pulses["store", "commits"] = storage.writing(FLOOR)
    assert not await rig.hangs(3600)
    inlet.add(Frame(SCHEMA, 1, (1,), bytes(1)))

    def fails() -> None:
        part.failures += 1

    assert not await rig.hangs(3600, fails)
    assert await rig.hangs(FLOOR + PERIOD)
    await storage.call(storage.store.attach, ["platform"])
    inlet.close()
    await storage.run()
    assert part.frames == 1
    assert not await rig.hangs(3600)
    writer.close()
