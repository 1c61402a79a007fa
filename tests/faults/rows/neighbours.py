"""What one failing part may do to the others: nothing."""

import asyncio
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store
from tests.e2e.site import Agent, Platform
from tests.faults.oracle import FOREVER
from tests.faults.plant import DEVICES, INTERVAL, TAGS, Lines, not_arrived, of, settled, site, unbalanced
from tests.faults.rows.broker import caught_up, missing, sink
from tests.faults.table import ROOT, Seen, row
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.ports import free_port
from tests.unit.northbound.fake_broker import FakeBroker, fake_broker, puback


@row("20", "a second agent on the same data", runs=10, short=0)
def second_agent(seen: Seen) -> None:
    accepted, wordless, slowest = 0, 0, 0.0
    lines = Lines(seen.folder)
    with Agent(seen.folder, site(seen.folder)) as agent:
        agent.ready()
        for _ in range(seen.runs):
            began = time.monotonic()
            command = [sys.executable, "-m", "agent", "run", "-c", agent.config, "--data", agent.data]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
            slowest = max(slowest, time.monotonic() - began)
            accepted += done.returncode == 0
            wordless += "in use" not in done.stderr + done.stdout
        accounts = settled(agent)
    seen.none("accepted", accepted)
    seen.none("refused without a word that says why", wordless)
    seen.most("s until it is refused, start of Python included, the slowest", slowest, 2.0)
    seen.none("samples lost by the first", abs(not_arrived(accounts, lines.read())) + unbalanced(accounts))


def _delay(folder: Path, seconds: float, *, dead: bool) -> tuple[float, int]:
    """p95 of the seconds from scan to arrival at two of three sinks; samples lost."""
    folder.mkdir()
    with (
        Mosquitto(folder / "broker") as broker,
        Platform(broker.port, "one/#") as one,
        Platform(broker.port, "two/#") as two,
        Platform(broker.port, "three/#"),
    ):
        third = free_port() if dead else broker.port
        names = [("one", broker.port), ("two", broker.port), ("three", third)]
        more = "\n".join(sink(port, f', topic: "{n}/{{device}}"').replace("platform", n) for n, port in names)
        with Agent(folder, site(folder, more=more)) as agent:
            agent.ready()
            time.sleep(2)
            for each in (one, two):
                each.delays.clear()
            time.sleep(seconds)
            delays = [delay for each in (one, two) for _, history, delay in list(each.delays) if not history]
            accounts = settled(agent)
        time.sleep(0.5)
        lost = sum(
            abs(of(accounts, name, "read") - each.samples().total()) for name, each in (("one", one), ("two", two))
        )
    return statistics.quantiles(delays, n=20)[-1], lost


@row("36", "one of three sinks dead for the whole run; pairs of runs, all alive and one dead", runs=5, short=0)
def dead_neighbour(seen: Seen) -> None:
    ratios, lost = [], 0
    for run in range(seen.runs):
        found = {}
        for dead in ((False, True), (True, False))[run % 2]:
            found[dead], gone = _delay(seen.folder / f"{run}-{dead}", 15, dead=dead)
            lost += gone
        ratios.append(found[True] / found[False])
    seen.most("% by which p95 of the others' latency grows, median", 100 * (statistics.median(ratios) - 1), 10)
    seen.none("samples lost by the others", lost)


@row("32", "a backlog of many hours while live data goes on, rate 4x", runs=2, short=0)
def backfill(seen: Seen) -> None:
    """Time-scaled: the backlog is as large as 150 s of live data, and is to take no less than its rate allows."""
    worst = share = 0.0
    lost = disorder = out = 0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        live = TAGS * len(DEVICES) / INTERVAL
        with Mosquitto(folder / "broker") as broker, Platform(broker.port) as platform:
            config = site(folder, more=sink(broker.port))
            _preload(folder / "data", round(150 * live))
            with Agent(folder, config) as agent:
                agent.ready()
                wait_until(lambda: _history(platform) >= 150 * live, "the backlog", 200)  # noqa: B023  # called at once
                times = [at for at, _ in platform.arrivals]
                while_draining = list(platform.delays)
                platform.delays.clear()
                time.sleep(10)
                normal = list(platform.delays)
                caught_up(agent)
                accounts = settled(agent)
                wait_until(lambda: not missing(accounts, platform), "the last frames", 10)  # noqa: B023  # as above
            lost += missing(accounts, platform) + of(accounts, "platform", "dropped")
            out += unbalanced(accounts)
            worst = max(worst, _p95(while_draining) / _p95(normal))
            share = max(share, _pace(platform, times[0] + 12) / live)
            disorder += any(seqs != sorted(seqs) for seqs in platform.order())
    seen.most("times the usual p95 of live latency while it drains", worst, 2.0)
    seen.most("times the live rate at which it drains, after the first burst", share, 4.4)
    seen.none("samples lost", lost)
    seen.none("lanes out of order", disorder)
    seen.none("accounts that do not balance", out)


