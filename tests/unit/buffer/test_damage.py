"""A damaged row is noticed, counted and passed over; its neighbours are delivered."""

import random
from pathlib import Path

import pytest

from agent.model.errors import Damaged
from buffer.codec import encode
from buffer.ledger import Account
from buffer.rest import peek_ledger
from buffer.store import Store
from tests.lengths import often
from tests.unit.buffer.builders import OPENED, Hands, change, frames, look, open_store, schema, seqs


def damaged(place: Path, statement: str) -> Store:
    """A store of ten frames for two sinks, at rest when someone changed it."""
    store = open_store(place, sinks=["a", "b"])
    store.append(frames(10))
    store.close()
    change(place, statement)
    return open_store(place, sinks=["a", "b"])


@pytest.mark.parametrize(
    "what",
    [
        "body = CAST(x'02' || substr(body, 2) AS BLOB)",
        "body = CAST(substr(body, 1, length(body) - 1) AS BLOB)",
        "body = x''",
        "body = 'text'",
        "body = (SELECT body FROM frame WHERE seq = 5)",
        "crc = crc + 1",
        "crc = 'x'",
        "ts = ts + 1",
        "ts = 1.5",
        "mono = mono - 1",
        "mono = 'x'",
        "epoch = 99",
        "epoch = 'x'",
    ],
)
def test_a_frame_that_does_not_match_its_checksum_is_never_handed_out(place: Path, what: str) -> None:
    store = damaged(place, f"UPDATE frame SET {what} WHERE seq = 4")
    assert seqs(store.read("a", 5)) == [1, 2, 3, 5, 6]
    assert [account for account in store.ledger() if account.balanced] == [
        Account("a", "meter", read=30, buffered=27, dropped={"corrupt": 3}),
        Account("b", "meter", read=30, buffered=27, dropped={"corrupt": 3}),
    ]
    assert seqs(store.read("b", 10)) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    store.close()
    rows = look(place, "SELECT sink, from_seq, to_seq, frames, samples, reason FROM loss")
    assert rows == [(1, 4, 4, 1, 3, "corrupt"), (2, 4, 4, 1, 3, "corrupt")]


@pytest.mark.parametrize("what", ["n = 4", "n = -1", "n = 'x'", "schema = 77", "schema = 'x'"])
def test_damage_to_what_is_counted_shows_as_an_account_that_does_not_add_up(place: Path, what: str) -> None:
    store = damaged(place, f"UPDATE frame SET {what} WHERE seq = 4")
    assert seqs(store.read("a", 10)) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    (account,) = [a for a in store.ledger() if (a.sink, a.device) == ("a", "meter")]
    assert (account.balanced, account.buffered) == (False, 27)


