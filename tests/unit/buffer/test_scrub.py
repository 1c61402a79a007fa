"""Rot is found while nobody asks for the frames."""

from pathlib import Path

from buffer.ranges import Range
from buffer.scrub import _PASS, Scrub
from tests.unit.buffer.builders import Hands, change, frames, open_store


def test_a_damaged_frame_is_found_within_an_hour_without_being_read(place: Path) -> None:
    store = open_store(place, sinks=["away"])
    store.append(frames(10))
    store.close()
    change(place, "UPDATE frame SET crc = crc + 1 WHERE seq = 4")
    change(place, "DELETE FROM frame WHERE seq = 7")
    store = open_store(place, Hands(), sinks=["away"])
    for _ in range(9):
        store.tend()
    assert store.lost() == {"corrupt": 1, "missing": 1}
    assert [a.dropped for a in store.ledger() if a.device == "meter"] == [{"corrupt": 3}]
    assert store.lost() == {}


def test_all_frames_have_their_turn_and_then_again(place: Path) -> None:
    hands = Hands()
    store = open_store(place, hands, sinks=["away"])
    store.append(frames(2 * _PASS))
    looked: list[Range] = []
    scrub = Scrub(store._log, lambda first, last: looked.append((first, last)))
    for _ in range(_PASS + 1):
        scrub.step(1 << 20)
    assert looked[0] == looked[-1] == (1, 2)
    assert [seq for span in looked[:-1] for seq in range(span[0], span[1] + 1)] == list(range(1, 2 * _PASS + 1))


def test_a_look_is_bounded_in_bytes(place: Path) -> None:
    store = open_store(place, sinks=["away"])
    store.append(frames(100))
    looked: list[int] = []
    scrub = Scrub(store._log, lambda first, last: looked.append(last - first + 1))
    scrub.step(10 << 30)
    scrub.step(1 << 10)
    assert looked == [1, 1]
