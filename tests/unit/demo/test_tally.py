"""What the platform counts."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.demo.tally import Tally


def envelope(seq: int, device: str = "press", **more: object) -> bytes:
    frame = {"gateway": "demo", "epoch": "e1", "seq": seq, "device": device, "group": "1s", "ts": 1000 + seq}
    return json.dumps({**frame, "values": {"a": 1, "b": 2.5}, "quality": {}, "history": False, **more}).encode()


def tally(*payloads: bytes) -> Tally:
    counted = Tally()
    for payload in payloads:
        counted.add(payload)
    return counted


def test_frames_and_samples_are_counted_per_device() -> None:
    counted = tally(envelope(1), envelope(2), envelope(3, "meter"))
    assert counted.frames == {"press": 2, "meter": 1}
    assert counted.samples == {"press": 4, "meter": 2}
    assert counted.missing() == 0


def test_a_bad_value_is_a_sample_and_a_doubtful_one_is_counted_once() -> None:
    counted = tally(envelope(1, quality={"b": "stale", "c": "bad_comm"}))
    assert counted.samples["press"] == 3
    assert counted.newest["press"].trust == "stale"


def test_a_frame_that_comes_twice_is_counted_once() -> None:
    counted = tally(envelope(1), envelope(1, history=True))
    assert (counted.frames["press"], counted.repeated, counted.history) == (1, 1, 0)


def test_the_same_number_in_another_run_is_another_frame() -> None:
    assert tally(envelope(1), envelope(1, epoch="e2")).frames["press"] == 2


def test_the_parts_of_a_large_frame_are_all_counted() -> None:
    counted = tally(envelope(1, part=[0, 2]), envelope(1, part=[1, 2]), envelope(2))
    assert counted.samples["press"] == 6
    assert counted.missing() == 0


def test_a_gap_shows_in_whatever_order_the_rest_arrives() -> None:
    assert tally(envelope(5), envelope(1), envelope(3)).missing() == 2


def test_history_that_comes_late_does_not_replace_the_newest_value() -> None:
    counted = tally(envelope(9), envelope(2, history=True))
    assert counted.newest["press"].seq == 9
    assert counted.history == 1


def test_a_tag_keeps_its_value_until_a_newer_one_or_a_bad_one_comes() -> None:
    counted = tally(envelope(1), envelope(2, values={"a": 5}))
    assert counted.values["press"] == {"a": 5, "b": 2.5}
    counted.add(envelope(3, values={}, quality={"a": "bad_comm"}))
    assert counted.values["press"] == {"b": 2.5}


@given(st.binary())
def test_what_is_no_envelope_is_counted_as_such(payload: bytes) -> None:
    counted = tally(payload)
    assert counted.unreadable == 1
    assert not counted.frames


@given(st.permutations(range(1, 12)), st.integers(0, 10))
def test_any_order_with_repetitions_gives_the_same_count(order: list[int], again: int) -> None:
    counted = tally(*map(envelope, order), envelope(order[again]))
    assert (counted.frames["press"], counted.missing(), counted.repeated) == (11, 0, 1)
