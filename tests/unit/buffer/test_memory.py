"""While the disk does not work a store in memory serves, and its frames move to the disk when it does again."""

from pathlib import Path

import pytest

from agent.model.errors import DiskFailed
from buffer.keeper import LOOK, Keeper, Limits
from buffer.rest import peek_ledger
from buffer.store import Store
from tests.unit.buffer.builders import NOON, OPENED, SECOND, Hands, change, frames, open_store, schema, seqs
from tests.unit.buffer.test_keeper import balanced, filled, keeper


class BadDisk:
    """A data directory that cannot be written, as long as it is `off`."""

    def __init__(self, place: Path) -> None:
        self._folder, self._away = place.parent, place.parent.with_name("away")

    def off(self) -> None:
        self._folder.rename(self._away)
        self._folder.write_bytes(b"in the way")

    def on(self) -> None:
        self._folder.unlink()
        self._away.rename(self._folder)


def test_without_a_disk_memory_serves_and_its_frames_move_back_under_their_names(place: Path, hands: Hands) -> None:
    filled(place)
    kept, disk = keeper(place, hands), BadDisk(place)
    kept.store.append(frames(5))
    kept.store.state.set("k", b"1")
    hands.move(2)
    kept.store.append(frames(5))
    disk.off()
    for _ in range(2):
        assert kept.heal() == 0
        assert isinstance(kept.trouble, DiskFailed)
    store = kept.store
    assert store.volatile
    assert store.append(frames(10)) == (311, 320)
    store.ack("a", store.read("a", 4))
    store.drop("b", store.read("b", 1), "rejected")
    store.set_aside("b", store.read("b", 1), "no")
    store.state.set("k", b"2")
    epoch = store.epoch
    disk.on()
    assert kept.heal() == 0
    assert kept.notes == ["back on the disk"]
    again = kept.store
    assert not again.volatile
    assert balanced(again)
    assert seqs(again.read("a", 999)) == [*range(101, 311), *range(315, 321)]
    assert seqs(again.read("b", 999)) == [*range(1, 311), *range(313, 321)]
    assert {entry.epoch for entry in again.read("a", 99, after=310)} == {epoch}
    assert again.stats().aside == {"a": 0, "b": 1}
    assert again.state.get("k") == b"2"
    assert again.append(frames(1)) == (321, 321)
    assert {a.sink: a.dropped for a in again.ledger() if a.device == "meter"} == {"a": {}, "b": {"rejected": 3}}
    again.close()
    assert all(account.balanced for account in peek_ledger(place))


def test_memory_is_bounded_and_gives_up_the_oldest(place: Path, hands: Hands) -> None:
    kept, disk = keeper(place, hands), BadDisk(place)
    disk.off()
    kept.heal()
    assert isinstance(kept.trouble, DiskFailed)
    for _ in range(150):
        kept.store.append(frames(100, of=schema(tags=200)))
        kept.store.tend()
    assert kept.store.stats().bytes <= 9 << 20
    assert balanced(kept.store)
    disk.on()
    kept.heal()
    assert balanced(kept.store)
    assert set(kept.store.ledger()[0].dropped) == {"size"}


def test_a_commit_that_failed_and_is_there_all_the_same_is_not_made_twice(place: Path, hands: Hands) -> None:
    """A sync that fails after the last byte was written: the next opening finds the transaction."""
    kept = keeper(place, hands)
    kept.store.append(frames(3))
    log = kept.store._log
    log.connection.execute("BEGIN")
    log.connection.execute("INSERT INTO frame SELECT seq + 3, epoch, schema, ts, mono, n, crc, body FROM frame")
    log.connection.execute("COMMIT")
    assert kept.heal() == 3
    assert kept.store.append(frames(1)) == (7, 7)


def test_a_move_to_the_disk_that_failed_and_is_there_all_the_same_is_not_made_twice(place: Path, hands: Hands) -> None:
    kept, disk = keeper(place, hands), BadDisk(place)
    disk.off()
    kept.heal()
    kept.store.append(frames(5))
    disk.on()
    fresh = open_store(place, hands)
    fresh.adopt(kept.store)
    fresh.abandon()
    assert kept.heal() == 0
    assert kept.trouble is None
    assert seqs(kept.store.read("a", 99)) == [1, 2, 3, 4, 5]
    assert kept.store.append(frames(1)) == (6, 6)
    assert balanced(kept.store)


def test_a_commit_that_was_there_after_all_and_was_made_again_in_memory_counts_once(place: Path, hands: Hands) -> None:
    """The sync failed although the last byte was written, and then the file could not be opened for a while."""
    kept, disk = keeper(place, hands), BadDisk(place)
    kept.store.append(frames(3))
    kept.store._log.connection.execute(
        "INSERT INTO frame SELECT seq + 3, epoch, schema, ts, mono, n, crc, body FROM frame"
    )
    disk.off()
    assert kept.heal() == 0
    assert kept.store.append(frames(3)) == (4, 6)
    kept.store.ack("a", kept.store.read("a", 2))
    disk.on()
    kept.heal()
    assert kept.trouble is None
    assert kept.store.append(frames(1)) == (7, 7)
    assert seqs(kept.store.read("a", 99)) == [1, 2, 3, 6, 7]
    assert seqs(kept.store.read("b", 99)) == [1, 2, 3, 4, 5, 6, 7]
    assert [account.read for account in kept.store.ledger()] == [21, 21]
    assert balanced(kept.store)
    kept.store.close()
    assert all(account.balanced for account in peek_ledger(place))


