"""A wall clock that is set while the agent runs, or wrong when it starts: nothing is purged, order and pace stay."""

import time

from tests.e2e.site import Agent, Platform
from tests.faults.inject import WallClock
from tests.faults.plant import DEVICES, INTERVAL, TAGS, Lines, healthy, not_arrived, of, settled, site, unbalanced
from tests.faults.rows.broker import caught_up, missing, sink
from tests.faults.table import Seen, row
from tests.sim.gate import Gate
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.certificates import Authority

_2037 = 2_114_380_800  # 2037-01-01, seconds since 1970
_DAY = 86_400


@row("45", "wall clock set by +1 h, -1 day, to 1970, to 2037, and right again, under a running agent", runs=3, short=1)
def clock_steps(seen: Seen) -> None:
    purged = lost = disorder = out = steps = 0
    fewest = 1.0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        clock, lines = WallClock(folder), Lines(folder)
        with Agent(folder, site(folder, keep="1h"), **clock.environ) as agent:
            agent.ready()
            began = time.monotonic()
            for offset in (3600.0, -_DAY, _DAY - time.time(), _2037 - time.time(), 0.0):
                time.sleep(seen.lasts(3, 2))
                clock.set(offset)
            time.sleep(seen.lasts(3, 2))
            agent.stop()
            seconds = time.monotonic() - began
            accounts = agent.ledger()
        lines.read()
        purged += of(accounts, "dead", "dropped")
        lost += abs(not_arrived(accounts, lines)) + of(accounts, "dead", "read") - of(accounts, "dead", "buffered")
        seqs = [seq for _, seq in lines.frames]
        disorder += seqs != sorted(seqs)
        out += unbalanced(accounts)
        steps += agent.log.read_text().count("the wall clock was set by")
        fewest = min(fewest, of(accounts, "lines", "read") / (TAGS * len(DEVICES) * seconds / INTERVAL))
    seen.none("frames purged", purged)
    seen.none("samples lost", lost)
    seen.none("runs out of order", disorder)
    seen.none("accounts that do not balance", out)
    seen.least("steps told", steps, 4 * seen.runs)
    seen.least("% of the scans made, the fewest", 100 * fewest, 95)


@row("46", "started in 1970, clock set right later; the sink comes back after that", runs=3, short=1)
def no_clock_at_boot(seen: Seen) -> None:
    """Frames that waited go out with the time at which they were read, and say that it was put right."""
    lost = out = unmarked = 0
    off, seconds = 0.0, seen.lasts(6, 4)
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        clock = WallClock(folder)
        with (
            Mosquitto(folder / "broker") as broker,
            Platform(broker.port) as platform,
            Gate(broker.port) as gate,
            Agent(folder, site(folder, more=sink(gate.port)), **clock.environ) as agent,
        ):
            clock.set(_DAY - time.time())
            gate.shut()
            agent.stop()
            agent.start()
            agent.ready()
            began = time.time()
            time.sleep(seconds)
            clock.set(0)
            time.sleep(seen.lasts(3, 2))
            gate.open()
            wait_until(lambda: healthy(agent, "platform"), "the sink to be up", 30)  # called at once
            caught_up(agent)
            accounts = settled(agent)
            wait_until(lambda: not missing(accounts, platform), "the last frames", 10)  # noqa: B023  # called at once
        lost += missing(accounts, platform) + of(accounts, "platform", "dropped")
        out += unbalanced(accounts)
        corrected = [frame for frame in platform.taken().values() if frame.get("clock") == "corrected"]
        unmarked += len(corrected) < (seconds - 1) / INTERVAL
        off = max([off, *(max(began - f["ts"] / 1000, f["ts"] / 1000 - began - 10) for f in corrected)])
    seen.none("samples lost", lost)
    seen.none("accounts that do not balance", out)
    seen.none("runs without frames that were put right", unmarked)
    seen.most("s by which a time that was put right is off, at most", off, 1.0)


@row("45, 46", "started in 1970, with a new store and with a backlog, and a sink that speaks TLS", runs=4, short=0)
def started_in_1970(seen: Seen) -> None:
    """Nothing is purged or lost, what is wrong is said, and with the right time everything goes out."""
    purged = lost = out = unsaid = up = 0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        clock, lines, authority = WallClock(folder), Lines(folder), Authority(folder)
        pair = authority.issue()
        with (
            Mosquitto(folder / "broker", tls={"certfile": pair.cert, "keyfile": pair.key}) as broker,
            Gate(broker.port) as gate,
        ):
            url = f'"mqtts://localhost:{gate.port}", ca: {authority.ca}'
            more = f"  - {{name: platform, type: mqtt, url: {url}, backfill: {{rate: unlimited}}}}"
            if run % 2:
                gate.shut()
                with Agent(folder, site(folder, more=more, keep="1h"), **clock.environ) as agent:
                    agent.ready()
                    time.sleep(seen.lasts(3, 2))
                    agent.stop()
                gate.open()
            clock.set(_DAY - time.time())
            with Agent(folder, site(folder, more=more, keep="1h"), **clock.environ) as agent:
                agent.ready()
                time.sleep(seen.lasts(5, 3))
                up += healthy(agent, "platform")
                clock.set(0)
                wait_until(lambda: healthy(agent, "platform"), "the sink to be up", 90)  # called at once
                caught_up(agent)
                accounts = settled(agent)
            lines.read()
            log = agent.log.read_text()
            unsaid += ("the clock shows 1970" not in log) + ("is our clock right?" not in log)
            purged += of(accounts, "dead", "dropped") + of(accounts, "platform", "dropped")
            lost += abs(not_arrived(accounts, lines))
            lost += of(accounts, "platform", "read") - of(accounts, "platform", "delivered")
            out += unbalanced(accounts)
    seen.none("frames purged", purged)
    seen.none("samples lost", lost)
    seen.none("accounts that do not balance", out)
    seen.none("things that the log does not say", unsaid)
    seen.none("connections by TLS in 1970", up)