def test_a_frame_in_the_wrong_place_is_noticed(place: Path) -> None:
    store = damaged(place, "UPDATE frame SET seq = 20 WHERE seq = 10")
    assert seqs(store.read("a", 20)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_row_that_is_gone_is_a_loss_and_no_riddle_for_ever(place: Path) -> None:
    store = damaged(place, "DELETE FROM frame WHERE seq IN (3, 4, 9)")
    assert seqs(store.read("a", 20)) == [1, 2, 5, 6, 7, 8, 10]
    assert store.owed("a") == store.owed("b") == 7
    assert [account.missing for account in store.ledger()] == [9, 9]
    store.close()
    assert look(place, "SELECT from_seq, to_seq, frames, samples, reason FROM loss WHERE sink = 1") == [
        (3, 4, 2, 0, "missing"),
        (9, 9, 1, 0, "missing"),
    ]


def test_damaged_tags_cost_the_frames_of_their_group_only(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append([*frames(2), *frames(2, of=schema("press"))])
    store.close()
    change(place, "UPDATE schema SET tags = '[{' WHERE device = 'press' AND id > 0")
    assert seqs(open_store(place).read("platform", 9)) == [1, 2, 3, 4], "each row stands twice"
    OPENED.pop().close()
    change(place, "UPDATE schema SET tags = '[{' WHERE device = 'press'")
    again = open_store(place, sinks=["platform"])
    assert seqs(again.read("platform", 9)) == [1, 2]
    assert {a.device: a.dropped for a in again.ledger()} == {"meter": {}, "press": {}, "schema 2": {"corrupt": 6}}


def test_a_run_of_which_one_row_is_damaged_is_read_by_its_copy(place: Path) -> None:
    store = damaged(place, "UPDATE epoch SET eid = x'0011223344556677' WHERE id = 1")
    assert seqs(store.read("a", 20)) == list(range(1, 11))


@pytest.mark.parametrize("change_", ["debt = '[[4,10]]'", "acked = acked + 1", "aside = '[[1,1]]'", "name = 'x'"])
def test_a_changed_account_of_a_sink_is_noticed(place: Path, change_: str) -> None:
    """A debt that has lost a range would be a loss that nobody hears of."""
    with pytest.raises(Damaged, match="does not match its checksum"):
        damaged(place, f"UPDATE sink SET {change_} WHERE id = 1")


def test_one_flipped_bit_in_a_body_costs_that_frame_and_no_other(place: Path) -> None:
    store = open_store(place, sinks=["platform"], max_size=1 << 20)
    given = frames(50, of=schema(tags=20))
    store.append(given)
    store.close()
    sound = place.read_bytes()
    dice = random.Random(7)
    for _ in range(often(8, 200)):
        hit = dice.randrange(50)
        body = encode(given[hit])
        flipped = bytearray(body)
        flipped[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
        assert body in sound
        place.write_bytes(sound.replace(body, flipped))
        again = open_store(place, sinks=["platform"], max_size=1 << 20)
        entries = again.read("platform", 100)
        assert seqs(entries) == [seq for seq in range(1, 51) if seq != hit + 1]
        assert all(entry.frame.values == given[entry.seq - 1].values for entry in entries)
        assert all(account.balanced for account in again.ledger())
        again.close()


def test_the_ledger_at_rest_survives_rows_that_make_no_sense(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(2))
    store.close()
    change(place, "UPDATE frame SET schema = 9 WHERE seq = 1")
    assert [(a.device, a.read, a.buffered) for a in peek_ledger(place)] == [("meter", 6, 3), ("schema 9", 0, 3)]


NO_TEXT = b"\x80\xff"  # what a flipped bit makes of a blob's type: text that is not UTF-8


@pytest.mark.parametrize("column", ["body", "ts", "mono", "crc", "epoch"])
def test_text_that_is_not_unicode_costs_its_frame_and_does_not_stop_the_sink(place: Path, column: str) -> None:
    """SQLite's own reading of it raises an error for the whole query."""
    store = damaged(place, f"UPDATE frame SET {column} = CAST(x'{NO_TEXT.hex()}' AS TEXT) WHERE seq = 4")
    assert seqs(store.read("a", 10)) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert [account.balanced for account in store.ledger()] == [True, True]


@pytest.mark.parametrize("value", ["x''", "'soon'", "1e300"])
@pytest.mark.parametrize("column", ["ts", "mono", "n", "schema", "epoch"])
def test_housekeeping_and_ledger_outlive_a_row_that_makes_no_sense(place: Path, column: str, value: str) -> None:
    """The damaged frame is the oldest: by age and by size it goes like any other, and so do those behind it."""
    hands = Hands()
    store = open_store(place, hands, sinks=["a"])
    store.append(frames(10, mono=hands.mono))
    store.close()
    change(place, f"UPDATE frame SET {column} = {value} WHERE seq = 1")
    hands.move(90_000)
    again = open_store(place, hands, sinks=["a"])
    again.ledger()
    again.tend()
    assert (again.owed("a"), again.stats().frames) in [(0, 0), (1, 1)], "unreadable, it may stay behind alone"
    assert again.append(frames(1)) == (11, 11)
    at_work = again.ledger()
    again.close()
    assert peek_ledger(place) == at_work


@pytest.mark.parametrize("column", ["sink", "device", "samples"])
def test_housekeeping_and_ledger_outlive_an_account_that_makes_no_sense(place: Path, column: str) -> None:
    store = damaged(place, f"UPDATE ledger SET {column} = x'00' WHERE what = 'read' AND sink = 1")
    store.tend()
    assert not all(account.balanced for account in store.ledger())
