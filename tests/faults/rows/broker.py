"""A broker that dies, is silent, refuses or takes only small messages: nothing is lost or tried without end."""

import json
import os
import random
import subprocess
import sys
import time
from typing import Any

from tests.e2e.site import Agent, Platform
from tests.faults.plant import DEVICES, INTERVAL, TAGS, Lines, healthy, not_arrived, of, settled, site, unbalanced
from tests.faults.table import ROOT, Seen, row
from tests.sim.gate import Gate
from tests.sim.mosquitto import Mosquitto, wait_until

SINK = '  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{port}"{more}}}'


def sink(port: int, more: str = "") -> str:
    return SINK.format(port=port, more=more)


def missing(accounts: list[dict[str, Any]], platform: Platform) -> int:
    """Samples that the ledger has as read and the platform has not."""
    arrived = sum(count for device, count in platform.samples().items() if not device.startswith("$"))
    return abs(of(accounts, "platform", "read") - arrived)


def caught_up(agent: Agent, seconds: float = 60.0, sink: str = "platform") -> None:
    def owed() -> int:
        return of(agent.ledger(), sink, "buffered")

    wait_until(lambda: owed() < 10 * TAGS, f"{sink} to catch up", seconds)


@row("28", "broker killed, restarted after up to 2 s", runs=50, short=2)
def broker_killed(seen: Seen) -> None:
    """The gate opens when the platform is back at the new broker: what it forgets by its death is not our loss."""
    dice, lines = random.Random(), Lines(seen.folder)
    with (
        Mosquitto(seen.folder / "broker", persistence=True, receive_maximum=0) as broker,
        Platform(broker.port) as platform,
        Gate(broker.port) as gate,
        Agent(seen.folder, site(seen.folder, more=sink(gate.port, ", backfill: {rate: unlimited}"))) as agent,
    ):
        agent.ready()
        for _ in range(seen.runs):
            wait_until(lambda: healthy(agent, "platform"), "the sink to be up", 30)
            time.sleep(dice.uniform(0, 1))
            broker.kill()
            gate.shut()
            platform.forget_session()
            time.sleep(dice.uniform(0, 2))
            broker.start()
            platform.wait_for_session()
            gate.open()
        caught_up(agent)
        accounts = settled(agent)
        wait_until(lambda: not missing(accounts, platform), "the last frames", 10) if seen.runs else None
    seen.none("samples lost", missing(accounts, platform) + abs(not_arrived(accounts, lines.read())))
    seen.none("gaps in the numbers", len(platform.gaps()))
    seen.none("id conflicts", platform.conflicts + lines.conflicts)
    seen.none("accounts that do not balance", unbalanced(accounts))


@row("29", "publishing to one topic forbidden for 10 s, then allowed", runs=3, short=1)
def acl_denial(seen: Seen) -> None:
    lost, out, tries, blocked, seconds = 0, 0, 0.0, 0, seen.lasts(10, 6)
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        lines = Lines(folder)
        users = {"platform": "read", "gw": "write"}
        topics = "topic write floorgate/gw-fault/$status\ntopic write floorgate/gw-fault/a/#\n"
        allowed = f"user platform\ntopic read #\nuser gw\n{topics}"
        login = ", username: gw, password: '${PASSWORD}'"
        with (
            Mosquitto(folder / "broker", users=users, acl=allowed) as broker,
            Platform(broker.port, login=("platform", "read")) as platform,
            Agent(folder, site(folder, more=sink(broker.port, login)), PASSWORD="write") as agent,
        ):
            agent.ready()
            time.sleep(seconds)
            blocked += sum(p["state"] == "blocked" for p in agent.ask("/api/v1/health") if p["name"] == "platform")
            tries = max(tries, broker.log.count("Denied PUBLISH") / seconds)
            (broker.folder / "acl").write_text(allowed + "topic write floorgate/gw-fault/#\n")
            broker.reload()
            if run % 2 == 0:  # a person restarts it, or it tries again by itself within a minute
                agent.stop()
                agent.start()
                agent.ready()
            caught_up(agent, 90)
            accounts = settled(agent)
            wait_until(lambda: not missing(accounts, platform), "the last frames", 10)  # noqa: B023  # called at once
        lost += missing(accounts, platform) + abs(not_arrived(accounts, lines.read()))
        lost += of(accounts, "platform", "dropped") + of(accounts, "platform", "set_aside")
        out += unbalanced(accounts) + platform.conflicts
    seen.none("samples lost or given up", lost)
    seen.none("accounts that do not balance", out)
    seen.least("times the sink said that it is blocked", blocked, seen.runs)
    seen.most("forbidden messages sent a second", tries, 1)


