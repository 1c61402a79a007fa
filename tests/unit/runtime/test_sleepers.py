"""Many tasks are woken by few timers, each at its time."""

import asyncio
from typing import Any

from agent.runtime.sleepers import Sleepers
from tests.bench.virtual import VirtualLoop, running, virtually

MS = 1_000_000  # ns


def test_each_is_woken_at_the_end_of_its_millisecond() -> None:
    async def main() -> list[tuple[int, int]]:
        sleepers, woken = Sleepers(running().mono), list[tuple[int, int]]()

        async def sleep(moment: int) -> None:
            await sleepers.until(moment)
            woken.append((moment, running().mono()))

        await asyncio.gather(*map(sleep, [7 * MS, 2 * MS + 1, 3 * MS, 2 * MS, 0]))
        return woken

    assert virtually(main()) == [(0, 0), (2 * MS, 2 * MS), (2 * MS + 1, 3 * MS), (3 * MS, 3 * MS), (7 * MS, 7 * MS)]


def test_who_is_cancelled_does_not_keep_the_others_from_being_woken() -> None:
    async def main() -> int:
        sleepers = Sleepers(running().mono)

        async def sleep() -> None:
            await sleepers.until(5 * MS)

        first, second = asyncio.create_task(sleep()), asyncio.create_task(sleep())
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled()
        return running().mono()

    assert virtually(main()) == 5 * MS


class Counting(VirtualLoop):
    timers = 0

    def call_later(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_later(*args, **kwargs)


def test_one_timer_serves_those_that_share_a_millisecond() -> None:
    async def main() -> None:
        sleepers = Sleepers(running().mono)
        await asyncio.gather(*(sleepers.until(4 * MS - at) for at in range(100)))

    with asyncio.Runner(loop_factory=Counting) as runner:
        runner.run(main())
        loop = runner.get_loop()
        assert isinstance(loop, Counting)
        assert loop.timers == 1
