"""The audit: on disk before anything is sent, never changed afterwards, bounded, and shared by processes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from agent.runtime import audit as module
from agent.runtime import audit_file
from agent.runtime.audit import FILE, KEEP, Audit, Claim, Entry, Refusal, Repeated, Who, audit, resting, somebody
from agent.runtime.chain import HEAD

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
        assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, HEAD]
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


def crowded(folder: Path, entries: int) -> None:
    """As if so many had come since the first."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'entry'", (entries - 1,))
        db.commit()


def test_a_full_audit_takes_nothing_more_and_says_what_to_do(book: Audit, tmp_path: Path) -> None:
    book.begin(WHO, entry(), anything, now=0)
    crowded(tmp_path, KEEP)
    last = book.begin(WHO, entry(1), anything, now=1)
    assert (last, book.fill()) == (KEEP, 1.0)
    with pytest.raises(StoreError, match=r"is full: 100,000 entries.*audit --archive FILE"):
        book.begin(WHO, entry(2), anything, now=2)
    book.end(last, "done", 1.0, "", now=3)
    assert [row["new"] for row in book.entries(10)] == [22.0, 1]


def test_what_is_archived_makes_room_and_numbers_and_rates_go_on(book: Audit, tmp_path: Path) -> None:
    book.end(book.begin(WHO, entry(), anything, now=7), "done", 22.0, "", now=8)
    link = book.archive(tmp_path / "old.db", 10)
    assert (book.entries(10), book.fill(), link.n) == ([], 0.0, 2)
    with resting(tmp_path / "old.db") as old:
        assert [row["outcome"] for row in old.entries(10)] == ["done"]
        assert (old.verify().fault, old.verify().last) == ("", link)
    lasts: list[int | None] = []
    assert book.begin(WHO, entry(1), lasts.append, now=9) == 2
    assert (lasts, book.verify().first, book.verify().fault) == ([7], link, "")
    with pytest.raises(StoreError, match="is there already"):
        book.archive(tmp_path / "old.db", 10)


def test_what_is_being_written_is_not_parted_from_its_outcome(book: Audit, tmp_path: Path) -> None:
    """The file with the entry would say for ever that nobody knows, and the outcome stand beside no entry."""
    now = 10**18
    done = book.begin(WHO, entry(1), anything, now=now - 4)
    book.end(done, "done", 1, "", now=now - 3)
    between = book.begin(WHO, entry(2, "other"), anything, now=now - 2)
    under_way = book.begin(WHO, entry(3, "third"), anything, now=now - 1)
    book.end(between, "differs", 9, "", now=now)
    link = book.archive(tmp_path / "old.db", now)
    book.end(under_way, "done", 3, "", now=now + 1)
    with resting(tmp_path / "old.db") as old:
        assert [(row["new"], row["outcome"]) for row in old.entries(10)] == [(1, "done")]
        assert (old.verify().last, old.verify().fault) == (link, "")
    assert [(row["new"], row["outcome"]) for row in book.entries(10)] == [(2, "differs"), (3, "done")]
    assert (book.verify().first, book.verify().fault) == (link, "")


def test_an_entry_whose_writer_is_gone_holds_nothing_up(book: Audit, tmp_path: Path) -> None:
    book.begin(WHO, entry(1), anything, now=0)
    book.archive(tmp_path / "old.db", now=audit_file.UNDER_WAY + 1)
    assert book.fill() == 0.0


def test_an_id_is_taken_once_whoever_opens_the_file(book: Audit, tmp_path: Path) -> None:
    book.begin(WHO, entry(), anything, 0, Claim("platform", "7f3a"))
    with audit(tmp_path) as again, pytest.raises(Repeated, match="7f3a"):
        again.begin(WHO, entry(), anything, 1, Claim("platform", "7f3a"))
    book.begin(WHO, entry(), anything, 1, Claim("other", "7f3a"))
    assert len(book.entries(10)) == 2
    assert [book.known(Claim(sink, "7f3a")) for sink in ("platform", "other", "third")] == [True, True, False]


def test_an_entry_that_is_not_made_takes_no_id(book: Audit) -> None:
    def never(last: int | None) -> None:
        raise LookupError(last)

    with pytest.raises(LookupError):
        book.begin(WHO, entry(), never, 0, Claim("platform", "1"))
    assert not book.known(Claim("platform", "1"))


def test_ids_are_forgotten_when_they_are_old_and_many(book: Audit, tmp_path: Path) -> None:
    book.begin(WHO, entry(), anything, 0, Claim("platform", "first"))
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'claim'", (module.IDS,))
        db.commit()
    book.begin(WHO, entry(), anything, module.REMEMBERED - 1, Claim("platform", "many"))
    assert book.known(Claim("platform", "first"))
    book.begin(WHO, entry(), anything, module.REMEMBERED + 1, Claim("platform", "old"))
    assert not book.known(Claim("platform", "first")) and book.known(Claim("platform", "many"))


def test_of_what_was_turned_away_the_newest_stay_and_no_entry_goes(book: Audit, tmp_path: Path) -> None:
    number = book.begin(WHO, entry(), anything, now=0)
    for at in range(3):
        book.refuse(Refusal(at, "platform", "li", "id", "heating", "setpoint", "99", "forbidden", "no"))
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'refusal'", (module.REFUSALS + 1,))
        db.commit()
    book.refuse(Refusal(9, "platform", "", "", "", "", "", "busy", "more", 17), Claim("platform", "taken"))
    assert [(row["at"], row["count"]) for row in book.refusals(10)] == [(2, 1), (9, 17)]
    assert [row["at"] for row in book.refusals(10, "heating")] == [2]
    assert [row["id"] for row in book.entries(10)] == [number]
    assert book.known(Claim("platform", "taken"))


def test_the_schema_and_the_code_agree() -> None:
    assert f"application_id={audit_file.APPLICATION_ID:#X}".replace("0X", "0x") in audit_file._SCHEMA
    assert f"user_version={audit_file.VERSION};" in audit_file._SCHEMA


def test_a_commit_is_on_the_disk_before_it_is_one(book: Audit) -> None:
    assert book._connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert book._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


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
