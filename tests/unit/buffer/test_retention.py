"""What every sink has leaves the file; what time or room drives out is the oldest, and is written down."""

import sqlite3
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from buffer import retention
from buffer.ledger import Account
from buffer.limits import Limits
from buffer.retention import Share, excess
from buffer.room import SLACK, Memory
from buffer.stats import Space
from buffer.store import Store
from tests.unit.buffer.builders import NOON, SECOND, Hands, frame, frames, look, open_store, schema, seqs

WIDE = schema(tags=100)
HOUR = 3600
NONE_LEFT = 1 << 60  # a reserve that no disk has: the file does not get its full size at the start


def fill(store: Store, count: int, hands: Hands) -> None:
    for _ in range(0, count, 100):
        store.append(frames(100, of=WIDE, ts=hands.wall, mono=hands.mono))


def test_a_frame_leaves_when_the_last_sink_has_it(place: Path) -> None:
    store = open_store(place, sinks=["a", "b"])
    store.append(frames(10))
    store.ack("a", store.read("a", 10))
    store.tend()
    assert store.stats().frames == 10
    store.ack("b", store.read("b", 4))
    store.tend()
    assert store.stats().frames == 6
    assert all(account.balanced for account in store.ledger())


def test_small_purges_wait_and_large_ones_do_not(place: Path, hands: Hands) -> None:
    """A purge costs writes, so what a quiet plant acknowledges is purged every ten seconds."""
    store = open_store(place, hands, sinks=["platform"])
    for left in (0, 5, 10):
        store.append(frames(5))
        store.ack("platform", store.read("platform", 5))
        store.tend()
        assert store.stats().frames == left
    hands.move(11)
    store.tend()
    assert store.stats().frames == 0
    store.append(frames(3000))
    store.ack("platform", store.read("platform", 3000))
    store.tend()
    assert store.stats().frames == 0


def test_a_purge_leaves_what_lies_between(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(10))
    entries = store.read("platform", 10)
    store.ack("platform", [*entries[2:4], *entries[6:8]])
    store.tend()
    assert store.stats().frames == 6
    store.close()
    assert [row[0] for row in look(place, "SELECT seq FROM frame")] == [1, 2, 5, 6, 9, 10]
    again = open_store(place, sinks=["platform"])
    assert again.stats().frames == 6
    assert seqs(again.read("platform", 10)) == [1, 2, 5, 6, 9, 10]


def test_without_any_sink_frames_stay_until_a_limit_is_passed(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, keep=60)
    store.append(frames(10, mono=hands.mono))
    store.tend()
    assert store.stats().frames == 10
    hands.move(61)
    store.tend()
    assert store.stats().frames == 0
    assert store.ledger() == []


def test_what_is_too_old_is_dropped_and_written_down(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a", "b"], keep=60)
    store.append(frames(10, ts=hands.wall, mono=hands.mono))
    store.ack("b", store.read("b", 9))
    hands.move(50)
    store.append(frames(5, ts=hands.wall, mono=hands.mono))
    hands.move(11)
    store.tend()
    assert store.ledger() == [
        Account("a", "meter", read=45, buffered=15, dropped={"age": 30}),
        Account("b", "meter", read=45, delivered=27, buffered=15, dropped={"age": 3}),
    ]
    store.close()
    rows = look(place, "SELECT sink, from_seq, to_seq, frames, samples, t0, t1, reason, at FROM loss ORDER BY sink")
    assert rows == [
        (1, 1, 10, 10, 30, NOON, NOON, "age", hands.wall),
        (2, 10, 10, 1, 3, NOON, NOON, "age", hands.wall),
    ]


def test_an_outage_of_days_is_one_growing_line_in_the_loss_table(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], keep=5)
    for _ in range(20):
        store.append(frames(2, ts=hands.wall, mono=hands.mono))
        hands.move(1)
        store.tend()
    store.close()
    rows = look(place, "SELECT from_seq, to_seq, frames, samples, t0, t1, at FROM loss")
    assert rows == [(1, 30, 30, 90, NOON, NOON + 14 * SECOND, hands.wall)]


