"""A disk that fails under a running agent: nothing is lost, scans keep their time, live data goes on."""

import itertools
import time

from tests.e2e.site import Agent
from tests.faults.disk import LoopDisk
from tests.faults.inject import Fault, Injector
from tests.faults.plant import (
    DEVICES,
    INTERVAL,
    TAGS,
    Lines,
    healthy,
    longest_pause,
    not_arrived,
    of,
    settled,
    site,
    unbalanced,
)
from tests.faults.table import Seen, row
from tests.sim.mosquitto import wait_until

_ANY = Fault.WRITE_EIO | Fault.WRITE_FULL | Fault.WRITE_SHORT | Fault.SYNC_EIO
_KINDS = [
    _ANY,
    Fault.WRITE_EIO,
    Fault.WRITE_FULL,
    Fault.WRITE_SHORT,
    Fault.SYNC_EIO,
    Fault.READ_EIO,
    _ANY | Fault.READ_EIO,
]
_PERMILLE = (50, 2, 10, 20)


@row("14, 19", "EIO, ENOSPC, short writes, failed fsync: 0.2 to 5 % of the calls, 12 s each", runs=14, short=1)
def failing_calls(seen: Seen) -> None:
    lost = faults = wrong = thrown = out = 0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        injector, lines = Injector(folder), Lines(folder)
        with Agent(folder, site(folder, max_size="16MB"), **injector.environ) as agent:
            agent.ready()
            injector.fail(_KINDS[run % len(_KINDS)], _PERMILLE[run % len(_PERMILLE)])
            time.sleep(seen.lasts(12, 6))
            injector.heal()
            wait_until(lambda: healthy(agent), "the disk to be used again", 20)  # called at once
            time.sleep(1)
            accounts = settled(agent)
            thrown += len(list(agent.data.glob("corrupt-*")))
        lines.read()
        faults += injector.made
        lost += abs(not_arrived(accounts, lines)) + of(accounts, "dead", "dropped")
        lost += of(accounts, "dead", "read") - of(accounts, "dead", "buffered")
        out += unbalanced(accounts)
        wrong += lines.conflicts
    seen.none("samples lost", lost)
    seen.none("id conflicts", wrong)
    seen.none("accounts that do not balance", out)
    seen.none("databases thrown away", thrown)
    seen.least("faults made", faults, seen.runs)


@row("21", "each fsync takes 500 ms", runs=3, short=1)
def slow_fsync(seen: Seen) -> None:
    lost, worst, fewest = 0, 0.0, 1.0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        injector, lines = Injector(folder), Lines(folder)
        with Agent(folder, site(folder, max_size="16MB"), **injector.environ) as agent:
            agent.ready()
            time.sleep(1)
            injector.fail(Fault.SYNC_SLOW)
            began = time.time()
            time.sleep(seen.lasts(8, 5))
            ended = time.time()
            injector.heal()
            time.sleep(1)
            accounts = settled(agent)
        lines.read()
        lost += abs(not_arrived(accounts, lines))
        for device in DEVICES:
            times = [at for at in lines.times(device) if began < at < ended]
            fewest = min(fewest, len(times) * INTERVAL / (ended - began))
            steps = sorted(abs(b - a - INTERVAL) for a, b in itertools.pairwise(times))
            worst = max(worst, steps[len(steps) * 99 // 100])
    seen.none("samples lost", lost)
    seen.most("ms between two scans, off the interval, p99", 1000 * worst, 50)
    seen.least("% of the scans made, the fewest", 100 * fewest, 95)


@row("15", "dead disk, then read-only for 10 s, then well again, under a running agent", runs=5, short=1, needs="root")
def dead_disk(seen: Seen) -> None:
    """The file system stops as in a power cut; the agent works in memory until it may write again."""
    lost = out = 0
    paused = back = 0.0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        lines = Lines(folder)
        with (
            LoopDisk(folder, 128) as disk,
            Agent(folder, site(folder, max_size="16MB"), data=disk.path / "data") as agent,
        ):
            agent.ready()
            time.sleep(2)
            disk.cut()
            paused = max(paused, longest_pause(lines, seen.lasts(6, 4)))
            wait_until(disk.let_go, "the agent to let go of the disk", 20)
            disk.recover()
            disk.mount("ro")
            paused = max(paused, longest_pause(lines, seen.lasts(10, 5)))
            disk.read_only(on=False)
            began = time.monotonic()
            wait_until(lambda: healthy(agent), "the disk to be used again", 20)  # called at once
            back = max(back, time.monotonic() - began)
            paused = max(paused, longest_pause(lines, 2))
            accounts = settled(agent)
        lines.read()
        lost += abs(not_arrived(accounts, lines)) + of(accounts, "dead", "dropped")
        out += unbalanced(accounts) + lines.conflicts
    seen.none("samples lost", lost)
    seen.none("accounts that do not balance", out)
    seen.most("s without live data, the longest", paused, 5.0)
    seen.most("s until the disk is used again, the longest", back, 10.0)
    seen.least(
        "samples of the devices read", of(accounts, "lines", "read"), seen.lasts(15, 9) / INTERVAL * TAGS * len(DEVICES)
    )