def _preload(data: Path, samples: int) -> None:
    data.mkdir()
    schema = Schema("old", "1s", tuple(Tag(f"t{i}", "float32") for i in range(100)), 1.0)
    store = Store.open(data / "store.db", boot="earlier", keep=FOREVER, max_size=64_000_000, reserve=0)
    store.attach(["platform"])
    start = time.time_ns() - 3600 * 10**9
    for first in range(0, samples // 100, 100):
        store.append(
            [Frame(schema, start + i * 10**7, (float(i),) * 100, bytes(100), 0) for i in range(first, first + 100)]
        )
    store.close()


def _history(platform: Platform) -> int:
    return sum(len(f["values"]) for f in platform.taken().values() if f["device"] == "old")


def _p95(delays: list[tuple[str, bool, float]]) -> float:
    return statistics.quantiles([delay for _, history, delay in delays if not history], n=20)[-1]


def _pace(platform: Platform, after: float) -> float:
    """Samples of history per second, of those that came after this time."""
    arrived = [(at, len(frame["values"])) for at, frame in platform.arrivals if frame["history"] and at > after]
    return sum(count for _, count in arrived) / (arrived[-1][0] - after)


@contextmanager
def _refusing(device: bytes) -> Iterator[FakeBroker]:
    """A broker in a thread of its own that refuses what this device sends, for good (153: payload format invalid)."""
    loop, found, started, ended = asyncio.new_event_loop(), [], threading.Event(), asyncio.Event()

    async def run() -> None:
        async with fake_broker(answer=lambda n, topic, mid: puback(mid, 153 if device in topic else 0)) as broker:
            found.append(broker)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    started.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@row("35", "frames that the platform refuses for good, a few among hundreds", runs=3, short=1)
def poison(seen: Seen) -> None:
    extra, lost, out, aside = 0.0, 0, 0, 0
    every = seen.lasts(4, 2)
    poisoned = (
        f"  - {{name: poison, driver: sim, interval: {every}s, tags: [{{name: t, wave: counter, period: 1s}}]}}\n"
    )
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        tags = ", ".join(f"{{name: t{i}, wave: counter, period: 10ms}}" for i in range(TAGS))
        good = "".join(f"  - {{name: d{i}, driver: sim, interval: 50ms, tags: [{tags}]}}\n" for i in range(4))
        with _refusing(b"poison") as broker:
            with Agent(folder, site(folder, devices=poisoned + good, more=sink(broker.port))) as agent:
                agent.ready()
                time.sleep(3 * every)
                accounts = settled(agent)
            sent = len(broker.topics)
        mine = [account for account in accounts if account["sink"] == "platform"]
        refused = sum(account["set_aside"] for account in mine)  # one sample each
        aside += refused
        lost += sum(a["read"] - a["delivered"] - a["buffered"] for a in mine if a["device"] != "poison")
        lost += sum(a["read"] - a["set_aside"] - a["buffered"] for a in mine if a["device"] == "poison")
        out += unbalanced(accounts)
        frames = sum(a["delivered"] // TAGS for a in mine if a["device"] != "poison") + refused
        extra = max(extra, (sent - frames) / refused)
    seen.least("frames set aside", aside, 2 * seen.runs)
    seen.none("other samples not delivered", lost)
    seen.none("accounts that do not balance", out)
    seen.most("sends more than there are frames, for each of them", extra, 30)
