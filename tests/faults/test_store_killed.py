"""kill -9 at any instant: nothing that was committed is missing, no number is given twice, and the ledger balances."""

import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from buffer.ledger import Account
from buffer.store import Store, peek_ledger

ROOT = Path(__file__).parents[2]
SAMPLES = 40
SINKS = ["live", "dead"]


@dataclass
class Witness:
    """What the killed processes were promised."""

    committed: dict[int, int] = field(default_factory=dict)  # seq: run
    confirmed: set[int] = field(default_factory=set)
    epochs: list[str] = field(default_factory=list)

    def hear(self, run: int, lines: list[str]) -> None:
        for line in lines:
            match line.split():
                case ["epoch", epoch]:
                    self.epochs.append(epoch)
                case ["try", first, last]:
                    self.confirmed |= set(range(int(first), int(last) + 1))
                case ["done", first, last]:
                    for seq in range(int(first), int(last) + 1):
                        assert seq not in self.committed, f"seq {seq} was given twice"
                        self.committed[seq] = run


def use_and_kill(path: Path, run: int, max_size: int, seconds: float) -> list[str]:
    """Let a process use the store, kill it some time after its first commit, and return what it said."""
    command = [sys.executable, str(Path(__file__).with_name("store_in_use.py")), path, str(run), str(max_size), *SINKS]
    child = subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    with child.stdout:
        lines = [child.stdout.readline(), child.stdout.readline()]
        time.sleep(seconds)
        child.kill()
        lines += child.stdout.read().splitlines()
    assert child.wait(10) == -9
    return lines


def owed(path: Path) -> tuple[dict[str, dict[int, float]], list[Account], int]:
    """By sink the seqs that it is still owed, with the run that made them; the ledger; the last seq."""
    store = Store.open(path, boot="boot", keep=1e9, max_size=1 << 28, reserve=0)
    found = {}
    for sink in SINKS:
        entries = store.read(sink, 1_000_000)
        assert all(entry.frame.values[1] == entry.seq for entry in entries)
        found[sink] = {entry.seq: float(entry.frame.values[0]) for entry in entries}  # type: ignore[arg-type]  # floats here
    ledger, last = store.ledger(), store.stats().last_seq
    store.close()
    return found, ledger, last


@pytest.mark.parametrize(("max_size", "kills"), [(1 << 28, 20), (1 << 18, 10)], ids=["with room", "at its size limit"])
def test_kill_at_any_instant(tmp_path: Path, max_size: int, kills: int) -> None:
    """One sink acknowledges, the other is down; what the size limit takes from it is exactly what the ledger says."""
    path, witness, dice = tmp_path / "store.db", Witness(), random.Random()
    for run in range(kills):
        witness.hear(run, use_and_kill(path, run, max_size, dice.uniform(0, 0.12)))
        at_rest = peek_ledger(path)
        assert all(account.balanced for account in at_rest), at_rest
        found, ledger, last = owed(path)
        assert ledger == at_rest
        dropped = {sink: sum(sum(a.dropped.values()) for a in ledger if a.sink == sink) // SAMPLES for sink in SINKS}
        read = {sink: sum(a.read for a in ledger if a.sink == sink) // SAMPLES for sink in SINKS}
        everything = set(range(1, last + 1))
        assert set(witness.committed) <= everything
        assert read == dict.fromkeys(SINKS, last)
        assert len(everything - set(found["dead"])) == dropped["dead"]
        assert len(everything - set(found["live"]) - witness.confirmed) <= dropped["live"]
        for sink, frames in found.items():
            wrong = {seq for seq, made in frames.items() if witness.committed.get(seq, made) != made}
            assert not wrong, f"{sink} would be sent another run's frames as {wrong}"
        if max_size > 1 << 20:
            assert dropped == dict.fromkeys(SINKS, 0)
    assert len(set(witness.epochs)) == kills
    assert len(witness.committed) >= kills
    if max_size < 1 << 20:
        assert dropped["dead"] > 0
