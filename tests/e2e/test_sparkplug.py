"""A gateway as an edge node: agent process, libmodbus device, real broker, and a primary host that misses nothing."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.e2e.site import Agent
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.sparkplug_host import Host

TAGS = "\n".join(f"      - {{name: t{i:02d}, address: {2000 + 2 * i}, type: float32}}" for i in range(20))
SITE = """\
gateway: {{id: gw-e2e, site: [acme]}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    interval: 100ms
    tags:
{tags}
sinks:
  - {{name: scada, type: sparkplug, url: "mqtt://127.0.0.1:{broker}", primary_host: scada}}
buffer: {{keep: 1d, reserve: 1MB, commit: 200ms}}
log: {{format: json}}
"""
STATE = "spBv1.0/STATE/scada"


class Scada:
    """A primary host application: a strict host, and what it says of itself."""

    def __init__(self, port: int) -> None:
        self.host = Host("acme", "gw-e2e")
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"scada-{os.getpid()}-{id(self):x}")
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self.say(online=True)
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)

    def say(self, *, online: bool) -> None:
        said = json.dumps({"online": online, "timestamp": time.time_ns() // 10**6})
        self._client.publish(STATE, said, qos=1, retain=True)

    def _connected(self, *_: object) -> None:
        self._client.subscribe("spBv1.0/acme/#", qos=1)

    def _hear(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        with self._lock:
            self.host.hear(message.topic, bytes(message.payload))

    def samples(self) -> set[tuple[str, int]]:
        """(metric, time) of all that came of the device."""
        with self._lock:
            return {(sample.metric, sample.ts) for sample in self.host.samples if sample.device == "meter"}

    def deaths(self) -> int:
        with self._lock:
            return self.host.heard("NDEATH")

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_primary_host_misses_nothing_over_its_own_absence_an_outage_and_kills(tmp_path: Path) -> None:
    with (
        libmodbus_server() as modbus,
        Mosquitto(tmp_path / "broker") as broker,
        Scada(broker.port) as scada,
        Agent(tmp_path, SITE.format(modbus=modbus, broker=broker.port, tags=TAGS)) as agent,
    ):

        def more(what: str) -> None:
            before = len(scada.samples())
            wait_until(lambda: len(scada.samples()) > before + 100, what, 30)

        more("first samples")
        agent.ready()
        scada.say(online=False)
        wait_until(scada.deaths, "the death of the node")
        before = len(scada.samples())
        time.sleep(1.0)
        assert len(scada.samples()) == before, "nothing is said while the host is away"
        scada.say(online=True)
        more("what was read meanwhile")
        broker.stop()
        agent.kill()
        agent.start()
        agent.ready()
        broker.start()
        more("samples after the outage")
        agent.kill()
        agent.start()
        more("samples after a power cut")
        assert agent.stop() == 0
        account: dict[str, Any] = next(each for each in agent.ledger() if each["device"] == "meter")
        wait_until(lambda: len(scada.samples()) >= account["read"], "the last samples")

    host = scada.host
    assert host.faults == []
    assert (account["delivered"], account["dropped"]) == (account["read"], {})
    assert len(scada.samples()) == account["read"]
    assert host.bdseqs == sorted(set(host.bdseqs))
    assert len(host.bdseqs) == 4
    assert any(sample.historical for sample in host.samples)
    assert host.node is None, "it has said goodbye"
