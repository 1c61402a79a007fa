"""The promise, end to end: agent process, libmodbus device, real broker; the broker goes away, the agent is killed."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.site import Agent, Platform
from tests.lengths import often
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until

TAGS = "\n".join(f"      - {{name: t{i:02d}, address: {2000 + 2 * i}, type: float32}}" for i in range(40))
SITE = """\
gateway: {{id: gw-e2e, site: [acme]}}
devices:
  - name: fast-meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    interval: 50ms
    tags:
{tags}
  - name: slow-meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    unit: 2
    interval: 200ms
    tags:
      - {{name: uptime, address: 1002, type: uint32, unit: s}}
      - {{name: energy, address: 1100, type: float32, unit: kWh, kind: counter}}
      - {{name: missing_one, register: input, address: 65000}}
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
buffer: {{keep: 1d, reserve: 1MB, commit: 200ms}}
log: {{format: json}}
"""


@contextmanager
def house(folder: Path, *, persistence: bool = False) -> Iterator[tuple[Agent, Platform, Mosquitto]]:
    """Device, broker, platform and agent, each a process or thread of its own."""
    with (
        libmodbus_server() as modbus,
        Mosquitto(folder / "broker", persistence=persistence) as broker,
        Platform(broker.port) as platform,
        Agent(folder, SITE.format(modbus=modbus, broker=broker.port, tags=TAGS)) as agent,
    ):
        yield agent, platform, broker


def kill_and_start(agent: Agent, times: int) -> None:
    """At moments that are new in each run: a seed would test the same ones for ever."""
    for _ in range(times):
        agent.ready()
        time.sleep(random.uniform(0.2, often(1, 2)))
        agent.kill()
        agent.start()


def test_nothing_committed_is_lost_over_an_outage_and_five_kills(tmp_path: Path) -> None:
    """Broker stopped for a while, agent killed five times at random; the consumer has each frame that was committed."""
    with house(tmp_path, persistence=True) as (agent, platform, broker):
        wait_until(lambda: len(platform.taken()) > 20, "first frames")
        down_at = time.monotonic()
        broker.stop()
        kill_and_start(agent, times=3)
        time.sleep(max(0.0, often(5, 10) - (time.monotonic() - down_at)))
        before = len(platform.taken())
        broker.start()
        kill_and_start(agent, times=2)
        agent.ready()
        wait_until(lambda: len(platform.taken()) > before + 100, "frames after the outage", 30)
        wait_until(lambda: all(account["buffered"] < 200 for account in agent.ledger()), "catching up", 30)
        assert agent.stop() == 0
        accounts = {account["device"]: account for account in agent.ledger()}
        wait_until(
            lambda: sum(platform.samples().values()) >= sum(a["read"] for a in accounts.values()), "the last frames"
        )
        samples = platform.samples()

    assert platform.gaps() == []
    assert platform.conflicts == 0
    assert 2 <= len({epoch for _, epoch, _ in platform.frames}) <= 6, "one epoch per start that came to a commit"
    for name in ("fast-meter", "slow-meter"):
        account = accounts[name]
        assert (account["buffered"], account["dropped"], account["balanced"]) == (0, {}, True)
        assert samples[name] == account["delivered"] == account["read"] > 0
    assert any(frame["history"] for frame in platform.frames.values()), "what waited is marked as history"


def test_the_values_that_arrive_are_the_ones_the_device_holds(tmp_path: Path) -> None:
    """A value is right, in its unit's column, and a register that is not there is a quality and harms nobody."""
    with house(tmp_path) as (agent, platform, _):
        wait_until(lambda: sum(frame["device"] == "slow-meter" for frame in platform.taken().values()) >= 3, "frames")
        assert agent.ledger(), "the running agent answers for its ledger"
        assert agent.stop() == 0
        wait_until(lambda: platform.status[-1]["state"] == "offline", "an orderly goodbye")
    slow = [frame for frame in platform.frames.values() if frame["device"] == "slow-meter"]
    assert all(frame["values"]["energy"] == 0.5 for frame in slow)
    assert all(frame["quality"] == {"missing_one": "bad_device"} for frame in slow)
    assert all(frame["group"] == "200ms" and frame["gateway"] == "gw-e2e" for frame in slow)
    times = sorted(frame["ts"] for frame in slow)
    assert abs(times[0] - time.time() * 1000) < 60_000


def test_a_second_agent_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with house(tmp_path) as (agent, platform, _):
        wait_until(lambda: len(platform.taken()) > 5, "first frames")
        second = agent.command("run", "-c", str(agent.config))
        assert second.returncode == 1
        assert "in use" in second.stderr
        before = len(platform.taken())
        wait_until(lambda: len(platform.taken()) > before, "more frames")
        assert agent.ledger()
        assert agent.stop() == 0


def test_a_hangup_signal_does_not_end_the_agent(tmp_path: Path) -> None:
    """It looks at its files, finds that they say the same, and nothing is touched."""
    with house(tmp_path) as (agent, platform, _):
        agent.ready()
        os.kill(agent.pid, signal.SIGHUP)
        wait_until(lambda: len(platform.taken()) > 5, "frames after the signal")
        assert agent.stop() == 0
        assert "applied" not in agent.log.read_text()
