"""Servers that die, freeze, refuse or talk nonsense: an error of ours, soon, and a fresh start afterwards."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvloop

from agent.model.errors import DeviceError, Garbled, Unreachable
from agent.model.frame import Frame
from tests.sim.opcua_fixtures import OpcuaServer, asyncua_server
from tests.unit.opcua.conftest import device

pytestmark = pytest.mark.xdist_group("opcua")

TAGS = {"tick": ("Tick", "int64"), "temp": "Temp"}
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def opened(driver: Any) -> Any:
    await driver.open()
    return driver


async def drained(frames: AsyncIterator[Frame]) -> None:
    """Take frames until something is raised."""
    async with asyncio.timeout(10):
        async for _ in frames:
            pass


async def test_a_killed_server_is_noticed_and_a_new_one_is_used() -> None:
    """In mid-subscription; the namespace has another index when the server is back."""
    with asyncua_server(interval=0.05) as server:
        port = server.port
        driver = device(server.endpoint, TAGS, timeout=1.0)
        await driver.open()
        frames = driver.frames()
        await anext(frames)
        server.kill()
        start = time.monotonic()
        with pytest.raises(Unreachable):
            await drained(frames)
        with pytest.raises(Unreachable, match="is the server running"):
            await driver.open()
        assert time.monotonic() - start < 8
    with asyncua_server(port=port, interval=0.05, fillers=3):
        await driver.open()
        values = (await driver.scan(driver.schemas[0])).values
        assert values[1] == 21.5
        assert (await anext(driver.frames())).schema is driver.schemas[0]
        await driver.close()


@contextlib.contextmanager
def frozen(server: OpcuaServer) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def test_a_frozen_server_is_noticed_and_closing_does_not_wait_for_it(plant: OpcuaServer) -> None:
    """It keeps its sockets open and says nothing: in a subscription, in a scan, while connecting."""
    subscribed = device(plant.endpoint, TAGS, timeout=0.5)
    polled = device(plant.endpoint, TAGS, timeout=0.5, mode="poll")
    late = device(plant.endpoint, TAGS, timeout=0.5)
    frames = (await opened(subscribed)).frames()
    await anext(frames)
    await opened(polled)
    with frozen(plant):
        start = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer in 0\.5 s"):
            await polled.scan(polled.schemas[0])
        with pytest.raises(Unreachable, match="not connected"):
            await polled.scan(polled.schemas[0])
        with pytest.raises(Unreachable, match=r"no answer in 0\.5 s"):
            await late.open()
        with pytest.raises(Unreachable):
            await drained(frames)
        assert time.monotonic() - start < 10
        start = time.monotonic()
        for driver in (subscribed, polled, late):
            await driver.close()
        assert time.monotonic() - start < 4
    assert (await (await opened(polled)).scan(polled.schemas[0])).values[1] == 21.5
    await polled.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_close_right_after_the_freeze_has_its_deadline(plant: OpcuaServer) -> None:
    driver = await opened(device(plant.endpoint, TAGS, timeout=0.5))
    with frozen(plant):
        start = time.monotonic()
        await driver.close()
        assert time.monotonic() - start < 4


async def test_a_port_without_a_server_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        driver = device(f"opc.tcp://127.0.0.1:{taken.getsockname()[1]}", TAGS)
        with pytest.raises(Unreachable, match="is the server running"):
            await driver.open()


async def test_a_name_that_nobody_knows_is_unreachable() -> None:
    driver = device("opc.tcp://no-such-host.invalid:4840", TAGS, timeout=5)
    with pytest.raises(Unreachable, match="no-such-host"):
        await driver.open()


async def shut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


def saying(answer: bytes) -> Handler:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            writer.write(answer)
            await reader.read()
        writer.close()

    return talk


@pytest.mark.parametrize(
    "handler",
    [
        shut,
        deaf,
        saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        saying(b"\x00" * 64),
        saying(b"ACKF\x1c\x00\x00\x00" + b"\xff" * 20),
        saying(b"MSGF\x10\x00\x00\x00" + b"\xff" * 8),
        saying(b"ERRF\x10\x00\x00\x00\x00\x00\x83\x80\xff\xff\xff\xff"),
        saying(bytes(range(256))),
    ],
    ids=["shut", "deaf", "http", "zeros", "ack", "message", "error", "noise"],
)
async def test_a_port_that_is_no_opcua_server_is_an_error_in_time(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it says; and asyncua's own log lines do not reach ours."""
    listener = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with listener:
        driver = device(f"opc.tcp://127.0.0.1:{listener.sockets[0].getsockname()[1]}", TAGS, timeout=0.3)
        with pytest.raises(DeviceError) as caught:
            async with asyncio.timeout(3):
                await driver.open()
        assert isinstance(caught.value, Unreachable | Garbled)
        assert "127.0.0.1" in str(caught.value)
        await driver.close()
        await asyncio.sleep(0.02)  # the handler sees that its client has gone, and closes
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_cancelled_open_leaves_nothing_behind() -> None:
    listener = await asyncio.start_server(deaf, "127.0.0.1", 0)
    async with listener:
        driver = device(f"opc.tcp://127.0.0.1:{listener.sockets[0].getsockname()[1]}", TAGS, timeout=30)
        opening = asyncio.ensure_future(driver.open())
        await asyncio.sleep(0.1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await driver.close()
        with pytest.raises(Unreachable):
            await driver.scan(driver.schemas[0])


@pytest.mark.parametrize("start", [b"ACKF\xf0\xff\xff\xff", b"\xde\xad\xbe\xef" * 4], ids=["announced", "garbage"])
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_server_that_sends_without_end_is_hung_up_on(start: bytes, loop_factory: Any) -> None:
    """A message may say that it is 4 GB long: nobody waits for it, or holds what came of it."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(start)
        with contextlib.suppress(ConnectionError):
            while sent < 1 << 30:
                writer.write(bytes(1 << 16))
                await writer.drain()
                sent += 1 << 16
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        async with server:
            driver = device(f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", TAGS, timeout=5.0)
            begun = time.monotonic()
            with pytest.raises(Garbled, match=r"no OPC UA|says that it has 4,294,967,280 bytes"):
                await driver.open()
            assert time.monotonic() - begun < 4
            await driver.close()
        await asyncio.sleep(0.05)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert sent < 64 << 20
