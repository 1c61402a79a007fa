"""Recordings that somebody has made up: whatever stands in them, they are played to their end, with bounds."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import Site, load
from agent.record.format import Header, Recording
from agent.replay.play import Play
from drivers.tapping import CONNECTED, FAILED, HEARD, LEARNT, LOST, NODES, SENT, VALUES, Note

TIMES = st.integers(0, (1 << 63) - 1)
SOON = st.integers(0, 10**11)


def read(unit: int, function: int, first: int, count: int) -> bytes:
    """A request of Modbus TCP."""
    return bytes((0, 1, 0, 0, 0, 6, unit, function)) + first.to_bytes(2, "big") + count.to_bytes(2, "big")


READ = st.builds(read, st.integers(0, 2), st.integers(0, 5), st.integers(0, 12), st.integers(0, 65535))
DATA = READ | st.binary(max_size=40) | READ.map(lambda frame: frame[:7] + b"\x03\x04\x00\x01\x00\x02")
WIRES = st.sampled_from(
    ["tcp://10.0.0.1", "rtu:///dev/ttyS0", "tcp://10.0.0.1 #2", "listen://:1?id=x", "m", "press", "?"]
)
WHATS = st.sampled_from([SENT, HEARD, CONNECTED, FAILED, LOST, LEARNT, NODES, VALUES, "other"])
NOTES = st.lists(st.builds(Note, WIRES, WHATS, SOON | TIMES, SOON | TIMES, DATA), max_size=40)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    path = tmp_path_factory.mktemp("hostile") / "site.yaml"
    tags = "tags: [{name: a, address: 1}, {name: b, address: 9, type: float32}, {name: c, register: coil, address: 3}]"
    path.write_text(
        "gateway: {id: gw}\ndevices:\n"
        f"  - {{name: m, driver: modbus, endpoint: 'tcp://10.0.0.1', {tags}}}\n"
        f"  - {{name: s, driver: modbus, endpoint: 'rtu:///dev/ttyS0', {tags}}}\n"
        f"  - {{name: l, driver: modbus, endpoint: 'listen://:1?id=x', {tags}}}\n"
        "  - {name: press, driver: opcua, endpoint: 'opc.tcp://h', tags: [{name: t, node: 'ns=2;s=T'}]}\n"
    )
    return load(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(notes=NOTES)
def test_whatever_stands_in_it(site: Site, notes: list[Note]) -> None:
    async def frames() -> int:
        play = Play(site, Recording(Path("x"), Header(), notes))
        return sum([len(each) async for each in play.frames()])

    count = asyncio.run(frames())
    assert 0 <= count <= 40 * len(notes) + 40
