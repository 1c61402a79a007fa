"""Another version on the same data, and a copy on another machine: nothing is lost, no name is given twice."""

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from agent.runtime.audit import resting
from agent.runtime.desk import account_row
from buffer.database import VERSION
from buffer.rest import peek_ledger
from tests.e2e.site import Agent, Platform, floorgate
from tests.e2e.test_nothing_lost import SITE, TAGS
from tests.faults.plant import unbalanced
from tests.faults.table import Seen, row
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.older import environ, older, under_another_number

_BROKEN = '"""Broken."""\n\nraise ImportError("a library is missing")\n'


@contextmanager
def _plant(folder: Path) -> Iterator[tuple[str, Platform]]:
    """A Modbus device, a broker and a platform; the configuration of who stands between them."""
    with (
        libmodbus_server() as modbus,
        Mosquitto(folder / "broker", persistence=True) as broker,
        Platform(broker.port) as platform,
    ):
        yield SITE.format(modbus=modbus, broker=broker.port, tags=TAGS), platform


def _more(platform: Platform, frames: int = 40) -> None:
    """Time passes, and frames with it."""
    before = len(platform.taken())
    wait_until(lambda: len(platform.taken()) > before + frames, "frames", 30)


def _end(agent: Agent, how: str) -> None:
    if how == "SIGKILL":
        agent.kill()
    else:
        assert agent.stop() == 0, how


def _caught_up(agent: Agent) -> None:
    wait_until(lambda: all(account["buffered"] < 200 for account in agent.ask("/api/v1/ledger")), "catching up", 30)


def _ledger(agent: Agent) -> list[dict[str, Any]]:
    """That of one that has ended."""
    return [account_row(account) for account in peek_ledger(agent.data / "store.db")]


def _restored(folder: Path) -> list[dict[str, Any]]:
    """The ledger of a backup."""
    done = floorgate("restore", str(folder / "backup.zip"), "--data", str(folder / "copy"))
    assert done.returncode == 0, done.stderr
    return [account_row(account) for account in peek_ledger(folder / "copy" / "store.db")]