@row("", "messages larger than the broker takes, MQTT 5 and 3.1.1 in turn", runs=4, short=1)
def oversized(seen: Seen) -> None:
    """A device of 300 tags, a broker that takes 2,000 bytes: its frames go in parts, those of others whole."""
    lost, out, cut, closed, first = 0, 0, 1 << 30, 0, random.randrange(2)
    tags = ", ".join(f"{{name: t{i:03d}, wave: counter, period: 10ms}}" for i in range(300))
    devices = f"  - {{name: wide, driver: sim, interval: 200ms, tags: [{tags}]}}\n"
    devices += "  - {name: slim, driver: sim, interval: 100ms, tags: [{name: t, wave: counter, period: 10ms}]}"
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        lines = Lines(folder)
        protocol = ("5", "3.1.1")[(first + run) % 2]
        with (
            Mosquitto(folder / "broker", max_packet=2000) as broker,
            Platform(broker.port) as platform,
            Agent(folder, site(folder, devices=devices, more=sink(broker.port, f', protocol: "{protocol}"'))) as agent,
        ):
            agent.ready()
            time.sleep(seen.lasts(20, 16))
            before = broker.log.count("New client connected")
            time.sleep(seen.lasts(4, 3))
            closed += broker.log.count("New client connected") - before
            caught_up(agent, 60)
            accounts = settled(agent)
            wait_until(lambda: not missing(accounts, platform), "the last frames", 10)  # noqa: B023  # called at once
        lost += missing(accounts, platform) + abs(not_arrived(accounts, lines.read()))
        lost += of(accounts, "platform", "dropped") + of(accounts, "platform", "set_aside")
        out += unbalanced(accounts)
        cut = min(cut, platform.parted)
    seen.none("samples lost or given up", lost)
    seen.none("accounts that do not balance", out)
    seen.least("frames that came in parts, the fewest", cut, 20)
    seen.none("connections lost once it is settled", closed)


def _in_a_net(seen: Seen, run: int, what: str, seconds: float = 0) -> dict[str, Any]:
    """In a network namespace of its own, which ends with the process."""
    script = ROOT / "tests/faults/programs/in_a_net.py"
    command = ["unshare", "--net", sys.executable, str(script), str(seen.folder_of(run)), what, str(seconds)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@row("22", "20 % of the packets lost both ways, 20 s", runs=3, short=1, needs="root")
def packet_loss(seen: Seen) -> None:
    seconds = seen.lasts(20, 8)
    found = [_in_a_net(seen, run, "loss", seconds) for run in range(seen.runs)]
    seen.none("samples lost", sum(each["lost"] for each in found))
    seen.none("id conflicts", sum(each["conflicts"] for each in found))
    seen.none("accounts that do not balance", sum(each["unbalanced"] for each in found))
    # that it happened at all: chance, and how far TCP slows down, decide how many packets there are to drop
    seen.least("packets dropped", min(each["dropped"] for each in found), seconds if seen.hurried else 2.5 * seconds)
    seen.least(
        "samples read, the fewest", min(each["read"] for each in found), seconds / INTERVAL * TAGS * len(DEVICES) * 0.9
    )


@row("25", "black hole after connect: packets vanish without a word", runs=3, short=1, needs="root")
def black_hole(seen: Seen) -> None:
    found = [_in_a_net(seen, run, "hole") for run in range(seen.runs)]
    seen.most("s until it is noticed, the longest", max(each["noticed"] for each in found), 10.0)
    seen.none("samples lost", sum(each["lost"] for each in found))
    seen.none("id conflicts", sum(each["conflicts"] for each in found))
    seen.none("accounts that do not balance", sum(each["unbalanced"] for each in found))


@row("27", "half-open: the broker's connection stays, nothing gets through", runs=6, short=1)
def swallowed(seen: Seen) -> None:
    noticed, lines = 0.0, Lines(seen.folder)
    with (
        Mosquitto(seen.folder / "broker") as broker,
        Platform(broker.port) as platform,
        Gate(broker.port) as gate,
        Agent(seen.folder, site(seen.folder, more=sink(gate.port, ", backfill: {rate: unlimited}"))) as agent,
    ):
        agent.ready()
        for _ in range(seen.runs):
            wait_until(lambda: healthy(agent, "platform"), "the sink to be up", 30)
            gate.swallow()
            began = time.monotonic()
            wait_until(lambda: not healthy(agent, "platform"), "the sink to be down", 30)
            noticed = max(noticed, time.monotonic() - began)
            gate.shut()
            gate.open()
        caught_up(agent)
        accounts = settled(agent)
        wait_until(lambda: not missing(accounts, platform), "the last frames", 10)
    seen.most("s until it is noticed, the longest", noticed, 15.0)
    seen.none("samples lost", missing(accounts, platform) + abs(not_arrived(accounts, lines.read())))
    seen.none("id conflicts", platform.conflicts)
    seen.none("accounts that do not balance", unbalanced(accounts))