def test_frames_that_come_while_a_move_is_in_doubt_lie_in_a_memory_of_their_own(place: Path, hands: Hands) -> None:
    kept, disk = keeper(place, hands), BadDisk(place)
    disk.off()
    kept.heal()
    kept.store.append(frames(5))
    disk.on()
    change(place, "CREATE TRIGGER bad BEFORE INSERT ON frame BEGIN SELECT RAISE(ABORT, 'not now'); END")
    assert kept.heal() == 0
    assert kept.trouble is not None
    assert kept.store.volatile
    assert kept.store.append(frames(2)) == (6, 7)
    change(place, "DROP TRIGGER bad")
    assert kept.heal() == 0
    assert kept.trouble is None
    assert seqs(kept.store.read("a", 99)) == [1, 2, 3, 4, 5, 6, 7]
    assert balanced(kept.store)


def test_an_answer_to_frames_that_went_up_on_their_way_to_the_disk_clears_them_and_no_others(
    place: Path, hands: Hands
) -> None:
    """The disk was dead from the start, so memory began at 1, where the file has frames of its own."""
    first = keeper(place, hands).store
    first.append(frames(10))
    first.close()
    memory = Store.in_memory(clock=hands.clock(), boot="boot-1", max_size=8 << 20, first=1)
    OPENED.append(memory)
    memory.attach(["a", "b"])
    memory.append(frames(5))
    under_way = memory.read("a", 5)
    kept = keeper(place, hands)
    kept.store.adopt(memory)
    kept.store.ack("a", under_way[:3])
    kept.store.drop("a", under_way[3:4], "rejected")
    kept.store.set_aside("a", under_way[4:], "no")
    assert seqs(kept.store.read("a", 99)) == list(range(1, 11))
    kept.heal()
    kept.store.ack("a", under_way)
    assert set(range(1, 11)) <= set(seqs(kept.store.read("a", 99)))
    assert balanced(kept.store)


def test_memory_serves_also_when_it_is_a_bug_that_keeps_the_file_from_being_mended(place: Path, hands: Hands) -> None:
    class Buggy(Keeper):
        bugs = 1

        def _on_disk(self, look: float) -> Store:
            if self.bugs and look == LOOK:
                self.bugs = 0
                raise ValueError("a bug")
            return super()._on_disk(look)

    kept = Buggy(place, Limits(86400.0, 8 << 20, 0), boot="boot-1", clock=hands.clock())
    OPENED.append(kept.open())
    kept.attach(["a"], [])
    kept.store.append(frames(3))
    with pytest.raises(ValueError, match="a bug"):
        kept.heal()
    assert kept.store.volatile
    assert kept.store.append(frames(2)) == (4, 5)
    kept.heal()
    OPENED.append(kept.store)
    assert seqs(kept.store.read("a", 99)) == [1, 2, 3, 4, 5]


def test_a_file_that_is_full_gives_up_its_oldest_for_what_comes_out_of_memory(place: Path, hands: Hands) -> None:
    """The disk leaves the file no more than 8 MB, all of which a sink that is away still needs."""
    endless = 1 << 60
    kept = Keeper(place, Limits(86400.0, 64 << 20, endless), boot="boot-1", clock=hands.clock())
    disk = BadDisk(place)
    OPENED.append(kept.open())
    kept.attach(["a"], [])
    for turn in range(200):
        if turn == 100:
            disk.off()
            kept.heal()
        kept.store.append(frames(100, of=schema(tags=200)))
        kept.store.tend()
        hands.move(1)
    assert kept.store.volatile
    newest = kept.store.last()
    disk.on()
    kept.heal()
    OPENED.append(kept.store)
    assert kept.trouble is None
    assert not kept.store.volatile
    assert seqs(kept.store.read("a", 1, after=newest - 1)) == [newest]
    assert balanced(kept.store)


@pytest.mark.parametrize("known", ["in memory", "afterwards"])
def test_frames_out_of_memory_are_stamped_right_once_the_time_is_known(place: Path, known: str) -> None:
    """The disk is dead from the start, when the clock does not know the time yet."""
    hands = Hands(wall=5 * SECOND, synced=False)

    def told() -> None:
        hands.wall, hands.synced = NOON, True

    memory = Store.in_memory(clock=hands.clock(), boot="boot-1", max_size=8 << 20, first=1)
    OPENED.append(memory)
    memory.attach(["a"])
    memory.append(frames(2, ts=hands.wall, mono=hands.mono))
    hands.move(5)
    if known == "in memory":
        told()
        memory.tend()
    store = open_store(place, hands)
    store.adopt(memory)
    store.attach(["a"])
    if known == "afterwards":
        told()
        store.tend()
    for _ in range(2):
        stamps = {(entry.frame.ts, entry.clock) for entry in store.read("a", 2)}
        assert stamps == {(NOON - 5 * SECOND, "corrected")}
        store.close()
        store = open_store(place, hands, sinks=["a"])