@pytest.mark.parametrize("years", [30, -30])
def test_a_jump_of_the_wall_clock_drops_nothing_of_this_boot(place: Path, hands: Hands, years: int) -> None:
    store = open_store(place, hands, sinks=["platform"], keep=HOUR)
    fill(store, 1000, hands)
    hands.wall += years * 365 * 24 * HOUR * SECOND
    store.tend()
    hands.mono += (HOUR - 10) * SECOND
    store.tend()
    assert store.lost() == {}
    assert sum(entry.frame.schema.device != "$gateway" for entry in store.read("platform", 9999)) == 1000
    hands.mono += 20 * SECOND
    store.tend()
    assert {entry.frame.schema.device for entry in store.read("platform", 999)} <= {"$gateway"}


def test_a_jump_of_the_wall_clock_drops_at_most_a_twentieth_per_hour_of_other_boots(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], keep=HOUR, boot="before")
    fill(store, 1000, hands)
    store.close()
    hands.wall += 30 * 365 * 24 * HOUR * SECOND
    hands.mono = 5 * SECOND
    store = open_store(place, hands, sinks=["platform"], keep=HOUR, boot="after")
    left = []
    for _ in range(4):
        store.tend()
        store.tend()
        left.append(store.stats().frames)
        hands.move(HOUR)
    assert left == [1000, 950, 903, 858]


def test_a_restart_brings_no_new_share() -> None:
    """A crash loop with a wrong clock must not empty the store twentieth by twentieth."""
    assert Share(mono=7).left(mono=8, frames=1000) == 0


def test_beyond_its_size_the_store_gives_up_the_oldest(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], max_size=1 << 20)
    fill(store, 3000, hands)
    assert store.stats().bytes > 1 << 20
    store.tend()
    full = store.stats()
    assert 0.85 * (1 << 20) < full.bytes <= 1 << 20
    dropped = 3000 - full.frames
    (account,) = store.ledger()
    assert account == Account("platform", "meter", 300_000, 0, full.frames * 100, {}, {"size": dropped * 100})
    assert seqs(store.read("platform", 1)) == [dropped + 1]


def test_the_file_has_its_full_size_from_the_start(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], max_size=1 << 20)
    sizes = []
    for _ in range(30):
        fill(store, 300, hands)
        store.tend()
        sizes.append(store.stats().file_bytes)
    assert set(sizes) == {(1 << 20) + SLACK}


def test_what_is_delivered_goes_before_what_is_owed(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], max_size=1 << 20)
    store.append(frames(1))
    store.tend()
    fill(store, 3000, hands)
    store.ack("platform", store.read("platform", 2900))
    store.tend()
    assert [account.dropped for account in store.ledger()] == [{}]


@pytest.mark.parametrize(
    ("space", "limits", "expected"),
    [
        (Space(used=90, file=100, free=500), Limits(0, 100, 400), ("", 0)),
        (Space(used=101, file=110, free=500), Limits(0, 100, 400), ("size", 1)),
        (Space(used=50 << 20, file=50 << 20, free=3), Limits(0, 1 << 40, 4), ("reserve", retention.HEADROOM)),
        (Space(used=49 << 20, file=50 << 20, free=3), Limits(0, 1 << 40, 4), ("reserve", 0)),
        (Space(used=7 << 20, file=7 << 20, free=3), Limits(0, 1 << 40, 4), ("reserve", 0)),
        (Space(used=9 << 20, file=9 << 20, free=3), Limits(0, 1 << 40, 4), ("reserve", 1 << 20)),
    ],
)
def test_limits(space: Space, limits: Limits, expected: tuple[str, int]) -> None:
    """While the disk has less than its reserve, the file does not grow, but its newest 8 MB stay."""
    assert excess(space, limits) == expected


