"""A copy that is made piece by piece while frames come, are delivered and leave the file is the file at one moment."""

from pathlib import Path

import pytest

from agent.model.errors import StoreError
from buffer import copying
from buffer.copying import Piece, Written
from buffer.rest import copied, peek_ledger
from buffer.store import Store
from tests.unit.buffer.builders import METER, Hands, change, frames, look, open_store, schema

PRESS = schema("press", 2)


def written(place: Path, pieces: list[Piece]) -> str:
    """The copy as a file; its instance."""
    tables = pieces[-1].tables
    assert tables is not None
    copy = Written(place, pieces[-1].version, tables)
    for piece in pieces:
        copy.add(piece.columns, piece.frames)
    copy.close(whole=True)
    return copy.instance


def pieces(store: Store) -> list[Piece]:
    found = [store.copier.piece(0)]
    while found[-1].tables is None:
        found.append(store.copier.piece(found[-1].frames[-1][0]))
    return found


def content(store: Store, sink: str) -> list[tuple[str, int, tuple[object, ...]]]:
    return [(entry.epoch, entry.seq, entry.frame.values) for entry in store.read(sink, 10_000)]


def test_what_happens_meanwhile_is_in_it_as_far_as_it_came_before_the_last_piece(
    place: Path, hands: Hands, tmp_path: Path
) -> None:
    store = open_store(place, hands, sinks=["platform", "history"])
    store.append([*frames(400, of=METER), *frames(400, of=PRESS)], {"learnt/meter": b"a hole"})
    taken = [store.copier.piece(0)]
    assert taken[0].tables is None, "no more at once than commits can wait for"
    for sink in ("platform", "history"):
        store.ack(sink, store.read(sink, 600))
    hands.move(30)
    store.tend()
    store.set_aside("history", store.read("history", 1), "no")
    store.append(frames(100))
    while taken[-1].tables is None:
        taken.append(store.copier.piece(taken[-1].frames[-1][0]))
    expected, owed = store.ledger(), content(store, "platform")
    store.append(frames(5))
    store.close()
    copy = tmp_path / "copy" / "store.db"
    copy.parent.mkdir()
    instance = written(copy, taken)
    assert peek_ledger(copy) == expected
    assert look(copy, "SELECT count(*), min(seq) FROM frame") == [(300, 601)], "what had left is not in it"
    assert look(copy, "PRAGMA integrity_check") == [("ok",)]
    again = open_store(copy, hands)
    again.attach(["platform", "history"])
    assert content(again, "platform") == owed
    assert again.state.get("learnt/meter") == b"a hole"
    assert again.instance == instance != store.instance
    assert again.append(frames(1)) == (901, 901)
    assert again.missing == 0
    again.retry("history")
    assert again.owed("history") == 301


def test_a_file_at_rest_is_copied_as_it_is_also_what_a_kill_left_unsettled(place: Path, tmp_path: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(3))
    store.ack("platform", store.read("platform", 1))
    store.tend()
    store.tend()
    store.append(frames(2))
    store.abandon()
    with copied(place) as copier:
        assert copier.count() == 4
        taken = [copier.piece(0)]
    written(tmp_path / "copy.db", taken)
    assert peek_ledger(tmp_path / "copy.db") == peek_ledger(place)


def test_an_empty_store_can_be_copied(place: Path, tmp_path: Path) -> None:
    store = open_store(place)
    assert written(tmp_path / "copy.db", pieces(store)) != store.instance
    assert open_store(tmp_path / "copy.db").append(frames(1)) == (1, 1)


def test_damaged_rows_travel_as_they_are(place: Path, tmp_path: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(3))
    store.close()
    change(place, "UPDATE frame SET body = x'00', ts = 'noon' WHERE seq = 2")
    with copied(place) as copier:
        written(tmp_path / "copy.db", [copier.piece(0)])
    assert look(tmp_path / "copy.db", "SELECT * FROM frame") == look(place, "SELECT * FROM frame")


def test_tables_that_are_none_of_ours_are_refused(place: Path, tmp_path: Path) -> None:
    store = open_store(place)
    (piece,) = pieces(store)
    assert piece.tables is not None
    for name, columns in [("sqlite_schema", ["name"]), ("frame", ["no"]), ("meta; DROP TABLE meta", ["k"]), ("x", [])]:
        path = tmp_path / f"{len(name)}.db"
        with pytest.raises(copying.sqlite3.DatabaseError):
            Written(path, piece.version, {**piece.tables, name: copying.Table(columns, [["x"] * len(columns)])})


def test_a_copy_of_nothing_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"), copied(tmp_path / "store.db"):
        pass
