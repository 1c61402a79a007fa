"""What a machine is a gateway for: a libmodbus server, a mosquitto and a platform, all on the loopback they share."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import SERVICE, USER, Machine
from tests.e2e.site import Platform
from tests.faults.plant import of, unbalanced
from tests.faults.table import Seen
from tests.sim.fixtures import libmodbus_server
from tests.sim.gate import Gate
from tests.sim.mosquitto import Mosquitto, wait_until

SITE = "/etc/floorgate/floorgate.yaml"
DATA = "/var/lib/floorgate"
GATEWAY = "gw-try"
TAGS = 20
INTERVAL = 0.1  # seconds between two frames
_SITE = """\
gateway: {{id: {gateway}}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    interval: {interval:g}ms
    tags: [{tags}]
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"{login}, backfill: {{rate: unlimited}}}}
buffer: {{keep: 1d, max_size: 64MB, reserve: 1MB, commit: 50ms}}
"""


@dataclass
class Plant:
    """`config` is the configuration for it."""

    broker: Mosquitto
    platform: Platform
    modbus: Gate  # before the libmodbus server
    config: str

    def arrived(self) -> int:
        """Frames."""
        return len(self.platform.taken())

    def wait(self, more: int = 5, seconds: float = 60) -> float:
        """Until so many further frames are there; how long that took, in seconds."""
        began, before = time.monotonic(), self.arrived()
        wait_until(lambda: self.arrived() >= before + more, f"{more} more frames at the platform", seconds)
        return time.monotonic() - began


@contextmanager
def plant(folder: Path, users: Mapping[str, str] | None = None) -> Iterator[Plant]:
    """`users`: names and passwords that the broker asks for, the platform's first; the gateway's by a credential."""
    tags = ", ".join(f"{{name: t{i}, address: {2000 + 2 * i}, type: float32}}" for i in range(TAGS))
    names = [*users] if users else []
    login = f', username: {names[1]}, password: "credential:mqtt-password"' if users else ""
    with (
        libmodbus_server() as modbus,
        Gate(modbus) as gate,
        Mosquitto(folder / "broker", users=users) as broker,
        Platform(broker.port, login=(names[0], users[names[0]]) if users else None) as platform,
    ):
        facts = {
            "gateway": GATEWAY,
            "modbus": gate.port,
            "broker": broker.port,
            "login": login,
            "interval": 1000 * INTERVAL,
            "tags": tags,
        }
        yield Plant(broker, platform, gate, _SITE.format(**facts))


def ledger(machine: Machine) -> list[dict[str, Any]]:
    """What the service user's agent says where each sample went."""
    done = machine.run("floorgate", "ledger", "--json", "--data", DATA, user=USER)
    assert done.returncode in {0, 1}, done.stdout  # 1: it does not balance, which the rows count themselves
    accounts = json.loads(done.stdout)
    assert isinstance(accounts, list)
    return accounts


def settle(seen: Seen, machine: Machine, site: Plant, least: int = 10) -> None:
    """Stop the service, and compare what it says was read with what arrived."""
    machine.must("systemctl", "stop", SERVICE)
    accounts = ledger(machine)
    owed = of(accounts, "platform", "buffered")

    def missing() -> int:
        frames = [frame for frame in site.platform.taken().values() if frame["gateway"] == GATEWAY]
        arrived = sum(len(frame["values"].keys() | frame["quality"].keys()) for frame in frames if _read(frame))
        return of(accounts, "platform", "read") - owed - arrived

    wait_until(lambda: missing() <= 0, "the last frames", 10) if missing() else None
    seen.least("samples read", of(accounts, "platform", "read"), least)
    seen.none("samples lost", abs(missing()) + of(accounts, "platform", "dropped"))
    seen.none("gaps in the numbers", len(site.platform.gaps()))
    seen.none("accounts that do not balance", unbalanced(accounts))


def _read(frame: dict[str, Any]) -> bool:
    """Of a device, and not what the gateway says of itself."""
    return not frame["device"].startswith("$")


def listed(seen: Seen, what: str, found: "list[str]") -> None:
    """None of these may be; on a miss they are told on stderr."""
    for each in found:
        print(f"    {what}: {each}", file=sys.stderr, flush=True)
    seen.none(what, len(found))
