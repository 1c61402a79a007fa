"""What the store lost, and when its clock was set, is told north as frames, once, when the sink can hear it."""

from pathlib import Path

from buffer.reports import DEVICE
from buffer.store import Store
from tests.unit.buffer.builders import NOON, SECOND, Hands, frames, look, open_store


def told(store: Store, sink: str) -> list[dict[str, object]]:
    """The reports that a sink is owed, by tag."""
    entries = store.read(sink, 999)
    return [
        {tag.name: value for tag, value, _ in entry.frame.rows()}
        for entry in entries
        if entry.frame.schema.device == DEVICE
    ]


def test_a_loss_is_told_once_its_sink_is_back(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a", "b"], keep=60)
    store.append(frames(10, ts=hands.wall, mono=hands.mono))
    store.ack("b", store.read("b", 10))
    hands.move(61)
    store.tend()
    store.append(frames(2, ts=hands.wall, mono=hands.mono))
    hands.move(2)
    store.tend()
    assert told(store, "a") == told(store, "b") == [], "`a` is still away"
    store.ack("a", store.read("a", 1))
    store.tend()
    hands.move(2)
    store.tend()
    report = {
        "sink": "a",
        "reason": "age",
        "from_seq": 1,
        "to_seq": 10,
        "frames": 10,
        "samples": 30,
        "first_ts": NOON // 10**6,
        "last_ts": NOON // 10**6,
    }
    assert told(store, "a") == told(store, "b") == [report]
    for _ in range(3):
        hands.move(2)
        store.tend()
    assert told(store, "a") == [report]
    assert all(account.balanced for account in store.ledger())
    store.close()
    assert look(place, "SELECT reported FROM loss") == [(13,)]
    again = open_store(place, hands, sinks=["a", "b"], keep=60)
    again.tend()
    assert told(again, "a") == [report]


def test_a_step_of_the_clock_is_told(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a"])
    hands.wall -= 86400 * SECOND
    hands.move(1)
    store.tend()
    hands.move(2)
    store.tend()
    (report,) = told(store, "a")
    assert (report["step_s"], report["synced"]) == (-86400.0, True)
    assert report["before_ts"] == (NOON + SECOND) // 10**6


def test_a_healthy_store_has_nothing_to_tell(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a"])
    for _ in range(5):
        store.append(frames(3, ts=hands.wall, mono=hands.mono))
        store.ack("a", store.read("a", 3))
        hands.move(2)
        store.tend()
    assert store.stats().last_seq == 15
