"""Each way north, end to end: rights that are missing at first, an outage, a kill, commands in between; every frame
arrives, says the same each time, and the ledger balances."""

import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from agent.northbound.shapes.columnar_reader import Reader, UnknownSchema
from tests.e2e.site import Agent, Platform
from tests.sim.fixtures import libmodbus_server
from tests.sim.http_platform import HttpPlatform, Says
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.test_mqtt_shapes import kept

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
  - name: press
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    unit: 2
    place: [line-1, cell-2]
    interval: 200ms
    tags:
      - {{name: uptime, address: 1002, type: uint32, unit: s}}
      - {{name: setpoint, address: 2600, type: uint16, write: {{min: 0, max: 1000, rate: 0s}}}}
      - {{name: missing_one, register: input, address: 65000}}
sinks:
  - {{name: platform, start: oldest, {sink}}}
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms}}
log: {{format: json}}
"""
MQTT = (
    'type: mqtt, url: "mqtt://127.0.0.1:{port}", username: gw, password: "${{GW_PASSWORD}}",'
    ' commands: {{allow: ["press/setpoint"]}}, {more}'
)
COLUMNS = 'shape: columnar, per: batch, topic: "floorgate/{gateway}/columns"'
BY_TAG = 'per: tag, topic: "floorgate/{gateway}/{place}/{device}/{tag}"'
USERS = {"platform": "p", "gw": "g"}
MAY = """\
user platform
topic readwrite #
topic read $SYS/#
user gw
topic readwrite floorgate/gw-e2e/#
"""
MAY_NOT = MAY.replace("gw-e2e/#", "gw-e2e/$status") + "topic read floorgate/gw-e2e/$command\n"


class Strict(Platform):
    """Reads columns, and envelopes of one tag, as strictly as `Platform` reads frames: what comes again must be the
    same. Columns of a schema that is not known yet are kept until it is."""

    def __init__(self, port: int) -> None:
        self.reader = Reader()
        self.early: list[bytes] = []
        self.tags: dict[tuple[str, str, int], dict[str, Any]] = defaultdict(dict)
        self.answers: dict[str, dict[str, Any]] = {}
        super().__init__(port, login=("platform", "p"))

    def _take(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        topic, payload = message.topic, message.payload
        with self._lock:
            if "/$schema/" in topic:
                assert self.reader.learn(payload).hex() == topic.rpartition("/")[2]
                early, self.early = self.early, []
                for each in early:
                    self._columns(each)
            elif topic.endswith("/columns"):
                self._columns(payload)
            elif topic.endswith("/$answer"):
                answer = json.loads(payload)
                self.answers[f"{answer['id']}/{len(self.answers)}"] = answer
            elif "$" not in topic:
                frame = json.loads(payload)
                assert topic.rpartition("/")[2] in frame["values"].keys() | frame["quality"].keys()
                self._keep(frame)

    def _columns(self, payload: bytes) -> None:
        try:
            for frame in self.reader.read(payload):
                self._keep(frame)
        except UnknownSchema:
            self.early.append(payload)

    def _keep(self, frame: dict[str, Any]) -> None:
        whole = self.frames.setdefault(
            (frame["gateway"], frame["epoch"], frame["seq"]), {**frame, "values": {}, "quality": {}}
        )
        same = {"values": None, "quality": None, "history": None}
        self.conflicts += {**whole, **same} != {**frame, **same}
        for part in ("values", "quality"):
            for name, value in frame[part].items():
                self.conflicts += whole[part].setdefault(name, value) != value


@contextmanager
def over_mqtt(folder: Path, more: str) -> Iterator[tuple[Agent, Strict, Mosquitto]]:
    with (
        libmodbus_server() as modbus,
        Mosquitto(folder / "broker", persistence=True, users=USERS, acl=MAY_NOT) as broker,
        Strict(broker.port) as platform,
        Agent(
            folder,
            SITE.format(modbus=modbus, tags=TAGS, sink=MQTT.format(port=broker.port, more=more)),
            GW_PASSWORD="g",
        ) as agent,
    ):
        yield agent, platform, broker


def give(broker: Mosquitto, platform: Strict, name: str, value: int) -> str:
    """The outcome of a command."""
    command = {"id": name, "device": "press", "tag": "setpoint", "value": value, "issued_at": time.time_ns() // 10**6}
    before = len(platform.answers)
    login = ["-u", "platform", "-P", "p", "-V", "5", "-q", "1", "-t", "floorgate/gw-e2e/$command"]
    subprocess.run(["mosquitto_pub", "-p", str(broker.port), *login, "-m", json.dumps(command)], check=True)
    wait_until(lambda: len(platform.answers) > before, f"the answer to {name}")
    return str(list(platform.answers.values())[-1]["outcome"])


def settled(agent: Agent, platform: Platform) -> Counter[str]:
    """Stop the agent; the samples that have arrived when the ledger says that all have."""
    agent.ready()
    wait_until(lambda: all(account["buffered"] < 100 for account in agent.ledger()), "catching up", 30)
    assert agent.stop() == 0
    accounts = agent.ledger()
    assert [(each["buffered"], each["set_aside"], each["dropped"], each["balanced"]) for each in accounts] == [
        (0, 0, {}, True)
    ] * len(accounts)
    assert all(each["read"] == each["delivered"] > 0 for each in accounts)
    owed = {each["device"]: each["read"] for each in accounts}
    wait_until(lambda: platform.samples() == owed, f"the last of {owed}: {platform.samples()}")
    assert (platform.gaps(), platform.conflicts) == ([], 0)
    return platform.samples()


@pytest.mark.parametrize("more", [COLUMNS, BY_TAG], ids=["columns-of-batches", "tags-retained"])
def test_every_frame_arrives_and_a_command_is_carried_out_once(tmp_path: Path, more: str) -> None:
    with over_mqtt(tmp_path, more) as (agent, platform, broker):
        wait_until(lambda: "Denied PUBLISH" in broker.log, "a publish that is denied")
        assert not platform.frames
        (broker.folder / "acl").write_text(MAY)
        broker.reload()
        agent.kill()  # a sink that is denied tries again after a minute, and this at once
        agent.start()
        wait_until(lambda: len(platform.taken()) > 20, "frames from before the rights were there", 30)
        assert give(broker, platform, "c1", 321) == "done"
        broker.stop()
        agent.kill()
        agent.start()
        agent.ready()
        time.sleep(1.0)
        before = len(platform.taken())
        broker.start()
        wait_until(lambda: len(platform.taken()) > before + 20, "frames after the outage", 30)
        assert [give(broker, platform, "c1", 999), give(broker, platform, "c2", 2000)] == ["repeated", "forbidden"]
        samples = settled(agent, platform)
        retained = kept(broker, "floorgate/gw-e2e/line-1/cell-2/press/#", login=("platform", "p"))
    assert set(samples) == {"meter", "press"}
    assert not platform.early
    last = max((frame for frame in platform.frames.values() if frame["device"] == "press"), key=lambda f: f["ts"])
    assert last["values"]["setpoint"] == 321
    if more == BY_TAG:
        assert {json.loads(text)["seq"] for text in retained.values()} == {last["seq"]}
        assert len(retained) == 3


def test_every_frame_arrives_over_http(tmp_path: Path) -> None:
    sink = 'type: http, url: "{url}", compress: none, timeout: 2s'
    with libmodbus_server() as modbus, HttpPlatform() as platform:
        text = SITE.format(modbus=modbus, tags=TAGS, sink=sink.format(url=platform.url))
        with Agent(tmp_path, text) as agent:
            wait_until(lambda: len(platform.frames()) > 20, "first frames", 30)
            platform.always = Says(503, {"Retry-After": "1"})
            time.sleep(1.0)
            platform.stop()
            agent.kill()
            agent.start()
            agent.ready()
            platform.always = Says(200)
            platform.start()
            before = len(platform.frames())
            wait_until(lambda: len(platform.frames()) > before + 20, "frames after the outage", 30)
            wait_until(lambda: all(account["buffered"] < 100 for account in agent.ledger()), "catching up", 30)
            assert agent.stop() == 0
            accounts = {account["device"]: account for account in agent.ledger()}
    said: dict[tuple[str, int], dict[str, Any]] = {}
    for frame in platform.frames():
        first = said.setdefault((frame["epoch"], frame["seq"]), frame)
        assert {**first, "history": None} == {**frame, "history": None}
    samples = Counter[str]()
    for frame in said.values():
        samples[frame["device"]] += len(frame["values"].keys() | frame["quality"].keys())
    assert {name: (a["delivered"], a["buffered"], a["balanced"]) for name, a in accounts.items()} == {
        name: (count, 0, True) for name, count in samples.items()
    }
    keys = [request.headers["Idempotency-Key"] for request in platform.taken]
    assert len(set(keys)) == len({request.body for request in platform.taken})
