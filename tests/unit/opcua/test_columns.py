"""Data values as columns: qualities, times, and the order of changes."""

import tracemalloc
from datetime import UTC, datetime

from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from drivers.opcua.columns import Columns
from drivers.opcua.notify import Batch
from tests.unit.opcua.fakes import batch_of

NOW, MONO = 1_700_000_000_000_000_000, 5
EARLIER = datetime(2023, 11, 14, 22, 13, 19, 250_001, UTC)
EARLIER_NS = 1_699_999_999_250_001_000


def columns(*tags: Tag) -> Columns:
    return Columns(Schema("press-3", "1s", tags or (Tag("a"), Tag("b"), Tag("c"))))


def data(value: object, code: int = 0, source: datetime | None = None, server: datetime | None = None) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value), ua.StatusCode(code), source, server)


def test_values_come_with_quality_and_source_time() -> None:
    values, quality, stamps = columns().decode(
        [0, 2], batch_of([data(1.5, source=EARLIER), data(2.5, 0x40900000)]), NOW
    )
    assert (values, list(quality), stamps) == ([1.5, 2.5], [Quality.GOOD, Quality.STALE], [EARLIER_NS, NOW])


def test_the_server_s_time_stands_in_for_the_source_s() -> None:
    later = datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert columns().decode([0, 1], batch_of([data(1.0, server=later), data(1.0, 0, EARLIER, later)]), NOW)[2] == [
        1_700_000_001_000_000_000,
        EARLIER_NS,
    ]


def test_a_time_that_cannot_be_is_not_believed() -> None:
    """PLCs without a clock say 1601 or 9999."""
    never = [datetime(1601, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
    assert columns().decode([0, 1], batch_of([data(1.0, source=moment) for moment in never]), NOW)[2] == [NOW, NOW]


def test_a_bad_value_is_nothing_whatever_it_says() -> None:
    values, quality, _ = columns().decode([0], batch_of([data(99.0, 0x80310000)]), NOW)
    assert (values, list(quality)) == ([None], [Quality.BAD_COMM])


def test_what_does_not_fit_is_bad_decode() -> None:
    """A string where a number belongs, an array, nothing at all."""
    wrong = [data("21"), data([1.0, 2.0]), data(None), ua.DataValue(None)]
    values, quality, _ = columns(*(Tag(name) for name in "abcd")).decode(range(4), batch_of(wrong), NOW)
    assert values == [None] * 4
    assert list(quality) == [Quality.BAD_DECODE] * 4


def test_values_that_a_server_lost_are_counted() -> None:
    made = columns()
    values, quality, _ = made.decode([0, 1], batch_of([data(1.0, 0x0480), data(2.0)]), NOW)
    assert (values, list(quality), made.overflows) == ([1.0, 2.0], [0, 0], 1)


def test_a_message_about_some_tags_is_one_sparse_frame() -> None:
    (frame,) = columns().frames(batch_of([data(3.0), data(1.0)], [2, 0]), NOW, MONO)
    assert (frame.columns, list(frame.values), frame.ts, frame.mono) == ((2, 0), [3.0, 1.0], NOW, MONO)


def test_a_message_about_all_tags_is_a_full_frame() -> None:
    (frame,) = columns().frames(batch_of([data(1.0), data(2.0), data(3.0)], [0, 1, 2]), NOW, MONO)
    assert frame.columns is None
    assert len(frame.stamps or ()) == 3


def test_a_tag_that_changed_often_makes_as_many_frames() -> None:
    changes = [(0, 1.0), (0, 2.0), (0, 3.0), (1, 10.0), (1, 20.0)]
    frames = list(columns().frames(batch_of([data(v) for _, v in changes], [c for c, _ in changes]), NOW, MONO))
    assert [(frame.columns, list(frame.values)) for frame in frames] == [
        ((0, 1), [1.0, 10.0]),
        ((0, 1), [2.0, 20.0]),
        ((0,), [3.0]),
    ]


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(allow_nan=False))))
def test_no_change_is_lost_and_each_tag_keeps_its_order(changes: list[tuple[int, float]]) -> None:
    frames = list(columns().frames(batch_of([data(v) for _, v in changes], [c for c, _ in changes]), NOW, MONO))
    for column in range(3):
        told = [v for f in frames for c, v in zip(f.columns or range(3), f.values, strict=True) if c == column]
        assert told == [value for place, value in changes if place == column]


def test_a_scan_keeps_the_qualities_of_what_was_not_answered() -> None:
    missing = bytearray((Quality.BAD_CONFIG, Quality.BAD_CONFIG, Quality.BAD_COMM))
    frame = columns().whole([((1,), batch_of([data(2.0, source=EARLIER)]))], missing, NOW, MONO)
    assert list(frame.values) == [None, 2.0, None]
    assert list(frame.quality) == [Quality.BAD_CONFIG, Quality.GOOD, Quality.BAD_COMM]
    assert frame.stamps == (NOW, EARLIER_NS, NOW)


def test_refused_tags_are_told_in_a_frame_of_their_own() -> None:
    frame = columns().refused({2: Quality.BAD_DEVICE, 0: Quality.BAD_CONFIG}, NOW, MONO)
    assert frame.columns == (0, 2)
    assert frame.quality == bytes((Quality.BAD_CONFIG, Quality.BAD_DEVICE))
    assert [value for _, value, _ in frame.rows()] == [None, None]


def test_a_message_of_many_changes_of_one_tag_is_not_held_as_frames_all_at_once() -> None:
    """4 MB can be half a million of them; the feed keeps the last of what waits."""
    size = 50_000
    batch = Batch([0] * size, list(range(size)), [], [0] * size, [0] * size, {6})
    tracemalloc.start()
    try:
        assert sum(1 for _ in columns().frames(batch, NOW, MONO)) == size
        assert tracemalloc.get_traced_memory()[1] / size < 200, "bytes for each"
    finally:
        tracemalloc.stop()
