"""Whatever a peer does, and however often: nothing is left behind, and no line waits longer than its deadline."""

import asyncio
import gc
import os
import resource
import tracemalloc
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
import uvloop

from agent.model.errors import DeviceError, Unreachable
from drivers.modbus.dial import _Tty
from drivers.modbus.link import plain_read
from drivers.modbus.wire import Wire
from drivers.modbus.wires import lone_wire
from tests.lengths import often
from tests.sim import faulty_line as fault
from tests.sim import faulty_modbus as tcp
from tests.sim.faulty_line import line_on_pty, line_over_tcp

CONNECTS = often(300, 3000)
Loop = Callable[[], asyncio.AbstractEventLoop]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(("scheme", "connects"), [("tcp", CONNECTS), ("rtu+tcp", CONNECTS // 10)])
async def test_connects_to_a_peer_that_never_says_a_word_leave_nothing_behind(scheme: str, connects: int) -> None:
    """It accepts, and then nothing: each second silence gives the connection up, and the next scan has a new one."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    accepted: list[asyncio.BaseTransport] = []

    class Mute(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    server = await asyncio.get_running_loop().create_server(Mute, "127.0.0.1", 0)
    wire = lone_wire(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", 0.001)
    async with server:
        before, tries = descriptors(), 0
        with suppress(Unreachable):  # a millisecond is short for a connection, too
            await wire.open(wire)
        while len(accepted) < connects:
            tries += 1
            try:
                await wire.ready(wire)
                await wire.read(plain_read(tries % 240 + 1, 3, 0, tries % 120 + 1, "registers"))
            except DeviceError:
                await asyncio.sleep(0)
            assert tries < 40 * connects
        await wire.close(wire)
        async with asyncio.timeout(5):
            while descriptors() > before:
                await asyncio.sleep(0.01)


async def test_a_connect_that_is_refused_ever_again_leaves_nothing_behind() -> None:
    async with tcp.faulty_device() as gone:
        endpoint = gone.endpoint
    wire, before = lone_wire(endpoint, 0.5), descriptors()
    for _ in range(CONNECTS):
        with pytest.raises(Unreachable):
            await wire.open(wire)
    await wire.close(wire)
    assert descriptors() <= before + 1


async def test_memory_is_flat_on_a_line_full_of_faults() -> None:
    faults = [fault.good, fault.garbled, fault.noise, fault.foreign, fault.flood, fault.exception(2), fault.short]

    def in_turn(request: bytes) -> list[fault.Act]:
        return faults[len(line.asked) % len(faults)](request)

    async with line_on_pty(in_turn) as (line, path):
        wire = lone_wire(f"rtu://{path}?baud=115200", 0.01)
        await wire.open(wire)

        async def rounds(count: int) -> int:
            for _ in range(count):
                try:
                    await wire.ready(wire)
                    await wire.read(plain_read(1, 3, 7, 5, "registers"))
                except DeviceError:
                    continue
            line.asked.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        await rounds(30)
        settled = await rounds(30)
        assert await rounds(100) < settled + 50_000
        tracemalloc.stop()
        await wire.close(wire)


async def test_a_silent_unit_costs_one_deadline_and_its_neighbour_is_read_at_once() -> None:
    async with line_over_tcp(fault.by_unit({2: fault.good})) as line:
        wire, loop = lone_wire(line.endpoint, 0.2), asyncio.get_running_loop()
        await wire.open(wire)
        for _ in range(3):
            began = loop.time()
            with pytest.raises(Unreachable):
                await wire.read(plain_read(1, 3, 0, 4, "registers"))
            assert loop.time() - began < 2 * 0.2
            await wire.ready(wire)
            assert await wire.read(plain_read(2, 3, 0, 1, "registers")) == b"\x03\x02\x02\x00"
        await wire.close(wire)


async def asked(wire: Wire, user: object, unit: int) -> str:
    """What comes of a question: nothing, or the error."""
    try:
        await wire.ready(user)
        await wire.read(plain_read(unit, 3, 5, 2, "registers"))
    except DeviceError as error:
        return str(error)
    return ""


async def test_a_neighbour_that_spoils_the_connection_costs_nobody_their_turn() -> None:
    """Both ask at once; whoever waits finds the connection closed, and gets a new one."""

    def behave(adu: bytes) -> list[tcp.Act]:
        return [tcp.reply(adu)] if adu[6] == 2 else [0.05, None]

    async with tcp.faulty_device(behave) as plc:
        wire, spoiler, other = lone_wire(plc.endpoint, 0.5), object(), object()
        await wire.open(spoiler)
        await wire.open(other)
        for _ in range(3):
            spoilt, fine = await asyncio.gather(asked(wire, spoiler, 1), asked(wire, other, 2))
            assert "connection lost (the other side closed it)" in spoilt
            assert not fine
        await wire.close(spoiler)
        await wire.close(other)


async def test_who_leaves_while_the_connection_is_made_leaves_nothing_open() -> None:
    async with line_on_pty(fault.good) as (_, path):
        wire = lone_wire(f"rtu://{path}", 0.5)
        wire._connect_delay = 0.05
        opening = asyncio.create_task(wire.open(wire))
        await asyncio.sleep(0.01)
        await wire.close(wire)
        with pytest.raises(Unreachable, match="closed"):
            await opening
        again = lone_wire(f"rtu://{path}", 0.5)
        await again.open(again)
        await again.close(again)
        with pytest.raises(Unreachable, match="closed"):
            await again.read(plain_read(1, 3, 5, 2, "registers"))


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_port_that_takes_no_bytes_is_opened_anew_and_keeps_no_old_requests(loop_factory: Loop) -> None:
    """An adapter that hangs: without that its requests would pile up, and all be answered when it goes on."""

    async def main() -> None:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(theirs, False)
        wire = lone_wire(f"rtu://{os.ttyname(theirs)}?baud=115200", 0.05)
        await wire.open(wire)
        for _ in range(5):
            with suppress(BlockingIOError):
                while True:
                    os.write(theirs, bytes(1000))
            await asyncio.sleep(0.02)  # the kernel moves some on
        link = wire._link
        assert link is not None
        link.send(bytes(8))
        cast(_Tty, link.transport).intern_write_ready()  # as the loop does when the kernel has promised too much
        for unit in range(1, 4):
            assert "could not be sent in 0.05 s" in await asked(wire, wire, unit)
        await wire.close(wire)
        os.close(ours)
        os.close(theirs)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


async def test_a_port_with_a_high_descriptor_is_read() -> None:
    """`select` knows only those below 1024."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    held = [os.open("/dev/null", os.O_RDONLY)]
    while held[-1] < 1024:
        held.append(os.dup(held[0]))
    async with line_on_pty(fault.good) as (_, path):
        wire = lone_wire(f"rtu://{path}?baud=115200", 0.5)
        await wire.open(wire)
        assert not await asked(wire, wire, 1)
        await wire.close(wire)
    for each in held:
        os.close(each)
