"""Devices that dial in: told apart by what they say first, replaced when they come again, strangers let go."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent.model.errors import Unreachable
from agent.model.frame import Value
from drivers.api import LineConfig
from drivers.modbus.callers import Porch
from drivers.modbus.config import PORTS, Config
from drivers.modbus.driver import Device, build
from drivers.transport import parse_endpoint
from tests.sim import faulty_line as fault
from tests.sim.faulty_line import value
from tests.sim.ports import free_port

LINE_TAGS = [{"name": f"t{address}", "address": address} for address in (4, 5, 6)]


@asynccontextmanager
async def dialled(
    port: int, says: bytes, behave: fault.Behaviour = fault.good, rest: bytes = b""
) -> AsyncIterator[fault.FaultyLine]:
    """A modem that dials in, says who it is (the `rest` a little later), and carries a line; it sends heartbeats
    before each answer."""
    line = fault.FaultyLine(behave)
    async with asyncio.timeout(5):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.02)
    writer.write(says)
    if rest:
        await asyncio.sleep(0.05)
        writer.write(rest)
    async with asyncio.TaskGroup() as group:

        async def serve() -> None:
            try:
                await line.serve(reader, lambda data: writer.write(b"\xfe\xfe" + data))
            except (asyncio.IncompleteReadError, ConnectionError):
                return

        task = group.create_task(serve())
        try:
            yield line
        finally:
            task.cancel()
            writer.transport.abort()


def callers(port: int, *ids: str, **line: Any) -> list[Device]:
    configs = [
        Config.model_validate(
            {
                "name": f"d{index}",
                "driver": "modbus",
                "endpoint": f"listen://127.0.0.1:{port}" + (f"?id={name}" if name else ""),
                "unit": index + 1,
                "tags": LINE_TAGS,
            }
        )
        for index, name in enumerate(ids)
    ]
    keys = {"endpoint": f"listen://127.0.0.1:{port}", "timeout": "1s", **line}
    return list(build(LineConfig.model_validate(keys), configs))


async def values(made: Device) -> list[Value]:
    await made.open()
    return list((await made.scan(made.schemas[0])).values)


async def test_modems_that_dial_in_are_told_apart_by_what_they_say_first() -> None:
    port = free_port()
    boiler, press = callers(port, "boiler", "0x7E0102")
    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(values(made)) for made in (boiler, press)]
        async with (
            dialled(port, b"\x7e\x01\x02", fault.by_unit({2: fault.good})),
            dialled(port, b"boiler", fault.by_unit({1: fault.good})),
            asyncio.timeout(3),
        ):
            found = [await each for each in opened]
    assert found == [[value(1, at) for at in (4, 5, 6)], [value(2, at) for at in (4, 5, 6)]]
    assert boiler.line != press.line
    for made in (boiler, press):
        await made.close()


async def test_a_modem_that_dials_in_again_replaces_its_dead_connection() -> None:
    port = free_port()
    (boiler,) = callers(port, "boiler")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(values(boiler))
        async with dialled(port, b"boiler"):
            assert await first == [value(1, at) for at in (4, 5, 6)]
            async with dialled(port, b"boiler") as again:
                await asyncio.sleep(0.1)
                assert await values(boiler) == [value(1, at) for at in (4, 5, 6)]
                assert len(again.asked) == 1
    await boiler.close()


async def test_who_says_something_else_is_let_go_and_named() -> None:
    port = free_port()
    (boiler,) = callers(port, "boiler", timeout="300ms")
    with pytest.raises(Unreachable, match="is the modem told to dial port"):
        await boiler.open()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n" + bytes(200))
    with pytest.raises(Unreachable, match=r"others have dialled in: 127\.0\.0\.1 as 'GET / HTTP"):
        await boiler.open()
    writer.close()
    await boiler.close()


async def test_a_packet_in_pieces_is_not_taken_for_a_shorter_one() -> None:
    """`dtu-1` and `dtu-10` are two modems, and a network may cut what they say anywhere."""
    port = free_port()
    one, ten = callers(port, "dtu-1", "dtu-10", timeout="5s")
    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(values(made)) for made in (one, ten)]
        async with dialled(port, b"dtu-1", fault.by_unit({2: fault.good}), rest=b"0"):
            assert await opened[1] == [value(2, at) for at in (4, 5, 6)]
            async with dialled(port, b"dtu-1", fault.by_unit({1: fault.good})):
                assert await opened[0] == [value(1, at) for at in (4, 5, 6)], "nothing follows, so it is the short one"
    for made in (one, ten):
        await made.close()


async def test_a_device_without_an_id_leaves_the_others_those_who_say_theirs() -> None:
    port = free_port()
    anybody, boiler = callers(port, "", "boiler", timeout="5s")
    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(values(made)) for made in (anybody, boiler)]
        async with dialled(port, b"boiler", fault.by_unit({2: fault.good})):
            assert await opened[1] == [value(2, at) for at in (4, 5, 6)]
            async with dialled(port, b"", fault.by_unit({1: fault.good})):
                assert await opened[0] == [value(1, at) for at in (4, 5, 6)]
    for made in (anybody, boiler):
        await made.close()


async def test_who_comes_in_the_moment_in_which_the_line_gives_up_is_there_for_the_next_try() -> None:
    porch = Porch(parse_endpoint(f"listen://127.0.0.1:{(port := free_port())}?id=boiler", PORTS), ("boiler",))
    await porch.open("boiler")
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(porch.visitor("boiler"))
        await asyncio.sleep(0)
        asked = porch._asked["boiler"]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"boiler")
        while not asked.done():
            await asyncio.sleep(0)
        asking.cancel()
    assert asking.cancelled()
    async with asyncio.timeout(1):
        come = await porch.visitor("boiler")
    assert come.get_extra_info("peername") == writer.get_extra_info("sockname")
    come.abort()
    writer.close()
    porch.close("boiler")
    await asyncio.sleep(0.01)


async def test_mute_strangers_do_not_keep_the_modem_out() -> None:
    """However many hold a connection and say nothing: the oldest of them makes room."""
    port = free_port()
    (boiler,) = callers(port, "boiler", timeout="5s")
    async with asyncio.TaskGroup() as group:
        opened = group.create_task(values(boiler))
        await asyncio.sleep(0.05)
        strangers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(100)]
        async with dialled(port, b"boiler"):
            assert await opened == [value(1, at) for at in (4, 5, 6)]
    for each in strangers:
        each.close()
    await boiler.close()
    await asyncio.sleep(0.01)


async def test_a_thousand_strangers_do_not_keep_the_modem_out() -> None:
    port = free_port()
    (boiler,) = callers(port, "boiler", timeout="200ms")
    with pytest.raises(Unreachable):
        await boiler.open()
    strangers = [socket.socket() for _ in range(900)]
    for each in strangers:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    async with asyncio.timeout(20):
        while sum(_is_open(each) for each in strangers) > 64:
            await asyncio.sleep(0.1)
    for each in strangers:
        each.close()
    await asyncio.sleep(0.1)
    async with asyncio.TaskGroup() as group:
        opened = group.create_task(values(boiler))
        async with dialled(port, b"boiler"):
            assert await opened == [value(1, at) for at in (4, 5, 6)]
    await boiler.close()


def _is_open(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


async def test_a_listening_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (boiler,) = callers(taken.getsockname()[1], "boiler")
        with pytest.raises(Unreachable, match="cannot listen: address already in use"):
            await boiler.open()
