"""Whatever a peer does, and however often: nothing is left behind, and no line waits longer than its deadline."""

import asyncio
import gc
import resource
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from agent.model.errors import DeviceError, Unreachable
from drivers.modbus.link import plain_read
from drivers.modbus.wires import lone_wire
from tests.sim import faulty_line as fault
from tests.sim import faulty_modbus as tcp
from tests.sim.faulty_line import line_on_pty, line_over_tcp

CONNECTS = 1000


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


async def test_a_refused_connect_a_thousand_times_leaves_nothing_behind() -> None:
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
        await rounds(60)
        settled = await rounds(60)
        assert await rounds(200) < settled + 50_000
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
