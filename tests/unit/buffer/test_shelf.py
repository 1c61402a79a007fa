"""Frames are looked at page by page, and nothing in the store changes by that."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.clock import SYSTEM
from agent.model.errors import StoreError
from agent.model.frame import Entry
from buffer import shelf
from buffer.ranges import Ranges
from buffer.rest import reopened, resting
from buffer.schemas import key_of
from buffer.shelf import ENDLESS, SMALL, Opener, Page, Pick, Shelf
from buffer.store import Store
from tests.unit.buffer.builders import NOON, SECOND, Hands, change, frame, frames, look, open_store, schema

ALL = Pick()


def filled(place: Path, count: int = 10) -> Store:
    store = open_store(place, sinks=["a", "b"])
    store.append(frames(count))
    return store


def walk(turn: Callable[[int, Pick], Page], pick: Pick = ALL, start: int = 0) -> list[Page]:
    pages = [turn(start, pick)]
    while pages[-1].left:
        pages.append(turn(pages[-1].cursor, pick))
    return pages


def seqs(pages: list[Page]) -> list[int]:
    return [row.seq for page in pages for row in page.rows]


def opened(shelf_: Shelf, page: Page) -> list[Entry | None]:
    return Opener(shelf_.schemas).open(page)


def test_pages_follow_one_another_in_both_directions(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MOST", 4)
    store = filled(place)
    forth = walk(store.shelf.after)
    assert [len(page.rows) for page in forth] == [4, 4, 2]
    assert [page.left for page in forth] == [6, 2, 0]
    assert seqs(forth) == list(range(1, 11))
    back = walk(store.shelf.before, start=ENDLESS)
    assert [[row.seq for row in page.rows] for page in back] == [[7, 8, 9, 10], [3, 4, 5, 6], [1, 2]]
    assert seqs(walk(store.shelf.after, Pick(until=3))) == [1, 2, 3]
    assert seqs([store.shelf.before(ENDLESS, Pick(until=5))]) == [2, 3, 4, 5]


def test_a_page_is_bounded_by_bytes_too_but_never_empty(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MOST_BYTES", 10)
    assert [len(page.rows) for page in walk(filled(place, 3).shelf.after)] == [1, 1, 1]


def test_a_page_is_bounded_by_time_too_but_never_empty(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_LONGEST", 0.0)
    assert [len(page.rows) for page in walk(filled(place, 3).shelf.after)] == [1, 1, 1]


def test_an_empty_store_has_one_empty_page(place: Path) -> None:
    store = filled(place, 0)
    assert store.shelf.after(0, ALL) == store.shelf.before(ENDLESS, ALL) == Page([], [], 0, 0)


def test_a_frame_comes_back_as_it_went_in(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    kept = [frame(1.5, 2, None, ts=7), frame("", True, 3.25, of=schema("press"))]
    store.append(kept)
    entries = opened(store.shelf, store.shelf.after(0, ALL))
    for seq, (entry, one) in enumerate(zip(entries, kept, strict=True), 1):
        assert entry is not None
        assert key_of(entry.frame.schema) == key_of(one.schema)
        assert entry == Entry(store.epoch, seq, history=False, frame=replace(one, schema=entry.frame.schema))


def test_what_a_sink_is_owed_and_what_it_refused_can_be_picked(place: Path) -> None:
    store = filled(place)
    entries = store.read("a", 10)
    store.ack("a", entries[:3])
    store.set_aside("a", [entries[5], entries[8]], "too strange")
    assert seqs([store.shelf.after(0, Pick("a"))]) == [4, 5, 7, 8, 10]
    page = store.shelf.after(0, Pick("a", aside=True))
    assert (seqs([page]), page.refused) == ([6, 9], {6: "too strange", 9: "too strange"})
    store.close()
    with resting(place) as rest:
        assert rest.shelf.after(0, Pick("a", aside=True)) == page
        assert seqs([rest.shelf.after(0, Pick("b"))]) == list(range(1, 11))


def test_the_frames_of_one_device_can_be_picked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of others cost no place on a page, and none of them is taken to be missing."""
    monkeypatch.setattr(shelf, "_MOST", 2)
    store = open_store(place, sinks=["a"])
    store.append([*frames(5), *frames(3, of=schema("press")), *frames(5)])
    pages = walk(store.shelf.after, Pick(device="press"))
    assert ([len(page.rows) for page in pages], seqs(pages)) == ([2, 1], [6, 7, 8])
    assert [page.missing for page in pages] == [[], []]
    assert store.shelf.before(ENDLESS, Pick(device="nobody")) == Page([], [], 1, 0)


def test_a_sink_that_is_not_known_is_an_error_that_names_those_that_are(place: Path) -> None:
    with pytest.raises(StoreError, match=r"knows no sink 'c' \(it knows a, b\)"):
        filled(place).shelf.after(0, Pick("c"))


def test_looking_changes_nothing(place: Path) -> None:
    """Not even for a frame that is damaged: whoever sends it finds out, and counts it then."""
    filled(place).close()
    change(place, "UPDATE frame SET body = zeroblob(9) WHERE seq = 4")
    change(place, "DELETE FROM frame WHERE seq = 6")
    before = {path: path.read_bytes() for path in place.parent.iterdir()}
    with resting(place) as rest:
        page = rest.shelf.after(0, ALL)
        assert [entry is None for entry in opened(rest.shelf, page)] == [
            seq == 4 for seq in (1, 2, 3, 4, 5, 7, 8, 9, 10)
        ]
        assert page.missing == [(6, 6)]
        assert rest.check(lambda: None) == []
    assert {path: path.read_bytes() for path in place.parent.iterdir()} == before
    store = open_store(place, sinks=["a", "b"])
    assert len(store.shelf.after(0, ALL).rows) == 9
    assert (store.owed("a"), store.lost()) == (10, {})


