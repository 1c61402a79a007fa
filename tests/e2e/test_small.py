"""What an agent with little to do has loaded: a library that nothing of its site needs takes memory for years."""

import os
import subprocess
import sys
from pathlib import Path

from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until

SITE = """\
gateway: {{id: plant-7}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    interval: 100ms
    tags: [{{name: power, address: 0, type: float32}}]
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
buffer: {{keep: 1d, reserve: 1MB}}
"""
NEEDLESS = {
    *("aiohttp", "amqtt", "asyncua", "cryptography", "openpyxl", "prometheus_client", "rich", "websockets"),
    *("agent.demo", "agent.imports", "agent.replay", "agent.simulate", "drivers.opcua", "drivers.sim"),
    *("agent.northbound.file", "agent.northbound.http", "agent.northbound.pull", "agent.northbound.sparkplug"),
}
LOOK = """\
import atexit, sys
atexit.register(lambda: print(*sys.modules))
from agent.cli import main
main()
"""


def test_an_agent_with_modbus_and_mqtt_loads_nothing_else(tmp_path: Path) -> None:
    config, environ = tmp_path / "site.yaml", {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (
        libmodbus_server() as modbus,
        Mosquitto(tmp_path / "broker") as broker,
        broker.subscriber("floorgate/#") as platform,
    ):
        config.write_text(SITE.format(modbus=modbus, broker=broker.port))
        command = [sys.executable, "-c", LOOK, "run", "-c", str(config), "--data", str(tmp_path / "data")]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as agent:
            wait_until(platform.frames, "the first frame")
            agent.terminate()
            loaded = set(agent.communicate(timeout=20)[0].split())
    assert {"pymodbus", "aiomqtt", "drivers.modbus.driver"} <= loaded
    assert not NEEDLESS & loaded
