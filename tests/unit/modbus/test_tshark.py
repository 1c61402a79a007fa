"""tshark judges the bytes that leave us: every table, on TCP and as RTU."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from agent.model.errors import DeviceError
from drivers.modbus.config import Tag
from drivers.modbus.link import Read, Request
from drivers.modbus.plan import plan
from drivers.modbus.wires import lone_wire
from tests.sim.capture import judged

UNIT = 7
TAGS = [
    {"name": "coil", "register": "coil", "address": 19},
    {"name": "discrete", "register": "discrete", "address": 2000},
    {"name": "input", "register": "input", "address": 0, "type": "float64"},
    {"name": "holding", "register": "holding", "address": 65531, "type": "int32"},
]
ASKED = [("1", "19", 1), ("2", "2000", 1), ("4", "0", 4), ("3", "65531", 2)]  # function, address, count


def requests() -> list[Request]:
    blocks = plan([Tag.model_validate(tag) for tag in TAGS], order="ABCD", max_registers=125, max_gap=0)
    return [Read(UNIT, block) for block in blocks]


async def sent(scheme: str) -> list[bytes]:
    """What arrives at a device that never answers."""
    heard: list[bytes] = []
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            heard.append(data)
        writer.close()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        wire = lone_wire(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", 0.05)
        await wire.open(wire)
        for request in requests():
            with suppress(DeviceError):
                await wire.ready(wire)
                await wire.read(request)
        gone.clear()
        await wire.close(wire)
        await gone.wait()
    return heard


@pytest.mark.parametrize(
    ("scheme", "options"),
    [("tcp", ()), ("rtu+tcp", ("-d", "tcp.port==502,mbrtu", "-o", "mbrtu.crc_verification:TRUE"))],
)
async def test_a_request_means_what_we_think(scheme: str, options: tuple[str, ...], tmp_path: Path) -> None:
    packets = judged(tmp_path / "sent.pcap", await sent(scheme), *options)
    assert [packet["modbus"]["modbus.func_code"] for packet in packets] == [function for function, _, _ in ASKED]
    for packet, (_, address, count) in zip(packets, ASKED, strict=True):
        assert packet["modbus"]["modbus.reference_num"] == address
        counted = packet["modbus"].get("modbus.word_cnt") or packet["modbus"]["modbus.bit_cnt"]
        assert int(counted) == count
        if scheme == "tcp":
            assert packet["mbtcp"]["mbtcp.unit_id"] == str(UNIT)
            assert packet["mbtcp"]["mbtcp.len"] == "6"
        else:
            assert packet["mbrtu"] | {"mbrtu.crc16.status": "1"} == packet["mbrtu"]
        assert "_ws.malformed" not in packet
