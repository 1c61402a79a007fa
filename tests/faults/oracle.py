"""What processes that were killed had been promised, and whether the store they left keeps it."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from buffer.keeper import Keeper, Limits
from buffer.ledger import Account
from buffer.reports import DEVICE as GATEWAY
from tests.faults.table import ROOT

SAMPLES = 40  # of a frame of programs/store_in_use.py
SINKS = ["live", "dead"]  # the first acknowledges, the second is down
FOREVER = 1e9  # seconds


@dataclass
class Found:
    """What a store holds: by sink the seqs it is still owed, with the run that made each."""

    owed: dict[str, dict[int, int]]
    ledger: list[Account]
    last: int
    seconds: float  # until it was open
    notes: list[str]
    wrong: int  # frames whose values are not those of their seq

    def dropped(self, sink: str) -> int:
        return sum(sum(account.dropped.values()) for account in self.accounts(sink)) // SAMPLES

    def accounts(self, sink: str) -> list[Account]:
        """Those of the devices; what the store itself has to tell is counted there too."""
        return [account for account in self.ledger if account.sink == sink and account.device != GATEWAY]


@dataclass
class Witness:
    """What was said on stdout by `programs/store_in_use.py`, run after run."""

    committed: dict[int, int] = field(default_factory=dict)  # seq: run
    confirmed: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)  # by the sink that is down, between two runs
    epochs: list[str] = field(default_factory=list)
    twice: int = 0  # seqs that were given again

    def hear(self, run: int, lines: list[str]) -> None:
        for line in lines:
            match line.split():
                case ["epoch", epoch]:
                    self.epochs.append(epoch)
                case ["try", first, last]:
                    self.confirmed |= set(range(int(first), int(last) + 1))
                case ["done", first, last]:
                    seqs = range(int(first), int(last) + 1)
                    self.twice += sum(seq in self.committed for seq in seqs)
                    self.committed.update(dict.fromkeys(seqs, run))

    def take(self, found: Found) -> None:
        """All that was found has been confirmed by both sinks."""
        self.taken |= set(found.owed["dead"])
        self.confirmed |= set(found.owed["live"])

    def missing(self, found: Found) -> int:
        """Committed frames of which neither a sink's debt, nor its confirmation, nor the ledger's losses speak."""
        gone_dead = len(set(self.committed) - set(found.owed["dead"]) - self.taken) - found.dropped("dead")
        gone_live = len(set(self.committed) - set(found.owed["live"]) - self.confirmed) - found.dropped("live")
        beyond = sum(seq > found.last for seq in self.committed)
        return max(0, gone_dead) + max(0, gone_live) + beyond

    def conflicts(self, found: Found) -> int:
        """Frames that one run was promised and another made, and frames of wrong contents."""
        others = sum(
            self.committed.get(seq, made) != made for frames in found.owed.values() for seq, made in frames.items()
        )
        return others + found.wrong


def start(path: Path, run: int, mode: str, max_size: int, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "tests/faults/programs/store_in_use.py")]
    arguments = [str(path), str(run), mode, str(max_size), *SINKS]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def use_and_kill(path: Path, run: int, mode: str, max_size: int, seconds: float, **environ: str) -> list[str]:
    """Let a process use the store, kill it some time after its first commit, and return what it said."""
    child = start(path, run, mode, max_size, **environ)
    assert child.stdout
    with child.stdout:
        lines = [child.stdout.readline(), child.stdout.readline()]
        time.sleep(seconds)
        child.kill()
        lines += child.stdout.read().splitlines()
    assert child.wait(10) == -9, "it ended before it was killed"
    return lines


def look(path: Path, max_size: int, *, take: bool = False) -> Found:
    """Open the store as the agent does, and read all that is in it; `take`: it is confirmed, so that it may go."""
    keeper = Keeper(path, Limits(FOREVER, max_size, 0), boot="boot")
    began = time.monotonic()
    store = keeper.open()
    seconds = time.monotonic() - began
    try:
        keeper.attach(SINKS, [])
        owed, wrong = {}, 0
        for sink in SINKS:
            entries = [entry for entry in store.read(sink, 1 << 30) if entry.frame.schema.device != GATEWAY]
            wrong += sum(entry.frame.values[1] != entry.seq for entry in entries)
            if take:
                store.ack(sink, entries)
            owed[sink] = {entry.seq: int(entry.frame.values[0]) for entry in entries}  # type: ignore[arg-type]
        return Found(owed, store.ledger(), store.last(), seconds, keeper.notes, wrong)
    finally:
        store.close()
