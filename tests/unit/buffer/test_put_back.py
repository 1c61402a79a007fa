"""What was taken out can be put back: owed to every sink, as history, and never at the cost of what is there."""

from pathlib import Path

import msgspec
import pytest

from agent.model.errors import StoreError
from agent.model.frame import Frame
from buffer.parcel import pack, unpack
from buffer.schemas import key_of
from tests.unit.buffer.builders import NOON, SECOND, Hands, frame, frames, open_store, schema, seqs

PRESS = schema("press", tags=1, dtype="str")


def test_frames_travel_with_each_schema_once() -> None:
    sent = [frame(1.5, None, 3, ts=7), frame("x", of=PRESS), Frame(PRESS, 9, (), b"", 5, (), ())]
    parcel = pack([*sent, *frames(100)])
    assert len(parcel) < 100 * 60
    found = unpack(parcel)
    for one, other in zip(sent, found, strict=False):
        assert key_of(one.schema) == key_of(other.schema)
        assert (other.ts, other.values, other.columns, other.mono) == (one.ts, one.values, one.columns, 0)
    assert found[0].schema is found[3].schema is unpack(parcel)[0].schema


@pytest.mark.parametrize(
    "parcel",
    [
        b"",
        b"\x00",
        msgspec.msgpack.encode(([], [(0, 1, 1, b"\x01")])),
        msgspec.msgpack.encode(([("d", "g", b"[]", 1.0)], [(-1, 1, 1, b"\x01")])),
        msgspec.msgpack.encode(([("d", "g", b"{", 1.0)], [])),
        msgspec.msgpack.encode(([("d", "g", b"[]", 1.0)], [(0, 1, 1, b"\x07")])),
    ],
)
def test_what_is_no_parcel_is_refused(parcel: bytes) -> None:
    with pytest.raises(ValueError, match=r"parcel|schema|tags|frame|columns"):
        unpack(parcel)


def test_frames_that_are_put_back_are_owed_to_all_sinks_under_new_numbers(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a", "b"])
    store.append(frames(3))
    for sink in ("a", "b"):
        store.ack(sink, store.read(sink, 3))
    assert store.put_back(frames(2, ts=NOON - 5 * SECOND)) == 2
    for sink in ("a", "b"):
        assert seqs(store.read(sink, 9)) == [4, 5]
    assert all(account.balanced and account.read == 15 for account in store.ledger())


def test_they_have_waited_longer_than_what_is_live_and_are_kept_from_now_on(place: Path, hands: Hands) -> None:
    """Frames of last month must not fall to `keep` the moment they are back."""
    store = open_store(place, hands, sinks=["a"], keep=60.0)
    store.put_back(frames(2, ts=NOON - 30 * 86_400 * SECOND))
    (first, _) = store.read("a", 9)
    assert (hands.mono - first.frame.mono) / SECOND > 10
    assert first.frame.ts == NOON - 30 * 86_400 * SECOND
    store.tend()
    assert store.owed("a") == 2
    hands.move(61)
    store.tend()
    assert store.owed("a") == 0


def test_their_stamps_stay_although_the_clock_was_wrong_a_moment_ago(place: Path) -> None:
    hands = Hands(wall=5 * SECOND)
    store = open_store(place, hands, sinks=["a"])
    hands.move(1)
    hands.wall = NOON
    store.tend()
    store.put_back(frames(1, ts=NOON - 100 * SECOND))
    (entry,) = store.read("a", 9)
    assert (entry.frame.ts, entry.clock) == (NOON - 100 * SECOND, "")


def test_nothing_is_given_up_for_what_was_out_already(place: Path) -> None:
    store = open_store(place, sinks=["a"], max_size=1 << 20)
    store.append(frames(800, of=schema(tags=100)))
    with pytest.raises(StoreError, match="has no room for them"):
        store.put_back(frames(500, of=schema(tags=100)))
    store.tend()
    assert store.owed("a") == 800


def test_without_a_sink_nobody_would_get_them(place: Path) -> None:
    with pytest.raises(StoreError, match="has no sink that would get them"):
        open_store(place).put_back(frames(1))


def test_a_sink_can_be_forgotten_bit_by_bit(place: Path) -> None:
    """A gigabyte that is given up in one go would keep commits waiting."""
    store = open_store(place, sinks=["gone", "here"])
    store.append(frames(10))
    store.set_aside("gone", store.read("gone", 2), "no")
    store.attach(["here"])
    assert [store.forget("gone", 4) for _ in range(4)] == [6, 4, 0, 0]
    gone, here = store.ledger()
    assert (gone.dropped, gone.balanced, here.buffered) == ({"forgotten": 30}, True, 30)
