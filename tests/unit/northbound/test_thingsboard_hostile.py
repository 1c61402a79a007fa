"""A running agent behind a platform that means harm: many calls of each kind, and nothing reaches the device."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from agent.runtime.audit import resting
from tests.lengths import often
from tests.sim.commanded import agent
from tests.sim.faulty_modbus import faulty_device, silent
from tests.sim.holding import Holding
from tests.sim.mosquitto import Mosquitto
from tests.sim.thingsboard import ACL, TOKEN, ThingsBoard
from tests.sim.thingsboard import thingsboard as serving

SITE = """\
gateway: {{id: gw}}
buffer: {{commit: 50ms, max_size: 64MB, reserve: 64MB}}
devices:
  - name: press
    driver: modbus
    endpoint: {device}
    interval: 50ms
    tags:
      - {{name: setpoint, address: 100, unit: Cel, write: {{min: 0, max: 80, step: 2, rate: 0s}}}}
      - {{name: other, address: 101, write: {{rate: 0s}}}}
      - {{name: speed, address: 102}}
sinks:
  - name: tb
    type: thingsboard
    url: {broker}
    token: file:{token}
    hold_off: 0s
    commands: {{allow: [press/setpoint], per_minute: 600}}
"""
COUNT = often(200, 1000)


def site(folder: Path, device: str, broker: str) -> Path:
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    path = folder / "site.yaml"
    path.write_text(SITE.format(device=device, broker=broker, token=folder / "token"))
    return path


async def volley(platform: ThingsBoard, calls: list[tuple[str, str, Any]]) -> Counter[str]:
    """Ten at a time, so that none is turned away because of the others."""
    first = len(platform.answers)
    for at in range(0, len(calls), 10):
        part = calls[at : at + 10]
        for number, (device, method, params) in enumerate(part, at):
            await platform.call(device, number, method, params)
        await platform.answered(first + at + len(part))
    return Counter(answer["data"]["outcome"] for answer in platform.answers[first:])


async def test_many_of_each_kind_write_nothing(tmp_path: Path) -> None:
    plc = Holding()
    with Mosquitto(tmp_path, acl=ACL, options=["set_tcp_nodelay true"]) as broker:
        async with faulty_device(plc.tcp) as server, serving(broker) as platform:
            async with agent(site(tmp_path, server.endpoint, broker.url)):
                await platform.until(lambda: platform.connected == {"press"})
                first = await platform.ask("press", 1, "write", {"tag": "setpoint", "value": 10, "id": "first"})
                assert first == {"success": True, "outcome": "done", "value": 10, "message": "", "hint": "", "audit": 1}
                now = time.time_ns() // 10**6
                forged = [("press", "other", 1), ("press", "speed", 1), ("pres", "setpoint", 1), ("press", "a\nb", 1)]
                wrong = [82, -2, 21, 1e300, 2**63, 20.5, True, "20", None, [20], {"value": {}}, {}, {"tag": "other"}]
                volleys: dict[str, list[tuple[str, str, Any]]] = {
                    "forged": [forged[n % len(forged)] for n in range(COUNT)],
                    "stale": [("press", "setpoint", {"value": 20, "issued_at": now - 90_000}) for _ in range(COUNT)],
                    "replayed": [("press", "setpoint", {"value": n % 40 * 2, "id": "first"}) for n in range(COUNT)],
                    "out of range": [("press", "setpoint", wrong[n % len(wrong)]) for n in range(COUNT)],
                }
                found = {name: await volley(platform, calls) for name, calls in volleys.items()}
                assert found == {
                    "forged": {"forbidden": COUNT},
                    "stale": {"stale": COUNT},
                    "replayed": {"repeated": COUNT},
                    "out of range": {"forbidden": COUNT},
                }
                call = {"device": "press", "data": {"id": 1, "method": "setpoint", "params": 30}}
                for payload in (b"\xff" * 100, b"[" * 60_000, b"{" + b" " * 200_000, json.dumps(call["data"])):
                    await platform.say(payload)
                await platform.say(json.dumps(call), topic="v1/gateway/connect")
                assert len(plc.writes) == 1
                assert (await platform.ask("press", 2, "setpoint", 20))["outcome"] == "done"
            assert [fault for fault in platform.faults if "telemetry" in fault or "attributes" in fault] == []
    with resting(tmp_path / "data") as book:
        assert book.verify().fault == ""
        assert [row["new"] for row in book.entries(10)] == [10, 20]
        assert "ThingsBoard" in book.entries(10)[0]["via"]
        assert sum(row["count"] for row in book.refusals(10_000)) > 2 * COUNT


async def test_values_units_and_a_dead_device_are_seen_on_the_platform(tmp_path: Path) -> None:
    plc = Holding()
    plc.registers |= {100: 42, 102: 7}
    with Mosquitto(tmp_path, acl=ACL) as broker:
        async with serving(broker) as platform:
            async with faulty_device(plc.tcp) as server, agent(site(tmp_path, server.endpoint, broker.url)):
                await platform.until(lambda: platform.latest("press").get("setpoint") == 42)
                assert platform.attributes["press"] == {"setpoint_unit": "Cel"}
                server.behave = silent
                await platform.until(lambda: not platform.connected)
                assert platform.latest("press")["setpoint_quality"] == "bad_comm"
            assert platform.faults == []
