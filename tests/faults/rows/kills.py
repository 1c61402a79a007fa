"""kill -9 at any instant: nothing that was committed is missing, no number is given twice, and the ledger balances."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from buffer.ledger import Account
from buffer.rest import peek_ledger
from buffer.store import Store
from tests.faults.inject import Fault, Injector
from tests.faults.oracle import Witness, look, use_and_kill
from tests.faults.table import ROOT, Seen, row

V1 = ROOT / "tests/cases/store/1/store.sql"
ROOMY, TIGHT = 1 << 24, 1 << 18  # bytes of max_size


def _killed(seen: Seen, mode: str, max_size: int) -> None:
    path, witness, dice = seen.folder / "store.db", Witness(), random.Random()
    missing = conflicts = unbalanced = 0
    slowest = 0.0
    for run in range(seen.runs):
        witness.hear(run, use_and_kill(path, run, mode, max_size, dice.uniform(0, 0.06)))
        at_rest = peek_ledger(path)
        found = look(path, max_size, take=run % 20 == 19)
        missing, conflicts = max(missing, witness.missing(found)), max(conflicts, witness.conflicts(found))
        if run % 20 == 19:
            witness.take(found)
        unbalanced += sum(not account.balanced for account in [*at_rest, *found.ledger])
        slowest = max(slowest, found.seconds)
    seen.none("committed frames missing", missing)
    seen.none("ids given twice", witness.twice + conflicts + len(witness.epochs) - len(set(witness.epochs)))
    seen.none("accounts that do not balance", unbalanced)
    seen.most("s to open it again, the slowest", slowest, 1.0)
    seen.least("frames committed", len(witness.committed), 10 * seen.runs)
    if max_size == TIGHT:
        seen.least("frames given up for want of room", found.dropped("dead"), 1)


@row("1", "SIGKILL at any moment, two sinks", runs=200, short=12)
def killed(seen: Seen) -> None:
    _killed(seen, "plain", ROOMY)


@row("2", "SIGKILL while checkpoints run", runs=60, short=4)
def killed_in_checkpoints(seen: Seen) -> None:
    _killed(seen, "checkpoint", ROOMY)


@row("2, 13", "SIGKILL at the size limit, one sink down: purges and losses", runs=60, short=4)
def killed_in_purges(seen: Seen) -> None:
    _killed(seen, "plain", TIGHT)


@row("3", "SIGKILL while a file of version 1 is migrated", runs=60, short=6)
def killed_in_migration(seen: Seen) -> None:
    """Each file is then of one version, whole, with all that was in it."""
    model, dice = seen.folder / "v1.db", random.Random()
    connection = sqlite3.connect(model)
    connection.executescript(V1.read_text("utf-8"))
    frames = connection.execute("SELECT seq, crc, body FROM frame").fetchall()
    connection.close()
    ledger, torn, changed, ends = peek_ledger(model), 0, 0, set()
    for run in range(seen.runs):
        path = seen.folder_of(run) / "store.db"
        path.write_bytes(model.read_bytes())
        _migrate_and_kill(path, dice.uniform(0, 0.15))
        changed += peek_ledger(path) != ledger
        version, whole = _version(path)
        ends.add(version)
        torn += not whole
        changed += _changed(path, ledger, frames)
    seen.none("files neither of the old nor of the new version", torn)
    seen.none("ledgers or frames that differ", changed)
    seen.least("versions found afterwards", len(ends), 1 if seen.runs < 30 else 2)


@row("3, 14", "writes, syncs and room fail while a file of version 1 is migrated", runs=60, short=2)
def failing_migration(seen: Seen) -> None:
    """It is an error that says why, or it went well; each file is then of one version, with all that was in it."""
    model, faults = seen.folder / "v1.db", Injector(seen.folder)
    connection = sqlite3.connect(model)
    connection.executescript(V1.read_text("utf-8"))
    frames = connection.execute("SELECT seq, crc, body FROM frame").fetchall()
    connection.close()
    ledger, torn, changed, unclear, failed = peek_ledger(model), 0, 0, 0, 0
    command = [sys.executable, str(ROOT / "tests/faults/programs/migrating.py")]
    environ = {"PYTHONPATH": str(ROOT), **faults.environ}
    for run in range(seen.runs):
        path = seen.folder_of(run) / "store.db"
        path.write_bytes(model.read_bytes())
        faults.fail(Fault.WRITE_EIO | Fault.WRITE_FULL | Fault.SYNC_EIO, 1000 if run == 0 else 30)
        done = subprocess.run([*command, str(path)], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        faults.heal()
        failed += done.returncode != 0
        unclear += done.returncode != 0 and "agent.model.errors.DiskFailed: store " not in done.stderr
        changed += peek_ledger(path) != ledger
        torn += not _version(path)[1]
        changed += _changed(path, ledger, frames)
    seen.none("files neither of the old nor of the new version", torn)
    seen.none("ledgers or frames that differ", changed)
    seen.none("errors that do not say what failed", unclear)
    seen.least("migrations that failed", failed, 1)


def _migrate_and_kill(path: Path, seconds: float) -> None:
    command = [sys.executable, str(ROOT / "tests/faults/programs/migrating.py"), str(path)]
    with subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"now\n"
        time.sleep(seconds)
        child.kill()


def _changed(path: Path, ledger: list[Account], frames: list[tuple[int, int, bytes]]) -> int:
    """How many of both are others, once the store was opened and closed."""
    store = Store.open(path, boot="boot-2", keep=1e9, max_size=1 << 22, reserve=0)
    changed = store.ledger() != ledger
    store.close()
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT seq, crc, body FROM frame").fetchall()
    connection.close()
    return changed + (found != frames)


def _version(path: Path) -> tuple[int, bool]:
    """The version that the file says it has, and whether it is sound and has that version's columns."""
    connection = sqlite3.connect(path)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        columns = [
            {column for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")}
            for table in ("sink", "schema")
        ]
        sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return version, sound and [version >= 2, version >= 3] == ["aside" in columns[0], "made" in columns[1]]
    finally:
        connection.close()
