"""The deadlines of many requests share a timer, and each holds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from agent.model.errors import Unreachable
from drivers.modbus.link import Link, Request, plain_read
from tests.sim.faulty_modbus import Behaviour, faulty_device, good, in_turn, late, silent
from tests.unit.modbus.builders import device

TAGS = [{"name": "level", "address": 5}]
Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])


@asynccontextmanager
async def linked(behave: Behaviour) -> AsyncIterator[tuple[Link, Request]]:
    async with faulty_device(behave) as plc:
        made = device(plc.endpoint, TAGS)
        await made.open()
        link = made._wire._link
        assert link is not None
        yield link, plain_read(1, 3, 5, 1, "level")
        await made.close()


@LOOPS
def test_a_shorter_deadline_holds_after_a_longer_one(loop_factory: Loop) -> None:
    async def main() -> None:
        async with linked(in_turn(good, silent)) as (link, request):
            now = link.loop.time()
            assert (await link.ask(request, now + 60)).pdu == b"\x03\x02\x00\x05"
            async with asyncio.timeout(30):
                with pytest.raises(TimeoutError):
                    await link.ask(request, now + 0.1)
            assert link.loop.time() >= now + 0.099

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@LOOPS
def test_a_deadline_that_was_kept_does_not_end_the_next_request(loop_factory: Loop) -> None:
    async def main() -> None:
        async with linked(in_turn(good, late(0.2))) as (link, request):
            await link.ask(request, link.loop.time() + 0.1)
            assert (await link.ask(request, link.loop.time() + 60)).pdu == b"\x03\x02\x00\x05"

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@LOOPS
def test_a_deadline_holds_after_one_that_has_passed_unused(loop_factory: Loop) -> None:
    async def main() -> None:
        async with linked(in_turn(good, silent)) as (link, request):
            await link.ask(request, link.loop.time() + 0.1)
            now = link.loop.time()
            with pytest.raises(TimeoutError):
                await link.ask(request, now + 0.25)
            assert link.loop.time() >= now + 0.249

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


async def test_a_request_that_waits_ends_when_its_device_is_closed() -> None:
    """It has the wire: whoever comes next would wait for ever."""
    async with faulty_device(in_turn(good, silent)) as plc:
        made = device(plc.endpoint, TAGS)
        await made.open()
        (schema,) = made.schemas
        await made.scan(schema)
        waiting = asyncio.create_task(made.scan(schema))
        await asyncio.sleep(0.05)
        await made.close()
        async with asyncio.timeout(30):
            with pytest.raises(Unreachable, match="it was closed here"):
                await waiting
        assert plc.connections == 1
