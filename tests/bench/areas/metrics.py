"""What a question for `/metrics` costs: how long it takes, and how long nothing else gets a turn meanwhile."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import rig
import stopwatch
from report import Row, at_most, shown

from agent.cli.ask import find
from agent.config import load
from agent.health import Part
from agent.runtime import app
from agent.runtime.desk import account_row, stats_row
from agent.runtime.heap import set_aside
from agent.status.metrics import Metrics
from buffer.ledger import Account
from buffer.stats import Stats

DEVICES, TAGS, SINKS, QUESTIONS = 500, 20, 10, 7
MANY = 2000  # devices
STATS = Stats(10, 1, 1, 1, 1, 1, 0, 1, {f"s{n}": 4 for n in range(SINKS)}, {})
TICK = 0.001  # seconds


def rows() -> Iterator[Row]:
    with rig.folder() as place:
        took, stood, still, size = asyncio.run(_asked(place))
    what = f"{DEVICES} devices with {TAGS} tags, {SINKS} sinks"
    yield at_most(f"{what}: an answer, median of {QUESTIONS}", median(took), 1, "s")
    yield at_most(f"{what}: longest time that the loop stood still in each, median", 1000 * median(stood), 50, "ms")
    yield shown(f"{what}: the same when nobody asks", 1000 * still, "ms")
    yield shown(f"{what}: size", size / 1e6, "MB")
    parts = [Part("device", f"d{n}", "up", breaker="closed") for n in range(MANY)]
    accounts = [
        Account(f"s{sink}", f"d{n}", 10, 5, 1, {"unchanged": 2}, {"age": 1}, 1)
        for sink in range(SINKS)
        for n in range(MANY)
    ]
    written = Metrics(parts, [account_row(each) for each in accounts], stats_row(STATS))
    cpu = stopwatch.cpu_us(written.text, 3) / 1e6
    yield at_most(f"{MANY:,} devices, {SINKS} sinks: to write it, CPU", cpu, 1, "s")


async def _asked(place: Path) -> tuple[list[float], list[float], float, int]:
    """Seconds of each answer, the longest standstill in each and without questions, and the bytes of an answer."""
    device = "  - {{name: d{n}, driver: sim, endpoint: 'sim://d{n}', interval: 2s, tags: [{tags}]}}\n"
    tags = ", ".join(f"{{name: t{n}}}" for n in range(TAGS))
    devices = "".join(device.format(n=n, tags=tags) for n in range(DEVICES))
    sinks = "".join(f"  - {{name: s{n}, type: file, path: {place}/s{n}.jsonl}}\n" for n in range(SINKS))
    buffer = "buffer: {max_size: 256MB, reserve: 64MB}"
    (place / "site.yaml").write_text(f"gateway: {{id: b}}\ndevices:\n{devices}sinks:\n{sinks}{buffer}\n", "utf-8")
    stop, data = asyncio.Event(), place / "data"
    agent = asyncio.create_task(app.run(load(place / "site.yaml", {}), data, stop))
    while not (data / "agent.json").exists():
        await asyncio.sleep(0.05)
    await asyncio.sleep(5)
    set_aside()

    def ask() -> tuple[float, int]:
        with find(data) as running:
            assert running is not None
            began = time.monotonic()
            return len(running.ask("/metrics")), time.monotonic() - began

    try:
        still = await _standstill(asyncio.sleep(5))
        took: list[float] = []
        stood: list[float] = []
        for _ in range(QUESTIONS):
            answer = asyncio.create_task(asyncio.to_thread(ask))
            stood.append(await _standstill(answer))
            size, seconds = answer.result()
            took.append(seconds)
            await asyncio.sleep(0.3)
    finally:
        stop.set()
        await agent
    return took, stood, still, int(size)


async def _standstill(work: "asyncio.Future[object] | object") -> float:
    """The longest time between two turns of the loop, more than was asked for, until it is done."""
    task = asyncio.ensure_future(work)  # type: ignore[arg-type]  # a coroutine or a task
    longest, before = 0.0, time.monotonic()
    while not task.done():
        await asyncio.sleep(TICK)
        now = time.monotonic()
        longest, before = max(longest, now - before - TICK), now
    return longest
