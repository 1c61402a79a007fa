"""S23, the chain of the audit: what is changed, taken out, moved or cut off is found, and the first of it is named."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from agent.runtime.audit import FILE, Entry, Who, audit, resting
from agent.runtime.audit_file import COLUMNS
from agent.runtime.chain import HEAD, START, Link, Row, advance, follow, read_head, verify

WHO = Who("wang", 1000)
TRIGGERS = ("entry_stays", "outcome_stays", "entry_kept", "outcome_kept")
VERSION_1 = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, user TEXT NOT NULL, uid INTEGER NOT NULL,
    terminal TEXT NOT NULL, via TEXT NOT NULL, device TEXT NOT NULL, endpoint TEXT NOT NULL, tag TEXT NOT NULL,
    old TEXT, new TEXT NOT NULL, raw TEXT NOT NULL) STRICT;
CREATE INDEX entry_tag ON entry (device, tag, id);
CREATE TABLE outcome (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, outcome TEXT NOT NULL, found TEXT, message TEXT NOT NULL) STRICT;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER outcome_stays BEFORE UPDATE ON outcome BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry WHEN OLD.id > (SELECT max(id) FROM entry) - 100000
BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER outcome_kept BEFORE DELETE ON outcome WHEN OLD.id > (SELECT max(id) FROM entry) - 100000
BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
PRAGMA application_id=0x464C4741;
PRAGMA user_version=1;
"""


def filled(folder: Path, entries: int = 5, new: int = 0) -> None:
    """Entries 1 to n, each with its outcome, but the last."""
    with audit(folder) as book:
        for number in range(1, entries + 1):
            book.begin(WHO, Entry("d", "e", "t", None, number + new, "raw"), lambda last: None, now=number)
            if number < entries:
                book.end(number, "done", number, "", now=number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(tmp_path)
    return tmp_path


def tampered(folder: Path, *statements: str) -> str:
    """What is found after somebody with the file and sqlite3 was there."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        for name in TRIGGERS:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        db.commit()
    return fault(folder)


def fault(folder: Path) -> str:
    with resting(folder) as book:
        return book.verify().fault


def test_a_chain_as_it_was_written_fits(folder: Path) -> None:
    with resting(folder) as book:
        found = book.verify()
    assert (found.fault, found.rows, found.first, found.last.n) == ("", 9, START, 9)
    assert read_head(folder) == found.last


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE entry SET user = 'li' WHERE id = 3", "row 5 (entry 3): does not fit"),
        ("UPDATE entry SET new = '99' WHERE id = 5", "row 9 (entry 5): does not fit"),
        ("UPDATE entry SET old = 'null' WHERE id = 1", "row 1 (entry 1): does not fit"),
        ("UPDATE outcome SET outcome = 'done', found = '4.0' WHERE id = 4", "row 8 (outcome 4): does not fit"),
        ("UPDATE outcome SET hash = zeroblob(32) WHERE id = 2", "row 4 (outcome 2): does not fit"),
        ("DELETE FROM entry WHERE id = 3", "row 6 (outcome 3): row 5 is missing before it"),
        ("DELETE FROM outcome WHERE id = 1", "row 3 (entry 2): row 2 is missing before it"),
        ("DELETE FROM entry WHERE id = 1", "row 2 (outcome 1): row 1 is missing before it"),
        ("DELETE FROM entry WHERE id = 5", "after row 8: rows up to 9 are missing at the end"),
        ("UPDATE entry SET n = 100 WHERE id = 2", "row 4 (outcome 2): row 3 is missing before it"),
        ("UPDATE base SET n = 2", "row 1 (entry 1): row 3 is missing before it"),
        ("INSERT INTO outcome VALUES (5, 5, 'done', '5', '', 10, zeroblob(32))", "row 10 (outcome 5): does not fit"),
    ],
)
def test_what_was_changed_is_named(folder: Path, statement: str, said: str) -> None:
    assert said in tampered(folder, statement)


def test_two_rows_that_changed_places_are_found(folder: Path) -> None:
    swap = (
        "UPDATE entry SET n = -1 WHERE id = 2",
        "UPDATE entry SET n = 3 WHERE id = 3",
        "UPDATE entry SET n = 5 WHERE id = 2",
    )
    assert "row 3 (entry 3): does not fit" in tampered(folder, *swap)


def test_a_chain_that_was_made_anew_does_not_fit_its_head(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Somebody writes the whole file again, with other values and right links, and forgets the second file."""
    other = tmp_path_factory.mktemp("other")
    filled(other, new=100)
    assert fault(other) == ""
    (folder / FILE).write_bytes((other / FILE).read_bytes())
    assert fault(folder).startswith("row 9: audit.head knows another one")


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"n": 1}', b'{"n": "x", "hash": "zz"}', b"\xff" * 10])
def test_without_the_second_file_the_end_is_in_doubt(folder: Path, content: bytes | None) -> None:
    (folder / HEAD).unlink()
    if content is not None:
        (folder / HEAD).write_bytes(content)
    assert "after row 9: audit.head is missing or damaged" in fault(folder)


