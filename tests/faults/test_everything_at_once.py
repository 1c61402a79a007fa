"""A minute of kills, stops, frozen and restarted brokers, with two sinks: the accounts agree to the last sample."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.site import Agent, Platform
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until

SECONDS = 60.0
TAGS = "\n".join(f"      - {{name: t{i:02d}, address: {2000 + 2 * i}, type: float32}}" for i in range(40))
SITE = """\
gateway: {{id: gw-chaos}}
devices:
  - name: fast
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    interval: 20ms
    tags:
{tags}
  - name: slow
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    unit: 2
    interval: 200ms
    tags:
      - {{name: uptime, address: 1002, type: uint32}}
      - {{name: missing, register: input, address: 65000}}
  - name: texts
    driver: sim
    interval: 50ms
    tags: [{{name: text, wave: text, period: 1s}}, {{name: count, wave: counter, period: 100ms}}]
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}", timeout: 2s}}
  - {{name: lines, type: file, path: {lines}, max_size: 1MB, keep: 900}}
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms}}
log: {{format: json}}
"""


class Mischief:
    """What may happen to an agent and its broker; each leaves both running."""

    def __init__(self, agent: Agent, broker: Mosquitto, dice: random.Random) -> None:
        self.agent, self.broker, self.dice = agent, broker, dice
        self.all: list[Callable[[], None]] = [self.kill, self.kill, self.end, self.freeze, self.restart, self.hold]
        self.all += [self.ask, self.ask_at_rest]

    def kill(self) -> None:
        self.agent.kill()
        self.agent.start()

    def end(self) -> None:
        self.agent.stop()
        self.agent.start()

    def freeze(self) -> None:
        with self.broker.frozen():
            time.sleep(self.dice.uniform(0.2, 4))

    def restart(self) -> None:
        self.broker.restart(self.dice.uniform(0, 4))

    def hold(self) -> None:
        os.kill(self.agent.pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.1, 2))
        os.kill(self.agent.pid, signal.SIGCONT)

    def ask(self) -> None:
        self.agent.ready()
        assert all(account["balanced"] for account in self.agent.ledger())

    def ask_at_rest(self) -> None:
        self.agent.kill()
        assert all(account["balanced"] for account in self.agent.ledger())
        self.agent.start()


@pytest.mark.slow
def test_what_arrives_is_what_the_ledger_says_whatever_happens(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    print(f"seed {seed}")
    with (
        libmodbus_server() as modbus,
        Mosquitto(tmp_path / "broker", persistence=True, receive_maximum=50) as broker,
        Platform(broker.port) as platform,
        Agent(tmp_path, SITE.format(modbus=modbus, broker=broker.port, lines=tmp_path / "out", tags=TAGS)) as agent,
    ):
        agent.ready()
        mischief, end = Mischief(agent, broker, dice), time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(dice.uniform(0.1, 2.5))
            dice.choice(mischief.all)()
        agent.ready()
        wait_until(lambda: sum(account["buffered"] for account in agent.ledger()) < 500, "catching up", 30)
        assert agent.stop() == 0
        accounts = agent.ledger()
        expected = delivered(accounts, "platform")
        wait_until(lambda: platform.samples().total() >= expected.total(), "the last frames")
    assert all(account["balanced"] and not account["dropped"] for account in accounts)
    assert platform.samples() == expected
    assert written(tmp_path) == delivered(accounts, "lines")
    assert platform.gaps() == []
    assert platform.conflicts == 0


def delivered(accounts: list[dict[str, object]], sink: str) -> Counter[str]:
    return Counter({str(a["device"]): int(str(a["delivered"])) for a in accounts if a["sink"] == sink})


def written(folder: Path) -> Counter[str]:
    """Distinct samples per device in all files of the file sink."""
    frames = {}
    for path in folder.glob("out*"):
        for line in path.read_text().splitlines():
            frame = json.loads(line)
            frames[frame["epoch"], frame["seq"]] = (
                frame["device"],
                len(frame["values"].keys() | frame["quality"].keys()),
            )
    counts: Counter[str] = Counter()
    for device, samples in frames.values():
        counts[device] += samples
    return counts
