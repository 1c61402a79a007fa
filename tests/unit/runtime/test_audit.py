"""The audit: on disk before anything is sent, never changed afterwards, bounded, and shared by processes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from agent.runtime import audit as module
from agent.runtime.audit import FILE, KEEP, Audit, Entry, Who, audit, resting, somebody

WHO = Who("wang", 1000, "/dev/pts/3", "ssh 10.0.0.7")


def entry(new: float = 22.0, tag: str = "setpoint", device: str = "heating") -> Entry:
    return Entry(device, "tcp://plc", tag, 21.5, new, "holding 100: 00dc")


def anything(last: int | None) -> None:
    """No rate to keep."""


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Audit]:
    with audit(tmp_path) as found:
        yield found


def test_an_entry_is_in_the_file_before_its_outcome_is_known(book: Audit, tmp_path: Path) -> None:
    number = book.begin(WHO, entry(), anything, now=5)
    with resting(tmp_path) as other:
        (row,) = other.entries(10)
    assert row == {
        "id": number,
        "at": 5,
        "user": "wang",
        "uid": 1000,
        "terminal": "/dev/pts/3",
        "via": "ssh 10.0.0.7",
        "device": "heating",
        "endpoint": "tcp://plc",
        "tag": "setpoint",
        "old": 21.5,
        "new": 22.0,
        "raw": "holding 100: 00dc",
        "outcome": "unknown",
        "found": None,
        "message": "",
    }
    book.end(number, "done", 22.0, "", now=6)
    with resting(tmp_path) as other:
        (row,) = other.entries(10)
    assert (row["outcome"], row["found"]) == ("done", 22.0)


def test_the_newest_are_listed_in_order_and_by_device(book: Audit) -> None:
    for new in range(5):
        book.begin(WHO, entry(new, device="heating" if new % 2 else "press"), anything, now=new)
    assert [row["new"] for row in book.entries(3)] == [2, 3, 4]
    assert [row["new"] for row in book.entries(10, "heating")] == [1, 3]


@pytest.mark.parametrize("value", [True, 2**63, -1.5, "µ\n", None])
def test_every_kind_of_value_comes_back_as_it_was(book: Audit, value: bool | float | str | None) -> None:
    number = book.begin(WHO, Entry("d", "e", "t", value, 1, ""), anything, now=0)
    book.end(number, "differs", value, "why", now=1)
    (row,) = book.entries(1)
    assert (row["old"], row["found"], type(row["old"])) == (value, value, type(value))


def test_a_value_that_json_does_not_have_is_kept_as_its_name(book: Audit) -> None:
    book.begin(WHO, Entry("d", "e", "t", float("nan"), 1, ""), anything, now=0)
    assert book.entries(1)[0]["old"] == "nan"


def test_who_is_not_allowed_leaves_no_entry(book: Audit) -> None:
    def never(last: int | None) -> None:
        raise LookupError(last)

    book.begin(WHO, entry(), anything, now=7)
    with pytest.raises(LookupError, match="7"):
        book.begin(WHO, entry(), never, now=8)
    with pytest.raises(LookupError, match="None"):
        book.begin(WHO, entry(tag="other"), never, now=8)
    assert len(book.entries(10)) == 1


def test_of_many_writers_at_once_only_one_is_the_first(tmp_path: Path) -> None:
    """The rate holds across processes: whoever comes second sees the first."""
    firsts: list[int] = []

    def first(last: int | None) -> None:
        if last is None:
            firsts.append(1)

    def run() -> None:
        with audit(tmp_path) as book:
            book.begin(WHO, entry(), first, now=1)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(firsts) == 1


@pytest.mark.parametrize(
    "statement",
    ["UPDATE entry SET user = 'li'", "UPDATE outcome SET outcome = 'done'", "DELETE FROM entry", "DELETE FROM outcome"],
)
def test_what_is_written_is_not_changed(book: Audit, tmp_path: Path, statement: str) -> None:
    book.end(book.begin(WHO, entry(), anything, now=0), "refused", None, "no", now=1)
    with closing(sqlite3.connect(tmp_path / FILE)) as db, pytest.raises(sqlite3.IntegrityError, match="not changed"):
        db.execute(statement)


def test_an_outcome_that_cannot_be_kept_does_not_say_that_nothing_was_sent(book: Audit, tmp_path: Path) -> None:
    number = book.begin(WHO, entry(), anything, now=0)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("DROP TABLE outcome")
    with pytest.raises(StoreError, match="the device was asked all the same and the outcome was done") as error:
        book.end(number, "done", 22.0, "", now=1)
    assert "nothing is written" not in str(error.value)


def test_looking_waits_for_no_writer(book: Audit, tmp_path: Path) -> None:
    book.begin(WHO, entry(), anything, now=0)
    with closing(sqlite3.connect(tmp_path / FILE)) as db, resting(tmp_path) as other:
        db.execute("BEGIN IMMEDIATE")
        assert len(other.entries(10)) == 1


def test_looking_needs_no_room_and_leaves_nothing(tmp_path: Path) -> None:
    with audit(tmp_path) as book:
        book.begin(WHO, entry(), anything, now=0)
    before = (tmp_path / FILE).read_bytes()
    with resting(tmp_path) as other:
        assert [path.name for path in tmp_path.iterdir()] == [FILE]
        assert len(other.entries(10)) == 1
    assert (tmp_path / FILE).read_bytes() == before
    (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(StoreError, match="no audit that this version knows"), resting(tmp_path):
        pass
    assert (tmp_path / FILE).read_bytes() == b""


def test_a_value_that_was_damaged_is_an_error(book: Audit, tmp_path: Path) -> None:
    book.begin(WHO, entry(), anything, now=0)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("DROP TRIGGER entry_stays")
        db.execute("UPDATE entry SET new = '{'")
        db.commit()
    with pytest.raises(StoreError, match="is it damaged"):
        book.entries(1)


def test_an_outcome_is_said_once(book: Audit) -> None:
    number = book.begin(WHO, entry(), anything, now=0)
    book.end(number, "unknown", None, "", now=1)
    with pytest.raises(StoreError):
        book.end(number, "done", 1, "", now=2)


def test_the_oldest_go_when_there_are_too_many(book: Audit, tmp_path: Path) -> None:
    first = book.begin(WHO, entry(), anything, now=0)
    book.end(first, "done", 22.0, "", now=0)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:  # as if many had come since
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'entry'", (first + KEEP - 1,))
        db.commit()
    book.begin(WHO, entry(1), anything, now=1)
    assert [row["new"] for row in book.entries(10)] == [1]


def test_the_schema_and_the_code_agree_on_the_bound() -> None:
    assert module._SCHEMA.count(f"- {KEEP}\n") == 2
    assert f"application_id={module.APPLICATION_ID:#X}".replace("0X", "0x") in module._SCHEMA


def test_the_file_is_for_its_owner_only(book: Audit, tmp_path: Path) -> None:
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one" * 100, None])
def test_a_file_of_somebody_else_is_an_error_and_stays_as_it_is(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / FILE
    if content is None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE theirs (x)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"audit\.db"), audit(tmp_path):
        pass
    assert content is None or path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="without it nothing is written"), audit(tmp_path / "file" / "data"):
        pass


def test_looking_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no audit"), resting(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_somebody_has_a_name() -> None:
    assert somebody().user


def test_bytes_of_a_device_that_are_no_text_are_no_reason_to_fail(book: Audit) -> None:
    """They stood there before, or a method gave them back: the write is on record all the same."""
    number = book.begin(WHO, Entry("press", "opc.tcp://p", "name", "T\udcfcr", "door", "s=\udcfc"), anything, now=5)
    book.end(number, "done", "T\udcfcr", "said \udcfc", now=6)
    (row,) = book.entries(1)
    assert (row["raw"], row["found"], row["message"]) == (r"s=\udcfc", "T\udcfcr", r"said \udcfc")