def test_a_file_that_is_older_than_its_head_was_put_back(folder: Path) -> None:
    before = (folder / FILE).read_bytes()
    with audit(folder) as book:
        book.end(5, "done", 5, "", now=5)
    (folder / FILE).write_bytes(before)
    assert "after row 9: rows up to 10 are missing at the end" in fault(folder)


def test_a_process_that_ended_before_it_noted_the_head_has_broken_nothing(folder: Path) -> None:
    head = (folder / HEAD).read_bytes()
    with audit(folder) as book:
        book.end(5, "done", 5, "", now=5)
    (folder / HEAD).write_bytes(head)
    assert fault(folder) == ""
    with audit(folder) as book:
        book.begin(WHO, Entry("d", "e", "t", None, 6, "raw"), lambda last: None, now=6)
    assert read_head(folder) is not None and fault(folder) == ""


def test_another_hash_in_the_head_is_a_chain_that_was_made_anew(folder: Path) -> None:
    (folder / HEAD).write_text('{"n": 4, "hash": "00"}')
    assert "row 4: audit.head knows another one" in fault(folder)


def test_the_head_never_goes_back_and_has_always_its_size(tmp_path: Path) -> None:
    for n in (1, 10**15, 3):
        advance(tmp_path, Link(n, bytes(32)))
    assert read_head(tmp_path) == Link(10**15, bytes(32))
    assert (tmp_path / HEAD).stat().st_size == 160
    assert (tmp_path / HEAD).stat().st_mode & 0o777 == 0o600


def test_whatever_byte_of_whatever_row_is_changed_the_row_is_found() -> None:
    """A thousand random rows, one value of one of them changed in one place."""
    luck = random.Random(7)
    rows = list(_made(luck, 40))
    last = rows[-1].link
    assert verify(START, rows, last).fault == ""
    for _ in range(1000):
        at = luck.randrange(len(rows))
        row = rows[at]
        content = list(row.content)
        column = luck.randrange(len(content))
        content[column] = luck.choice([None, 0, "", f"{content[column]} ", luck.randrange(2**40)])
        if tuple(content) == row.content:
            continue
        changed = [*rows[:at], row._replace(content=tuple(content)), *rows[at + 1 :]]
        assert verify(START, changed, last).fault.startswith(f"row {at + 1} ")


def test_no_two_contents_have_one_hash_because_they_are_cut_differently() -> None:
    assert follow(START, "entry", ("ab", "c")) != follow(START, "entry", ("a", "bc"))
    assert follow(START, "entry", ("1",)) != follow(START, "entry", (1,))
    assert follow(START, "entry", (None,)) != follow(START, "entry", ("null",))
    assert follow(START, "entry", ("a",)) != follow(START, "outcome", ("a",))


def _made(luck: random.Random, count: int) -> Iterator[Row]:
    at = START
    for number in range(count):
        content = (number, luck.randrange(2**62), luck.choice(["", "x", "料", '"']), None)
        at = follow(at, "entry", content)
        yield Row("entry", number, at, content)


def unchained(folder: Path, entries: int) -> list[dict[str, object]]:
    """An audit of the version before, and what it says."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.executescript(VERSION_1)
        for number in range(1, entries + 1):
            row = (number, number, "wang", 1, "", "", "d", "e", f"t{number % 2}", None, "1.5", "raw")
            db.execute(f"INSERT INTO entry VALUES ({', '.join('?' * 12)})", row)
            if number % 3:
                db.execute("INSERT INTO outcome VALUES (?, 1, 'done', '1.5', '')", (number,))
        db.commit()
    with resting(folder) as book:
        with pytest.raises(StoreError, match="the next write makes it a chain"):
            book.verify()
        return book.entries(1000)


def test_an_audit_of_the_version_before_becomes_a_chain_and_says_the_same(tmp_path: Path) -> None:
    before = unchained(tmp_path, 20)
    with audit(tmp_path) as book:
        assert book.entries(1000) == before
        assert (book.verify().fault, book.verify().rows) == ("", 34)
        lasts: list[int | None] = []
        assert book.begin(WHO, Entry("d", "e", "t1", None, 6, "raw"), lasts.append, now=99) == 21
        assert lasts == [19]
    assert fault(tmp_path) == ""
    with closing(sqlite3.connect(tmp_path / FILE)) as db, pytest.raises(sqlite3.IntegrityError, match="not changed"):
        db.execute("DELETE FROM entry")


def test_an_empty_audit_of_the_version_before_becomes_a_chain_too(tmp_path: Path) -> None:
    unchained(tmp_path, 0)
    with audit(tmp_path) as book:
        assert (book.verify().fault, book.verify().rows) == ("", 0)


def test_a_taking_over_that_is_broken_off_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = unchained(tmp_path, 20)
    monkeypatch.setitem(COLUMNS, "outcome", ("id", "nonsense"))
    with pytest.raises(StoreError), audit(tmp_path):
        pass
    monkeypatch.undo()
    with audit(tmp_path) as book:
        assert book.entries(1000) == before


def test_rows_of_several_writers_are_one_chain(tmp_path: Path) -> None:
    with audit(tmp_path) as one, audit(tmp_path) as two:
        for number, book in enumerate([one, two] * 10, 1):
            book.begin(WHO, Entry("d", "e", "t", None, number, "raw"), lambda last: None, now=number)
    assert fault(tmp_path) == ""
