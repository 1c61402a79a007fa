"""Whatever becomes of the file or its disk, there is a store; what can be saved is saved, the rest is written down."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.model.errors import DiskFailed, StoreError
from buffer.keeper import Keeper, Limits
from buffer.ledger import UNKNOWN
from buffer.rebuild import unfinished
from buffer.rest import peek_ledger
from buffer.store import Store
from buffer.witness import place as witness_of
from tests.lengths import often
from tests.unit.buffer.builders import NOON, OPENED, SECOND, Hands, change, frame, frames, look, schema, seqs

WIDE = schema(tags=40, dtype="float32")
TEXT = schema("press", tags=2, dtype="str")


def keeper(place: Path, hands: Hands | None = None, *, sinks: tuple[str, ...] = ("a", "b")) -> Keeper:
    made = Keeper(place, Limits(86400.0, 8 << 20, 0), boot="boot-1", clock=(hands or Hands()).clock())
    OPENED.append(made.open())
    made.attach(list(sinks), [])
    return made


def filled(place: Path) -> str:
    """300 frames of two devices, some of them large; `a` has the first 100. Returns the epoch."""
    kept = keeper(place)
    store = kept.store
    for _ in range(10):
        store.append([*frames(20, of=WIDE), *[frame("x" * 3000, "y" * 9000, of=TEXT) for _ in range(10)]])
    store.ack("a", store.read("a", 100))
    store.close()
    return store.epoch


def killed(place: Path, store: Store) -> None:
    """Leave the files as a kill would: an orderly end would tidy the -wal file away."""
    copy = place.parent.with_name("copy")
    shutil.copytree(place.parent, copy)
    store.abandon()
    shutil.rmtree(place.parent)
    copy.rename(place.parent)


def balanced(store: Store) -> bool:
    return all(account.balanced for account in store.ledger())


def test_a_sound_store_is_opened_and_nothing_else(place: Path) -> None:
    filled(place)
    again = keeper(place)
    assert again.notes == []
    assert (again.store.owed("a"), again.store.owed("b")) == (200, 300)


def page_of(place: Path, kind: int, nth: int = 0) -> int:
    """The number of the n-th page of a kind: 13 leaf of a table, 5 inner page, 10 leaf of an index."""
    raw = place.read_bytes()
    pages = [n for n in range(1, len(raw) // 4096) if raw[n * 4096] == kind]
    return pages[nth] + 1


def used_pages(place: Path) -> int:
    connection = sqlite3.connect(place)
    (pages,), (free,) = (connection.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "freelist_count"))
    connection.close()
    return int(pages - free)


def overwrite(place: Path, page: int, what: bytes) -> None:
    with place.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(what)


@pytest.mark.parametrize("what", ["root", "header", "schema"])
def test_every_frame_is_saved_when_only_the_tree_above_them_is_broken(place: Path, what: str) -> None:
    epoch = filled(place)
    match what:
        case "root":
            overwrite(place, page_of(place, 5), os.urandom(4096))
        case "header":
            overwrite(place, 1, b"no database any more")
        case "schema":
            overwrite(place, 1, place.read_bytes()[:100] + os.urandom(3996))
    again = keeper(place)
    store = again.store
    assert "300 frames were saved, 0 are lost" in again.notes[0]
    assert seqs(store.read("b", 999)) == list(range(1, 301))
    assert set(range(101, 301)) <= set(seqs(store.read("a", 999)))
    assert {entry.epoch for entry in store.read("b", 999)} == {epoch}
    assert store.read("b", 999)[25].frame.values == ("x" * 3000, "y" * 9000)
    assert balanced(store)
    assert store.append(frames(1)) == (301, 301)
    folder = place.parent / "corrupt-1"
    assert (folder / "salvaged").read_text().startswith("300 frames were saved")
    store.close()
    assert all(account.balanced for account in peek_ledger(place))


def test_what_cannot_be_saved_is_in_the_ledger_by_device_and_in_the_loss_table(place: Path) -> None:
    filled(place)
    overwrite(place, page_of(place, 13, 12), bytes(4096))
    overwrite(place, page_of(place, 5), bytes(4096))
    again = keeper(place)
    store = again.store
    missing = set(range(1, 301)) - set(seqs(store.read("b", 999)))
    assert 0 < len(missing) < 25
    accounts = [account for account in store.ledger() if account.sink == "b"]
    assert all(account.balanced for account in accounts)
    assert sum(sum(account.dropped.values()) for account in accounts) > 0
    assert UNKNOWN not in {account.device for account in accounts}
    store.close()
    rows = look(place, "SELECT sum(frames), reason FROM loss WHERE sink = (SELECT id FROM sink WHERE name = 'b')")
    assert rows == [(len(missing), "corrupt")]


@pytest.mark.parametrize(
    "ruin",
    [
        lambda place: place.write_bytes(b""),
        lambda place: place.write_bytes(bytes(100_000)),
        lambda place: place.write_bytes(os.urandom(100_000)),
        lambda place: place.unlink(),
    ],
    ids=["no bytes", "zeros", "noise", "gone"],
)
def test_a_file_of_which_nothing_is_left_is_reported_with_all_that_was_owed(
    place: Path, ruin: Callable[[Path], object]
) -> None:
    filled(place)
    ruin(place)
    again = keeper(place)
    assert again.notes
    store = again.store
    assert store.append(frames(2)) == (301, 302), "no number is given twice"
    assert (store.owed("a"), store.owed("b")) == (2, 2)
    assert balanced(store)
    store.close()
    rows = look(place, "SELECT name, sum(frames) FROM loss JOIN sink ON sink.id = loss.sink GROUP BY name")
    assert rows == [("a", 200), ("b", 300)]


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_of_a_truncated_file_what_is_left_is_delivered(place: Path, part: float) -> None:
    filled(place)
    with place.open("r+b") as file:
        file.truncate(int(used_pages(place) * part) * 4096)
    again = keeper(place)
    left = set(seqs(again.store.read("b", 999)))
    assert 50 * part < len(left) < 300
    assert balanced(again.store)
    assert again.store.append(frames(1)) == (301, 301)


def test_a_deleted_wal_is_noticed_and_what_was_in_it_is_written_down(place: Path, hands: Hands) -> None:
    kept = keeper(place, hands)
    store = kept.store
    store.append(frames(10))
    store._log.checkpoint()
    hands.move(2)
    store.append(frames(10))
    store.ack("a", store.read("a", 15))
    hands.move(2)
    store.append(frames(5))
    killed(place, store)
    place.with_name("store.db-wal").unlink()
    again = keeper(place, hands)
    assert again.notes == ["the store went back in time: 15 frames are gone"]
    again.store.append(frames(1))
    assert seqs(again.store.read("b", 99)) == [*range(1, 11), 26]
    accounts = {(a.sink, a.device): a for a in again.store.ledger()}
    assert balanced(again.store)
    assert accounts["a", UNKNOWN].dropped == {"rollback": 30}, "of 15 frames `a` had 5"
    assert accounts["b", UNKNOWN].dropped == {"rollback": 45}


def test_an_old_copy_in_the_place_of_the_file_is_noticed(place: Path, hands: Hands, tmp_path: Path) -> None:
    filled(place)
    shutil.copy(place, tmp_path / "copy")
    kept = keeper(place, hands)
    kept.store.append(frames(7))
    kept.store.close()
    shutil.copy(tmp_path / "copy", place)
    again = keeper(place, hands)
    assert again.notes == ["the store went back in time: 7 frames are gone"]
    assert again.store.append(frames(1)) == (308, 308)


@pytest.mark.parametrize("what", [b"", b"FLGTWIT1" + bytes(60), b"x" * 200])
def test_a_witness_that_makes_no_sense_proves_nothing(place: Path, what: bytes) -> None:
    filled(place)
    witness_of(place).write_bytes(what)
    assert keeper(place).notes == []


def test_without_a_witness_whatever_is_found_is_owed_to_every_sink(place: Path) -> None:
    filled(place)
    witness_of(place).unlink()
    overwrite(place, 1, b"no database any more")
    again = keeper(place)
    assert seqs(again.store.read("a", 999)) == seqs(again.store.read("b", 999)) == list(range(1, 301))
    assert balanced(again.store)


def test_deleted_frames_do_not_come_back(place: Path) -> None:
    """Their bytes still lie in pages that nobody uses."""
    kept = keeper(place)
    kept.store.append(frames(100, of=WIDE))
    for sink in ("a", "b"):
        kept.store.ack(sink, kept.store.read(sink, 60))
    kept.store.tend()
    kept.store.close()
    overwrite(place, 1, b"no database any more")
    again = keeper(place)
    assert seqs(again.store.read("b", 999)) == list(range(61, 101))


def test_frames_only_in_the_wal_are_saved_too(place: Path) -> None:
    kept = keeper(place)
    kept.store.append(frames(50, of=WIDE))
    kept.store._log.checkpoint()
    kept.store.append(frames(30, of=WIDE))
    killed(place, kept.store)
    overwrite(place, 1, b"no database any more")
    again = keeper(place)
    assert seqs(again.store.read("b", 999)) == list(range(1, 81))


@pytest.mark.parametrize("after", ["moved", "wal left", "half built"])
def test_a_salvage_that_was_cut_short_begins_again(place: Path, after: str) -> None:
    epoch = filled(place)
    overwrite(place, page_of(place, 5), bytes(4096))
    folder = place.parent / "corrupt-1"
    folder.mkdir()
    if after == "wal left":
        place.with_name("store.db-wal").write_bytes(b"")
    place.rename(folder / "store.db")
    if after == "half built":
        place.with_suffix(".new").write_bytes(b"half")
    assert unfinished(place) == folder
    again = keeper(place)
    assert seqs(again.store.read("b", 999)) == list(range(1, 301))
    assert again.store.epoch != epoch
    assert unfinished(place) is None


def test_one_damaged_file_is_kept_for_a_look(place: Path) -> None:
    for _ in range(3):
        keeper(place).store.close()
        overwrite(place, 1, b"no database any more")
    keeper(place)
    assert [path.name for path in place.parent.glob("corrupt-*")] == ["corrupt-3"]


def test_one_bad_read_throws_nothing_away(place: Path) -> None:
    """The file is closed, opened and looked at; it is sound, so it goes on being used."""
    filled(place)
    kept = keeper(place)
    kept.store._log.connection.close()
    assert kept.heal() == 0
    assert kept.notes == []
    assert kept.store.owed("b") == 300
    assert list(place.parent.glob("corrupt-*")) == []


def test_a_place_that_may_not_be_written_is_a_person_s_business(place: Path) -> None:
    """No memory steps in for a wrong path or missing rights: the agent would run like that for years."""
    place.parent.write_bytes(b"a file where the directory should be")
    with pytest.raises(StoreError):
        keeper(place)


def test_a_second_agent_is_turned_away_and_never_set_aside(place: Path) -> None:
    first = keeper(place)
    pid = os.fork()
    if pid == 0:
        try:
            keeper(place)
        except StoreError as error:
            os._exit(0 if "in use" in str(error) and not isinstance(error, DiskFailed) else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert first.store.append(frames(1)) == (1, 1)


def test_random_damage_costs_what_it_hits_and_no_start(place: Path, tmp_path: Path) -> None:
    """Each flip in a used page: the store opens, what it delivers is true, and the account balances or says so."""
    filled(place)
    sound = place.read_bytes()
    said = witness_of(place).read_bytes()
    used = used_pages(place)
    dice = random.Random(3)
    values = {entry.seq: entry.frame.values for entry in keeper(place).store.read("b", 999)}
    OPENED.pop().close()
    lost = []
    for _ in range(often(15, 200)):
        shutil.rmtree(place.parent)
        place.parent.mkdir()
        raw = bytearray(sound)
        for _ in range(3):
            raw[dice.randrange(used * 4096)] ^= 1 << dice.randrange(8)
        place.write_bytes(raw)
        witness_of(place).write_bytes(said)
        again = keeper(place)
        entries = again.store.read("b", 999)
        assert all(entry.frame.values == values[entry.seq] for entry in entries)
        lost.append(300 - len(entries))
        OPENED.pop().close()
    assert max(lost) <= 25
    assert sum(lost) > 0


@pytest.mark.parametrize("where", ["file", "samples", "hwm", "kept"])
@pytest.mark.parametrize("witnessed", [True, False])
def test_a_mark_that_makes_no_sense_is_not_carried_into_the_new_file(place: Path, where: str, witnessed: bool) -> None:
    filled(place)
    change(place, "UPDATE meta SET v = 'nonsense' WHERE k = ?", where)
    if not witnessed:
        witness_of(place).unlink()
    kept = keeper(place)
    unknown = where == "hwm" and not witnessed
    assert (kept.store.owed("a"), kept.store.owed("b")) == (300 if unknown else 200, 300)
    assert balanced(kept.store)
    kept.store.close()
    assert keeper(place).notes == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET samples = x'00'",
        "INSERT INTO loss (sink, from_seq, to_seq, frames, samples, t0, t1, reason, at) VALUES (1,1,1,1,'x',0,0,'',0)",
        "INSERT INTO snapshot (at, body) VALUES (x'00', 1)",
        "INSERT INTO state VALUES ('k', 1.5)",
    ],
)
def test_rows_of_the_small_tables_that_make_no_sense_do_not_stop_the_salvage(place: Path, statement: str) -> None:
    filled(place)
    change(place, statement)
    overwrite(place, page_of(place, 5), os.urandom(4096))
    kept = keeper(place)
    assert (kept.store.owed("a"), kept.store.owed("b")) == (200, 300)
    assert balanced(kept.store)
    kept.store.tend()
    assert balanced(kept.store)


@pytest.mark.parametrize("when", ["it runs", "it salvages"])
def test_a_damaged_file_is_not_taken_away_from_another_agent(place: Path, when: str) -> None:
    """Its header is damaged, which who has it open already does not notice."""
    filled(place)
    script = f"""
