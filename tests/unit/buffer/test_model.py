"""Whatever is done to a store in whatever order, it agrees with a model made of sets."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.model.tag import Schema
from buffer.ledger import Account
from buffer.rest import peek_ledger
from tests.lengths import often
from tests.unit.buffer.builders import Hands, frames, open_store, schema

SHM = Path("/dev/shm")  # crashes are played here, so nothing needs a real disk
SINKS = ["a", "b", "c"]
GROUPS = [schema("one", tags=2), schema("two", tags=3, dtype="float32"), schema("one", group="total", made=True)]
REASONS = {False: "unchanged", True: "deadband"}  # by whether it was made, so that the account tells both apart
picks = st.randoms(use_true_random=False)
sinks = st.sampled_from(SINKS)


class Machine(RuleBasedStateMachine):
    """`owed` is what each sink must still get, `repeat` what it may get again after a crash.

    `came` counts the samples of the frames that were committed, by sink, device and whether they were made; `left`
    those that were left out, of which a crash forgets some.
    """

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="floorgate-model-", dir=SHM if SHM.is_dir() else None))
        self.hands = Hands()
        self.owed: dict[str, set[int]] = {}
        self.repeat: dict[str, set[int]] = {}
        self.attached: list[str] = []
        self.came: Counter[tuple[str, str, bool]] = Counter()
        self.left: Counter[tuple[str, str, bool]] = Counter()
        self.given = 0
        self.epochs: list[str] = []
        self.open()

    def open(self) -> None:
        self.store = open_store(self.folder / "store.db", self.hands, keep=1e9)
        self.epochs.append(self.store.epoch)
        self.attached = []

    @rule(names=st.lists(sinks, unique=True))
    def attach(self, names: list[str]) -> None:
        self.store.attach(names)
        self.attached = names
        for name in names:
            self.owed.setdefault(name, set())
            self.repeat.setdefault(name, set())

    @rule(count=st.integers(0, 30), group=st.sampled_from(GROUPS))
    def append(self, count: int, group: Schema) -> None:
        first, last = self.store.append(frames(count, of=group, ts=self.hands.wall, mono=self.hands.mono))
        for name in self.attached:
            self.came[name, group.device, group.made] += count * len(group.tags)
        assert (first, last) == (self.given + 1, self.given + count)
        self.given = last
        for name in self.attached:
            self.owed[name] |= set(range(first, last + 1))

    @rule(samples=st.integers(1, 9), group=st.sampled_from(GROUPS))
    def leave_out(self, samples: int, group: Schema) -> None:
        self.store.suppress(Counter({(group.device, REASONS[group.made], group.made): samples}))
        for name in self.attached:
            self.left[name, group.device, group.made] += samples

    @rule(sink=sinks, limit=st.integers(1, 20), after=st.integers(0, 40), pick=picks, drop=st.booleans())
    def take(self, sink: str, limit: int, after: int, pick: object, drop: bool) -> None:
        if sink not in self.owed:
            return
        entries = self.store.read(sink, limit, after=after)
        assert [e.seq for e in entries] == sorted(seq for seq in self.owed[sink] if seq > after)[:limit]
        chosen = [e for e in entries if pick.random() < 0.7]  # type: ignore[attr-defined]  # a Random
        if drop:
            self.store.drop(sink, chosen, "rejected")
        else:
            self.store.ack(sink, chosen)
        self.owed[sink] -= {e.seq for e in chosen}
        self.repeat[sink] |= {e.seq for e in chosen}

    @rule(seconds=st.sampled_from([0.1, 2, 60]))
    def tend(self, seconds: float) -> None:
        self.hands.move(seconds)
        self.store.tend()

    @rule()
    def restart(self) -> None:
        self.store.close()
        assert all(account.balanced for account in peek_ledger(self.folder / "store.db"))
        self.open()
        for name in self.repeat:
            self.repeat[name] = set()

    @rule()
    def crash(self) -> None:
        """What was not settled is forgotten: acks come again, commits do not go away."""
        self.store._log.connection.close()
        assert all(account.balanced for account in peek_ledger(self.folder / "store.db"))
        self.open()
        for name, must in self.owed.items():
            now = {entry.seq for entry in self.store.read(name, 10_000)}
            assert must <= now <= must | self.repeat[name]
            self.owed[name], self.repeat[name] = now, set()
        left = left_out(self.store.ledger())
        assert left <= self.left
        self.left = left

    @invariant()
    def it_agrees(self) -> None:
        if self.epochs:
            assert {name: self.store.owed(name) for name in self.owed} == {n: len(s) for n, s in self.owed.items()}
            accounts = self.store.ledger()
            assert all(account.balanced for account in accounts)
            assert self.store.stats().last_seq == self.given
            assert len(set(self.epochs)) == len(self.epochs)
            assert left_out(accounts) == self.left
            came = self.came + self.left
            for account in accounts:
                counted = account.read, account.made
                assert counted == tuple(came[account.sink, account.device, made] for made in (False, True))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store._log.connection.close()
            shutil.rmtree(self.folder)


def left_out(accounts: Sequence[Account]) -> Counter[tuple[str, str, bool]]:
    return Counter(
        {
            (account.sink, account.device, made): account.suppressed[reason]
            for account in accounts
            for made, reason in REASONS.items()
            if reason in account.suppressed
        }
    )


TestModel = Machine.TestCase
TestModel.settings = settings(max_examples=often(15, 150), stateful_step_count=30, deadline=None)
