"""The power goes: what was acknowledged is on the disk, and the database needs no hand."""

import os
import random
import select
import time

from tests.faults.disk import LoopDisk
from tests.faults.oracle import Witness, look, start
from tests.faults.table import Seen, row

SIZE = 96  # MB of the disk
MAX_SIZE = 1 << 24


@row("5", "power cut on ext4, two sinks", runs=100, short=6, needs="root")
def power_cut(seen: Seen) -> None:
    _cut(seen, "ext4", SIZE)


@row("6", "power cut on xfs, two sinks", runs=100, short=0, needs="root")
def power_cut_xfs(seen: Seen) -> None:
    _cut(seen, "xfs", 320)


def _cut(seen: Seen, kind: str, size: int) -> None:
    with LoopDisk(seen.folder, size, kind) as disk:
        path, witness, dice = disk.path / "store.db", Witness(), random.Random()
        missing = conflicts = mended = unbalanced = 0
        slowest = 0.0
        for run in range(seen.runs):
            witness.hear(run, _use_and_cut(disk, run, dice.uniform(0, 0.05)))
            found = look(path, MAX_SIZE, take=run % 20 == 19)
            missing, conflicts = max(missing, witness.missing(found)), max(conflicts, witness.conflicts(found))
            if run % 20 == 19:
                witness.take(found)
            unbalanced += sum(not account.balanced for account in found.ledger)
            mended += len(found.notes)
            slowest = max(slowest, found.seconds)
    seen.none("acknowledged frames lost", missing)
    seen.none("ids given twice", witness.twice + conflicts)
    seen.none("accounts that do not balance", unbalanced)
    seen.none("databases that had to be mended", mended)
    seen.most("s to open it again, the slowest", slowest, 1.0)
    seen.least("frames acknowledged", len(witness.committed), 10 * seen.runs)


@row("9", "power cut in the first second of a new installation", runs=30, short=3, needs="root")
def power_cut_at_first_start(seen: Seen) -> None:
    """Each on a new disk; the store is there afterwards, with what was acknowledged."""
    missing = unbalanced = 0
    slowest, dice = 0.0, random.Random()
    for run in range(seen.runs):
        with LoopDisk(seen.folder_of(run), SIZE) as disk:
            witness = Witness()
            witness.hear(run, _use_and_cut(disk, run, dice.uniform(-0.2, 0.3)))
            found = look(disk.path / "store.db", MAX_SIZE)
            missing += witness.missing(found)
            unbalanced += sum(not account.balanced for account in found.ledger)
            slowest = max(slowest, found.seconds)
            disk.unmount()
    seen.none("acknowledged frames lost", missing)
    seen.none("accounts that do not balance", unbalanced)
    seen.most("s until it has started again, the slowest", slowest, 5.0)


def _use_and_cut(disk: LoopDisk, run: int, seconds: float) -> list[str]:
    """Let a process use the store and cut the power after its first commit, or so long before; what it said by then.

    Nobody hears what is said after a power cut, so that is no promise.
    """
    child = start(disk.path / "store.db", run, "plain", MAX_SIZE)
    assert child.stdout
    pipe, said = child.stdout.fileno(), b""
    with child.stdout:
        while seconds >= 0 and said.count(b"\n") < 2:
            said += os.read(pipe, 1 << 16)
        time.sleep(seconds if seconds >= 0 else 0.35 + seconds)
        while select.select([pipe], [], [], 0)[0] and (more := os.read(pipe, 1 << 16)):
            said += more
        disk.cut()
        child.kill()
    child.wait(10)
    disk.unmount()
    disk.mount()
    return said.decode().splitlines()
