"""What the gateway is made of is told to its owner, and nothing of it is secret; so are the last lines of its log."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from agent.config.listed import address
from agent.runtime.logs import TextLines
from agent.runtime.ring import Ring
from agent.status.openapi import INVENTORY
from tests.unit.runtime.explaining import running

SITE = """\
gateway: {{id: gw-1, site: [acme, hangzhou]}}
devices:
  - {{name: boiler, driver: sim, interval: 250ms, tags: [{{name: heat}}, {{name: cold}}]}}
  - {{name: gone, driver: modbus, endpoint: 'tcp://127.0.0.1:1', tags: [{{name: a, address: 0}}]}}
sinks:
  - {{name: apps, type: pull, token: 'file:{folder}/token'}}
  - {{name: out, type: http, url: 'http://127.0.0.1:1/hook/tok-in-a-path', enabled: false}}
buffer: {{max_size: 64MB, reserve: 64MB, keep: 1h}}
"""


async def asked(folder: Path) -> tuple[dict[str, Any], list[str]]:
    (folder / "token").write_text("canary-canary-canary", "utf-8")
    (folder / "token").chmod(0o600)
    async with running(folder, SITE.format(folder=folder)) as ask:
        for _ in range(200):
            lines = (await ask("/api/v1/log/lines"))["lines"]
            if any("self-test" in line for line in lines):
                break
            await asyncio.sleep(0.02)
        return await ask("/api/v1/inventory"), lines


async def test_the_inventory_has_versions_machine_devices_and_settings_and_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "floorgate")
    found, lines = await asked(tmp_path)
    jsonschema_rs.validate({"type": "object", "required": [*INVENTORY], "properties": INVENTORY}, found)
    assert set(found) == set(INVENTORY)
    assert found["product"]["name"] == "floorgate" and found["libraries"]["pymodbus"].startswith("3.")
    assert found["gateway"] == {"id": "gw-1", "site": ["acme", "hangzhou"], "timezone": ""}
    assert [(each["name"], each["driver"], each["tags"]) for each in found["devices"]] == [
        ("boiler", "sim", 2),
        ("gone", "modbus", 1),
    ]
    assert found["devices"][0]["interval"] == "250ms"
    assert (found["buffer"]["keep"], found["buffer"]["max_size"]) == ("1h", "64MB")
    assert (found["drivers"], found["sink_types"]) == (["modbus", "sim"], ["http", "pull"])
    assert [sink.get("token") for sink in found["sinks"]] == ["(a secret)", None]
    assert found["sinks"][1]["url"] == "http://127.0.0.1:1/…"
    assert "canary" not in json.dumps(found) and "tok-in" not in json.dumps(found)
    assert any("started" in line and "gateway=gw-1" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mqtts://user:pw@broker.example:8883", "mqtts://broker.example:8883"),
        ("https://u@h/path?token=x", "https://h/…"),
        ("opc.tcp://u:p@10.0.0.1:4840/ua", "opc.tcp://10.0.0.1:4840/ua"),
        ("rtu:///dev/ttyUSB0?baud=9600", "rtu:///dev/ttyUSB0?baud=9600"),
        ("of tcp://a:b@h:1 and wss://h:2/", "of tcp://h:1 and wss://h:2/"),
        ("floorgate/{gateway}/#", "floorgate/{gateway}/#"),
    ],
)
def test_an_address_is_told_without_what_may_be_secret(text: str, shown: str) -> None:
    assert address(text) == shown


def test_the_ring_keeps_the_last_lines_within_its_room_and_counts_all(caplog: pytest.LogCaptureFixture) -> None:
    ring, log = Ring(TextLines(), most=5, room=1000), logging.getLogger("floorgate")
    caplog.set_level(logging.INFO, "floorgate")
    with ring.listening():
        for number in range(9):
            log.warning("line %d", number)
        assert [line.split()[-1] for line in ring.last()] == ["4", "5", "6", "7", "8"]
        assert [line.split()[-1] for line in ring.last(2)] == ["7", "8"]
        assert len(ring.last(0)) == 0
        log.error("x" * 10_000)
        log.error("y" * 10_000)
        assert sum(map(len, ring.last())) <= 1000 and len(ring.last()) >= 2
        for _ in range(100):
            log.info("again and again")  # a flood
    log.error("nobody hears this")
    assert (ring.counts["warning"], ring.counts["error"]) == (9, 2)
    assert 50 < ring.suppressed < 100
