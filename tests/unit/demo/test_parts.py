"""Each process of the demo, asked by a real client, and how it ends."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest
from asyncua.client import Client
from pymodbus.client import AsyncModbusTcpClient

from agent.demo.children import Child, floorgate, free_ports
from agent.demo.parts import BROKER
from agent.demo.site import COMPRESSOR, METER, PRESS, PRESS_NAMESPACE, TAGS
from agent.model.errors import AgentError
from tests.sim.mosquitto import wait_until


@asynccontextmanager
async def running(name: str, folder: Path) -> AsyncIterator[Child]:
    child = Child(name, folder, port=free_ports(1)[0])
    try:
        await child.start()
        yield child
    finally:
        await child.end()
    assert child.last_words() == ""


async def test_the_meter_speaks_float32_high_word_first(tmp_path: Path) -> None:
    async with running(METER, tmp_path) as child:
        client = AsyncModbusTcpClient("127.0.0.1", port=child.port, timeout=2, retries=0)
        await client.connect()
        answer = await client.read_input_registers(0, count=18, device_id=1)
        client.close()
        values = struct.unpack(">9f", struct.pack(">18H", *answer.registers))
    assert all(225 < volts < 235 for volts in values[:3])
    assert 49.9 < values[7] < 50.1
    assert values[8] >= 10482


async def test_the_compressor_comes_back_after_a_power_cut(tmp_path: Path) -> None:
    async with running(COMPRESSOR, tmp_path) as child:
        await child.kill()
        assert not child.alive
        await child.start()
        client = AsyncModbusTcpClient("127.0.0.1", port=child.port, timeout=2, retries=0)
        await client.connect()
        answer = await client.read_input_registers(100, count=6, device_id=1)
        client.close()
    assert 680 <= answer.registers[0] <= 760


async def test_the_press_changes_and_needs_no_security(tmp_path: Path) -> None:
    async with running(PRESS, tmp_path) as child, Client(f"opc.tcp://127.0.0.1:{child.port}", timeout=5) as client:
        space = await client.get_namespace_index(PRESS_NAMESPACE)
        nodes = [client.get_node(f"ns={space};s={tag.place}") for tag in TAGS[PRESS]]
        kinds = [(await node.read_data_type_as_variant_type()).name for node in nodes]
        assert kinds == ["Int64", "Double", "Double"]
        first = await nodes[1].read_value()
        deadline = time.monotonic() + 5
        while await nodes[1].read_value() == first:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def test_the_broker_loses_nothing_that_it_has_acknowledged(tmp_path: Path) -> None:
    """A publisher that sends a burst, takes its acknowledgements and is gone: the whole burst has arrived."""
    burst = {b"%02d" % number for number in range(1, 100)}
    arrived: set[object] = set()
    async with running(BROKER, tmp_path) as child, aiomqtt.Client("127.0.0.1", child.port) as reader:
        await reader.subscribe("x", qos=1)
        source, writer = await asyncio.open_connection("127.0.0.1", child.port)
        writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p")
        assert await source.readexactly(4) == b"\x20\x02\x00\x00"
        writer.write(b"".join(b"\x32\x07\x00\x01x\x00%c%s" % (int(each), each) for each in burst) + b"\xe0\x00")
        async with asyncio.timeout(10):
            await source.readexactly(4 * len(burst))
            writer.close()
            while arrived != burst:
                arrived.add((await anext(aiter(reader.messages))).payload)


async def test_the_broker_keeps_the_last_status(tmp_path: Path) -> None:
    async with running(BROKER, tmp_path) as child:
        async with aiomqtt.Client("127.0.0.1", child.port) as writer:
            await writer.publish("status", b"online", qos=1, retain=True)
        async with aiomqtt.Client("127.0.0.1", child.port) as reader:
            await reader.subscribe("status")
            async with asyncio.timeout(5):
                message = await anext(aiter(reader.messages))
    assert message.payload == b"online"


async def test_a_part_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    child = Child("teapot", tmp_path, port=free_ports(1)[0])
    with pytest.raises(AgentError, match="the teapot has ended"):
        await child.start()
    await child.end()
    await child.end()


def test_a_part_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Even when that process is killed and cannot tell it."""
    (port,) = free_ports(1)
    start = f"""
import os, subprocess, sys, time
command = [*{floorgate()!r}, "demo", "--part", "{METER}", "--port", "{port}", "--parent", str(os.getpid())]
part = subprocess.Popen(command)
print(part.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    cmdline = Path(f"/proc/{int(parent.stdout.readline())}/cmdline")
    wait_until(lambda: _answers(port), "an answer")
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    wait_until(lambda: not (cmdline.exists() and cmdline.read_bytes()), "the end of the part")


def test_a_part_whose_parent_is_gone_does_not_start() -> None:
    command = [*floorgate(), "demo", "--part", METER, "--parent", "1"]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert done.returncode == 1
    assert b"is gone" in done.stderr


def test_a_frozen_program_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert floorgate() == [sys.executable, "-m", "agent"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert floorgate() == [sys.executable]


def test_free_ports_differ_and_are_not_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20_000 <= port < 32_000 for port in ports)


async def test_a_part_that_ignores_the_request_is_ended_all_the_same(tmp_path: Path) -> None:
    async with running(METER, tmp_path) as child:
        process = child._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        await child.end(patience=0.1)
        assert not child.alive


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
