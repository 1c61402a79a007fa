"""Kills, damage, purges, clock steps in whatever order: what a list says was committed comes out or is told as lost."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.model.errors import Damaged, DiskFailed
from agent.model.frame import Entry
from buffer.keeper import Keeper, Limits
from buffer.reports import DEVICE
from tests.lengths import often
from tests.unit.buffer.builders import Hands, frames, schema

SHM = Path("/dev/shm")  # nothing here needs a real disk
SINKS = ["a", "b"]
KEEP = 1000.0  # seconds
GROUPS = [schema("one", tags=2), schema("two", tags=30), schema("one", tags=3, group="total", made=True)]
picks = st.randoms(use_true_random=False)


class Machine(RuleBasedStateMachine):
    """`made` is all that was committed, by seq; `done` what each sink has confirmed."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="floorgate-damage-", dir=SHM if SHM.is_dir() else None))
        self.path, self.hands = self.folder / "store.db", Hands()
        self.made: dict[int, tuple[object, ...]] = {}
        self.done: dict[str, set[int]] = {sink: set() for sink in SINKS}
        self.told: dict[str, set[int]] = {sink: set() for sink in SINKS}  # losses that were listed once
        self.whole = True  # nothing was ever damaged
        self.open()

    def open(self) -> None:
        limits = Limits(KEEP, 1 << 20, 0)
        self.keeper = Keeper(self.path, limits, boot="boot", clock=self.hands.clock())
        self.keeper.open()
        self.keeper.attach(SINKS, [])

    @rule(count=st.integers(1, 30), group=st.sampled_from(GROUPS))
    def append(self, count: int, group: object) -> None:
        made = frames(count, of=group, ts=self.hands.wall, mono=self.hands.mono)  # type: ignore[arg-type]  # a Schema
        for _ in range(3):
            try:
                first, last = self.keeper.store.append(made)
                break
            except (Damaged, DiskFailed):
                assert not self.whole
                assert not self.keeper.heal(), "a commit that was said to have failed is there"
        seqs = range(first, last + 1)
        assert not self.made.keys() & set(seqs), "a number is given twice"
        self.made.update((seq, frame.values) for seq, frame in zip(seqs, made, strict=True))

    @rule(sink=st.sampled_from(SINKS), limit=st.integers(1, 40), pick=picks)
    def take(self, sink: str, limit: int, pick: object) -> None:
        entries = self.read(sink, limit)
        chosen = [entry for entry in entries if pick.random() < 0.7]  # type: ignore[attr-defined]  # a Random
        self.keeper.store.ack(sink, chosen)
        self.done[sink] |= {entry.seq for entry in chosen}

    def read(self, sink: str, limit: int, after: int = 0) -> list[Entry]:
        for _ in range(3):
            try:
                entries = self.keeper.store.read(sink, limit, after=after)
                break
            except (Damaged, DiskFailed):
                assert not self.whole
                self.keeper.heal()
        assert [entry.seq for entry in entries] == sorted({entry.seq for entry in entries})
        for entry in entries:
            if entry.frame.schema.device != DEVICE:
                assert self.made[entry.seq] == entry.frame.values
        return entries

    @rule(seconds=st.sampled_from([0.1, 2, 60]))
    def tend(self, seconds: float) -> None:
        self.hands.move(seconds)
        self.keep_house()

    @rule()
    def purge_what_is_too_old(self) -> None:
        self.hands.move(KEEP + 1)
        self.keep_house()

    @rule(seconds=st.sampled_from([3600.0, -86_400.0, -1.7e9, 3.4e8]))
    def step_the_clock(self, seconds: float) -> None:
        """Nothing goes by that: all that is lost over `keep` is by the clock that never steps."""
        before = {sink: self.keeper.store.owed(sink) for sink in SINKS}
        self.hands.wall = min(max(0, self.hands.wall + round(seconds * 1e9)), 2**62)  # as far as a clock can be set
        self.keep_house()
        after = {sink: self.keeper.store.owed(sink) for sink in SINKS}
        assert not self.whole or all(after[sink] >= before[sink] for sink in SINKS)

    def keep_house(self) -> None:
        try:
            self.keeper.store.tend()
        except (Damaged, DiskFailed):
            assert not self.whole
            self.keeper.heal()

    @rule()
    def kill(self) -> None:
        self.keeper.store.abandon()
        self.open()

    @rule(
        at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), where=st.sampled_from(["store.db", "store.db-wal"])
    )
    def damage(self, at: float, bit: int, where: str) -> None:
        """One bit, of the part of a file that was ever used; with it the list of earlier losses may go."""
        for sink in SINKS:
            self.told[sink] |= self.listed(sink)
        self.keeper.store.abandon()
        path = self.folder / where
        if path.exists() and (size := len(path.read_bytes().rstrip(b"\0"))):
            self.whole = False
            with path.open("r+b") as file:
                file.seek(int(at * size))
                (byte,) = file.read(1)
                file.seek(int(at * size))
                file.write(bytes([byte ^ 1 << bit]))
        self.open()

    @invariant()
    def accounts_balance(self) -> None:
        if "keeper" in self.__dict__ and self.whole:
            assert all(account.balanced for account in self.keeper.store.ledger())

    def teardown(self) -> None:
        """What was committed has been confirmed, comes out now, or is listed as lost: for each sink."""
        if not hasattr(self.__dict__.get("keeper"), "store"):
            return
        try:
            for sink in SINKS:
                got, after = set(), 0
                while entries := self.read(sink, 200, after):
                    got |= {entry.seq for entry in entries}
                    after = entries[-1].seq
                gone = self.made.keys() - self.done[sink] - got
                self.keep_house()
                assert gone <= self.listed(sink) | self.told[sink]
                assert not gone or not self.whole or self.hands.mono > KEEP * 1e9
        finally:
            self.keeper.store.abandon()
            shutil.rmtree(self.folder)

    def listed(self, sink: str) -> set[int]:
        query = "SELECT from_seq, to_seq FROM loss JOIN sink ON sink.id = loss.sink WHERE sink.name = ?"
        connection: sqlite3.Connection = self.keeper.store._log.connection
        return {seq for first, last in connection.execute(query, (sink,)).fetchall() for seq in range(first, last + 1)}


TestModel = Machine.TestCase
TestModel.settings = settings(max_examples=often(20, 200), stateful_step_count=25, deadline=None)