def test_rows_whose_columns_are_of_another_type_are_damaged_and_no_more(place: Path) -> None:
    filled(place, 4).close()
    for seq, column in enumerate(("epoch", "schema", "ts", "n"), 1):
        change(place, f"UPDATE frame SET {column} = 'x' WHERE seq = ?", seq)
    with resting(place) as rest:
        assert opened(rest.shelf, rest.shelf.after(0, ALL)) == [None] * 4


def test_a_stamp_of_a_clock_that_was_wrong_is_put_right(place: Path) -> None:
    """The file keeps what was stamped; who looks at it sees when it was."""
    hands = Hands(wall=5 * SECOND, mono=100 * SECOND)
    store = open_store(place, hands, sinks=["a"])
    store.append(frames(1, ts=hands.wall, mono=hands.mono))
    hands.move(1)
    hands.wall = NOON
    store.tend()
    store.close()
    with resting(place) as rest:
        (row,) = rest.shelf.after(0, ALL).rows
        assert (row.ts, row.right, row.clock) == (5 * SECOND, NOON - SECOND, "corrected")
        (entry,) = opened(rest.shelf, rest.shelf.after(0, ALL))
    assert entry is not None and (entry.frame.ts, entry.clock) == (NOON - SECOND, "corrected")


def test_a_frame_whose_schema_is_gone_is_damaged(place: Path) -> None:
    filled(place, 1).close()
    change(place, "DELETE FROM schema")
    with resting(place) as rest:
        assert opened(rest.shelf, rest.shelf.after(0, ALL)) == [None]


def test_small_tables_are_checked_one_by_one(place: Path) -> None:
    store = filled(place)
    assert [store.shelf.check(table) for table in SMALL] == [[]] * len(SMALL)
    store.close()
    known = {name for (name,) in look(place, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert set(SMALL) == {name for name in known if not str(name).startswith(("sqlite_", "_"))} - {"frame"}


def test_the_file_says_how_full_it_is_when_nobody_has_it_open(place: Path) -> None:
    store = filled(place)
    at_work = store.stats()
    store.close()
    with resting(place) as rest:
        at_rest = rest.stats()
    assert (at_rest.limit, at_rest.frames, at_rest.owed) == (at_work.limit, 10, {"a": 10, "b": 10})
    assert 0 < at_rest.room <= at_rest.limit - at_rest.bytes


def test_an_agent_that_starts_while_the_file_is_read_is_noticed(place: Path) -> None:
    filled(place).close()
    reading = resting(place)
    reading.__enter__().shelf.after(0, ALL)
    open_store(place, sinks=["a"]).append(frames(1))
    with pytest.raises(StoreError, match="opened by an agent while it was read"):
        reading.__exit__(None, None, None)


def test_a_store_at_rest_is_reopened_as_the_agent_left_it(place: Path) -> None:
    """The same limits, and new frames are owed to the same sinks."""
    store = open_store(place, sinks=["gone", "here"], max_size=8 << 20, keep=60.0, reserve=1 << 20)
    store.attach(["here"])
    store.close()
    with reopened(place, "boot-1", SYSTEM) as store:
        assert store.stats().limit == 8 << 20
        store.append(frames(2))
        assert (store.owed("gone"), store.owed("here")) == (0, 2)
    with resting(place) as rest:
        assert rest.stats().owed == {"gone": 0, "here": 2}
        assert rest._log.limits is not None
        assert (rest._log.limits.keep, rest._log.limits.reserve) == (60 * SECOND, 1 << 20)


def test_the_range_below_a_number_is_found() -> None:
    ranges = Ranges([(3, 5), (9, 9)])
    assert [ranges.before(seq) for seq in (1, 3, 4, 6, 9, 10)] == [None, None, (3, 3), (3, 5), (3, 5), (9, 9)]


def test_frames_are_found_by_their_time(place: Path) -> None:
    """Also where some are gone, and beyond both ends."""
    store = open_store(place, sinks=["a"])
    store.append([frame(ts=NOON + n * SECOND) for n in range(100)])
    store.ack("a", store.read("a", 30))
    store.tend()
    first = min(store.shelf.after(0, ALL).rows).seq
    assert [store.shelf.since(NOON + n * SECOND) for n in (40, 99, 100)] == [41, 100, 101]
    assert store.shelf.since(NOON + 40 * SECOND + 1) == 42
    assert store.shelf.since(0) <= first
    assert open_store(place.with_name("empty.db"), sinks=["a"]).shelf.since(NOON) == 1


def test_what_is_owed_of_a_range_is_counted(place: Path) -> None:
    store = filled(place)
    store.ack("a", store.read("a", 3, after=2))
    assert [store.shelf.owed("a", *span) for span in ((1, 10), (3, 5), (5, 6), (11, 20))] == [7, 0, 1, 0]
    with pytest.raises(StoreError, match="knows no sink"):
        store.shelf.owed("nobody", 1, 2)