def _version(data: Path) -> int:
    with closing(sqlite3.connect(data / "store.db")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _arrived(accounts: list[dict[str, Any]], platform: Platform) -> int:
    """Samples that the ledger has as read, without those that the platform has; below 0 it has more."""
    read = {account["device"]: account["read"] for account in accounts if not account["device"].startswith("$")}
    found = platform.samples()
    return sum(read.values()) - sum(found[device] for device in read)


@row("58", "upgrade under load from the oldest version with a store, by SIGTERM and by SIGKILL", runs=10, short=1)
def upgrade_under_load(seen: Seen) -> None:
    dice = random.Random()
    lost = gaps = conflicts = out = wrong = epochs = 0
    ways = ("SIGTERM", "SIGKILL")
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        (folder / "old").mkdir()
        tree, version = older(folder / "old")
        with _plant(folder) as (config, platform):
            with Agent(folder, config, **environ(tree)) as agent:
                agent.ready()
                _more(platform)
                time.sleep(dice.uniform(0, 0.3))
                _end(agent, ways[run % 2])
            wrong += _version(agent.data) != (version or VERSION)
            with Agent(folder, config) as agent:
                agent.ready()
                _more(platform)
                copied = agent.command("backup", "-o", str(folder / "backup.zip"))
                assert copied.returncode == 0, copied.stderr
                if not seen.hurried:
                    _end(agent, ways[(run + 1) % 2])
                    agent.start()
                    agent.ready()
                    _more(platform)
                _caught_up(agent)
                _end(agent, "SIGTERM")
                accounts = _ledger(agent)
            wait_until(lambda: not _arrived(accounts, platform), "the last frames", 10)  # noqa: B023  # called at once
            wrong += _version(agent.data) != VERSION
            lost += abs(_arrived(accounts, platform))
            gaps += len(platform.gaps())
            conflicts += platform.conflicts
            out += unbalanced(accounts) + unbalanced(_restored(folder))
            epochs += len({epoch for _, epoch, _ in platform.taken()})
    seen.none("samples lost", lost)
    seen.none("gaps in the numbers", gaps)
    seen.none("names given twice", conflicts)
    seen.none("accounts that do not balance", out)
    seen.none("files of another format than the version that wrote them", wrong)
    seen.least("runs of which frames arrived", epochs, (2 if seen.hurried else 3) * seen.runs)


@row("58", "a new version that does not start, then one that does and is taken back", runs=4, short=0)
def upgrade_taken_back(seen: Seen) -> None:
    """The copy that was kept before the migration is the way back; what only the new version read is told as lost."""
    touched = started = refused = lost = conflicts = out = 0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        (folder / "old").mkdir()
        tree, version = older(folder / "old")
        (folder / "broken").mkdir()
        broken = under_another_number(folder / "broken", "9.0.0")
        (broken / "agent" / "runtime" / "app.py").write_text(
            '"""Broken."""\n\nraise ImportError("a library is missing")\n'
        )
        with _plant(folder) as (config, platform):
            with Agent(folder, config, **environ(tree)) as old:
                old.ready()
                _more(platform)
                _end(old, "SIGTERM")
                before = (old.data / "store.db").read_bytes()
                with Agent(folder, config, **environ(broken)) as agent:
                    wait_until(lambda: not agent.alive(), "its end", 30)  # called at once
                touched += (old.data / "store.db").read_bytes() != before
                old.start()
                old.ready()
                _more(platform)
                _end(old, "SIGTERM")
            with Agent(folder, config) as new:
                new.ready()
                _more(platform)
                _end(new, "SIGTERM")
            if version:
                again = Agent(folder, config, **environ(tree))
                again.start()
                wait_until(lambda: not again.alive(), "its end", 30)  # noqa: B023  # called at once
                refused += "newer program" in again.log.read_text()
                (new.data / f"store.v{version}.db").replace(new.data / "store.db")
            with Agent(folder, config, **environ(tree)) as old:
                old.ready()
                _more(platform)
                started += 1
                _end(old, "SIGTERM")
                accounts = json.loads(floorgate("ledger", "--json", "--data", str(old.data)).stdout)
            wait_until(lambda: _arrived(accounts, platform) <= 0, "the last frames", 10)  # noqa: B023  # called at once
            lost += max(0, _arrived(accounts, platform))
            conflicts += platform.conflicts
            out += unbalanced(accounts)
    seen.none("stores that the broken version touched", touched)
    seen.least("starts of the old version at the end", started, seen.runs)
    seen.least("newer files that the old version refused", refused, seen.runs if version else 0)
    seen.none("samples read by the old version and lost", lost)
    seen.none("names given twice", conflicts)
    seen.none("accounts that do not balance", out)


@row("S39", "backup under load, restored beside the gateway that goes on; both deliver", runs=5, short=0)
def restored_copy(seen: Seen) -> None:
    """One platform hears both. What both have from before has one name; whatever comes after has names of its own."""
    conflicts = out = shared = owed = same = untold = 0
    slowest = 0.0
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        other = folder / "other"
        other.mkdir()
        with _plant(folder) as (config, platform), Agent(folder, config) as agent:
            agent.ready()
            _more(platform)
            began = time.monotonic()
            done = agent.command("backup", "-o", str(folder / "backup.zip"), "--json")
            slowest = max(slowest, time.monotonic() - began)
            assert done.returncode == 0, done.stderr
            _more(platform)
            taken = floorgate("restore", str(folder / "backup.zip"), "--data", str(other / "data"), "--json")
            assert taken.returncode == 0, taken.stderr
            same += json.loads(taken.stdout)["instance"] == agent.ask("/api/v1/store/stats")["instance"]
            with Agent(other, config.replace("type: mqtt, url", "type: mqtt, client_id: copy, url")) as copy:
                copy.ready()
                _more(platform, 80)
                _end(copy, ("SIGTERM", "SIGKILL")[run % 2])
                copies = _ledger(copy)
                with resting(copy.data) as book:
                    told = [entry["tag"] for entry in book.entries(1)]
            _end(agent, "SIGTERM")
            accounts = _ledger(agent)
            wait_until(lambda: _arrived(accounts, platform) <= 0, "the last frames", 10)  # noqa: B023  # called at once
            conflicts += platform.conflicts
            out += unbalanced([*accounts, *copies])
            owed += max(0, _arrived(accounts, platform))
            shared += len({epoch for _, epoch, _ in platform.taken()}) < 2
            untold += told != ["instance"]
        shutil.rmtree(folder)
    seen.none("names given twice", conflicts)
    seen.none("accounts that do not balance", out)
    seen.none("samples of the gateway that did not arrive", owed)
    seen.none("copies with the instance of the gateway", same)
    seen.none("copies whose audit does not tell of it", untold)
    seen.none("runs in which only one of them was heard", shared)
    seen.most("s for a backup, the slowest", slowest, 10)