def test_a_disk_without_its_reserve_stops_the_file_from_growing(
    place: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FLOOR", 1 << 18)
    monkeypatch.setattr(retention, "HEADROOM", 1 << 18)
    store = open_store(place, hands, sinks=["platform"], reserve=1 << 60)
    fill(store, 3000, hands)
    store.tend()
    size = store.stats().file_bytes
    (account,) = store.ledger()
    assert account.balanced
    assert set(account.dropped) == {"reserve"}
    for _ in range(10):
        fill(store, 200, hands)
        store.tend()
    assert store.stats().file_bytes == size


class NoRoom(Memory):
    """A disk that gives the file so many more pages and then no more."""

    def __init__(self, store: Store, spare: int) -> None:
        self.store_room, self.connection = store._log.room, store._log.connection
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        self.most = pages + spare
        self.take()

    def take(self, need: int = 0) -> bool:
        self.connection.execute(f"PRAGMA max_page_count = {self.most}").fetchone()
        return False

    def close(self) -> None:
        self.store_room.close()


def hold(store: Store, spare: int) -> None:
    """Let the file have only so many more pages, as a full disk would."""
    store._log.room = NoRoom(store, spare)


def test_a_file_that_cannot_grow_makes_room_by_itself(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], reserve=NONE_LEFT)
    fill(store, 1000, hands)
    hold(store, 2)
    for n in range(10):
        store.append(frames(100, of=WIDE, ts=hands.wall, mono=hands.mono))
        assert store.stats().last_seq == 1100 + 100 * n
    (account,) = store.ledger()
    assert account.balanced
    assert account.read == 200_000
    assert account.dropped["full"] > 0
    assert seqs(store.read("platform", 9999))[-1] == 2000


def test_a_file_that_cannot_grow_lets_go_of_what_is_delivered_first(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], reserve=NONE_LEFT)
    fill(store, 1000, hands)
    store.ack("platform", store.read("platform", 900))
    hold(store, 0)
    fill(store, 500, hands)
    assert [account.dropped for account in store.ledger()] == [{}]


def test_a_frame_for_which_no_room_can_be_made_is_refused(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], reserve=NONE_LEFT)
    hold(store, 2)
    with pytest.raises(StoreError, match="disk is full"):
        store.append([frame("x" * 100_000, of=schema(tags=1))])
    assert store.append(frames(1)) == (1, 1)
    assert [(a.read, a.buffered) for a in store.ledger()] == [(3, 3)]


def test_a_purge_that_fails_forgets_nothing(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"])
    store.append(frames(5))
    store.ack("platform", store.read("platform", 3))
    store._log.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        store.tend()
    store._log.connection.execute("PRAGMA query_only = OFF")
    assert store.stats().frames == 5
    hands.move(11)
    store.tend()
    assert store.stats().frames == 2
    assert all(account.balanced for account in store.ledger())


def test_nothing_is_ever_vacuumed(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"])
    fill(store, 1000, hands)
    size = store.stats().file_bytes
    store.ack("platform", store.read("platform", 1000))
    store.tend()
    after = store.stats()
    assert (after.frames, after.file_bytes) == (0, size)
    assert after.bytes < size / 4
    store.close()
    connection = sqlite3.connect(place)
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    connection.close()


def test_limits_that_change_under_an_open_store_hold_at_once(place: Path, hands: Hands) -> None:
    """And they are what the file says of itself when it is opened at rest."""
    store = open_store(place, hands, sinks=["platform"], max_size=64 << 20)
    fill(store, 8000, hands)
    used = store.stats().bytes
    hands.move(2 * HOUR)
    store.append(frames(1, ts=hands.wall, mono=hands.mono))
    store.retention.limit(Limits(keep=1 << 60, max_size=used // 2, reserve=0))
    store.tend()
    assert store.stats().bytes <= used // 2
    assert store.stats().limit == used // 2
    left = store.stats().frames
    store.retention.limit(Limits(keep=HOUR * SECOND, max_size=64 << 20, reserve=0))
    store.tend()
    assert (left > 1, store.stats().frames) == (True, 1)
    fill(store, 8000, hands)
    store.tend()
    assert store.stats().frames == 8001, "more room than before"
    assert all(account.balanced for account in store.ledger())
    store.close()
    (said,) = look(place, "SELECT v FROM meta WHERE k = 'limits'")
    assert str(HOUR * SECOND) in str(said[0])
