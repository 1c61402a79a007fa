"""The whole agent with a backlog: how fast it goes, what it costs live data, and what memory it takes."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import rig
import stopwatch
from report import Row, at_least, at_most, shown
from subscriber import Subscriber

from agent.model.clock import SYSTEM
from buffer.store import Store

TAGS = 200
DRAINED = 10_000_000  # samples
HUGE = 1_000_000_000  # bytes
BULK = 300  # frames in a commit
LIVE, LIVE_TAGS = 20, 50  # devices that go on meanwhile, once a second


def rows() -> Iterator[Row]:
    yield from _drain()
    yield from _huge()


def _drain() -> Iterator[Row]:
    """To mosquitto, QoS 1, with `rate: unlimited`, while the devices go on."""
    with rig.folder() as place, rig.farm(place, LIVE, LIVE_TAGS) as farm, rig.broker(place) as port:
        frames = _fill(place / "data", DRAINED // TAGS * TAGS, by_bytes=False)
        old = Subscriber(port, "floorgate/bench/+/old", farm.age, "bench-old")
        live = Subscriber(port, "floorgate/bench/+/1s", farm.age, "bench-live")
        rig.write_site(place, farm.ports, LIVE_TAGS, "1s", port, more=", backfill: {rate: unlimited}")
        with rig.agent(place) as agent:
            end, cpu = time.monotonic() + 180, agent.cpu()
            while not len(old.frames()[0]) and time.monotonic() < end:
                time.sleep(0.05)
            began = time.monotonic()
            while len(old.frames()[0]) < frames and time.monotonic() < end:
                agent.check()
                time.sleep(0.2)
            took, cpu = time.monotonic() - began, agent.cpu() - cpu
            latency = live.latencies()
            yield at_least(
                "a backlog of 10,000,000 samples drains, rate unlimited", old.samples / took, 200_000, "samples/s"
            )
            yield shown("the same: CPU", cpu / max(old.samples, 1) * 1e6, "s/Msample")
            yield at_most("live latency meanwhile, 95 % within", latency[len(latency) * 95 // 100], 2, "s")
            yield at_most("missing of the backlog", DRAINED - old.samples, 0, "samples")
            yield at_most("peak RSS", agent.peak(), 120, "MB")
        old.close()
        live.close()


def _huge() -> Iterator[Row]:
    """1 GB of frames for a sink that is away; the ledger is asked at once, when nothing of it was counted yet."""
    with rig.folder() as place, rig.farm(place, LIVE, LIVE_TAGS) as farm:
        frames = _fill(place / "data", HUGE, by_bytes=True)
        rig.write_site(place, farm.ports, LIVE_TAGS, "1s", rig.free_port())
        with rig.agent(place) as agent:
            began = time.monotonic()
            while not (place / "data" / "agent.json").exists():
                agent.check()
                time.sleep(0.05)
            yield shown(f"a start with {frames:,} frames, 1 GB", time.monotonic() - began, "s")
            began = time.monotonic()
            accounts = json.loads(rig.floorgate("ledger", "--json", "--data", str(place / "data")))
            yield shown("the first ledger of it, in a running agent", time.monotonic() - began, "s")
            time.sleep(20)
            yield at_most("accounts that do not balance", sum(not each["balanced"] for each in accounts), 0)
            yield at_most("peak RSS with a backlog of 1 GB", agent.peak(), 120, "MB")


def _fill(data: Path, size: int, *, by_bytes: bool) -> int:
    """So many samples, or bytes, that the sink `platform` is owed; how many frames that makes."""
    data.mkdir()
    schema = replace(stopwatch.schema("old", TAGS), group="old")
    store = Store.open(data / "store.db", clock=SYSTEM, boot="earlier", keep=1e9, max_size=1_100_000_000, reserve=0)
    store.attach(["platform"])
    frames = [stopwatch.frame(schema) for _ in range(BULK)]
    made = 0
    while (store.stats().bytes if by_bytes else made * TAGS) < size:
        part = frames if by_bytes else frames[: (size - made * TAGS) // TAGS]
        store.append(part)
        made += len(part)
    store.close()
    return made
