"""The relay between the agent and the platform, and what a cut does to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.demo.children import free_ports
from agent.demo.uplink import HOST, Uplink
from agent.model.errors import AgentError


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that says everything back."""

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(repeat, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def said_back(port: int, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(words)
    writer.write_eof()
    heard = await asyncio.wait_for(reader.read(), 2)
    writer.close()
    await writer.wait_closed()
    return heard


async def test_bytes_travel_both_ways_and_an_end_closes_both_sides(echo: int) -> None:
    (port,) = free_ports(1)
    async with Uplink(port, echo) as uplink:
        assert await said_back(port, b"hello" * 50_000) == b"hello" * 50_000
        await asyncio.sleep(0.05)
        assert uplink.connections == 0


async def test_a_cut_resets_what_is_connected_and_refuses_what_comes(echo: int) -> None:
    (port,) = free_ports(1)
    async with Uplink(port, echo) as uplink:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"x")
        assert await asyncio.wait_for(reader.read(1), 2) == b"x"
        assert uplink.connections == 1
        await uplink.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 2)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        assert uplink.connections == 0


async def test_it_carries_again_after_the_cut(echo: int) -> None:
    (port,) = free_ports(1)
    async with Uplink(port, echo) as uplink:
        await uplink.cut()
        await uplink.cut()
        await uplink.restore()
        assert await said_back(port, b"again") == b"again"


async def test_a_port_that_another_program_has_is_named(echo: int) -> None:
    with pytest.raises(AgentError, match=f"{echo}.*run the demo again"):
        await Uplink(echo, echo).restore()


async def test_a_platform_that_is_not_there_is_an_end_not_an_error() -> None:
    port, nobody = free_ports(2)
    async with Uplink(port, nobody):
        with pytest.raises(ConnectionResetError):
            await said_back(port, b"hello?")