import fcntl, os, sqlite3
connection = sqlite3.connect({str(place)!r})
if {when == "it runs"}:
    connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
    connection.execute("SELECT count(*) FROM frame").fetchall()
else:
    folder = os.open({str(place.parent)!r}, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
print("ready", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        overwrite(place, 1, b"no database any more")
        with pytest.raises(StoreError, match="is in use by another process"):
            keeper(place)
        assert place.exists()
        other.stdin.close()
    assert keeper(place).store.owed("b") == 300


def test_what_was_seen_of_the_clock_and_why_frames_are_aside_is_saved(place: Path) -> None:
    hands = Hands(wall=5 * SECOND, synced=False)
    store = keeper(place, hands).store
    store.append(frames(400, of=WIDE, ts=hands.wall, mono=hands.mono))
    store.set_aside("a", store.read("a", 1), "no")
    hands.move(5)
    hands.wall, hands.synced = NOON, True
    store.tend()
    store.close()
    overwrite(place, page_of(place, 5), os.urandom(4096))
    saved = keeper(place, hands).store
    assert {(entry.frame.ts, entry.clock) for entry in saved.read("a", 9)} == {(NOON - 5 * SECOND, "corrected")}
    saved.close()
    assert look(place, "SELECT sink, seq, error FROM refusal") == [(1, 1, "no")]
