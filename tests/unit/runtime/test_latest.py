"""The newest values, whole and put together from sparse frames, against a plain dictionary."""

from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.runtime.latest import Latest

SCHEMA = Schema("press-3", "1s", (Tag("a"), Tag("b"), Tag("c")))
OTHER = Schema("press-4", "1s", (Tag("a"),))


def sparse(ts: int, **values: float) -> Frame:
    columns = tuple("abc".index(name) for name in values)
    return Frame(SCHEMA, ts, tuple(values.values()), bytes(len(values)), columns=columns)


def test_what_never_came_is_none() -> None:
    assert Latest().get(SCHEMA) is None


def test_a_dense_frame_is_the_latest_with_a_time_for_each_column() -> None:
    latest = Latest()
    latest.add([Frame(SCHEMA, 5, (1.0, 2.0, 3.0), bytes(3))])
    found = latest.get(SCHEMA)
    assert found is not None
    assert (found.values, found.stamps, found.columns) == ((1.0, 2.0, 3.0), (5, 5, 5), None)


def test_a_tag_of_which_nothing_came_says_so() -> None:
    latest = Latest()
    latest.add([sparse(7, b=2.0)])
    found = latest.get(SCHEMA)
    assert found is not None
    assert (found.values, found.stamps) == ((None, 2.0, None), (0, 7, 0))
    assert found.quality == bytes((Quality.BAD_COMM, 0, Quality.BAD_COMM))


def test_many_different_frames_do_not_pile_up_and_the_last_value_counts() -> None:
    latest, many = Latest(), Schema("press-5", "1s", tuple(Tag(f"t{n}") for n in range(200)))
    for ts in range(1, 1001):
        columns = (ts % 200, (ts * 7 + 1) % 200) if ts % 200 != (ts * 7 + 1) % 200 else (ts % 200,)
        latest.add([Frame(many, ts, (float(ts),) * len(columns), bytes(len(columns)), columns=columns)])
    assert len(latest._rows[many].waiting) <= 64
    found = latest.get(many)
    assert found is not None
    expected = [max(ts for ts in range(1, 1001) if n in (ts % 200, (ts * 7 + 1) % 200)) for n in range(200)]
    assert list(found.values) == [float(ts) for ts in expected]


def test_what_was_found_is_not_changed_by_what_comes_later() -> None:
    latest = Latest()
    latest.add([sparse(7, b=2.0)])
    before = latest.get(SCHEMA)
    latest.add([sparse(8, b=3.0)])
    assert before is not None
    assert before.values == (None, 2.0, None)


def test_groups_that_are_no_more_are_forgotten() -> None:
    latest = Latest()
    latest.add([sparse(7, b=2.0), Frame(OTHER, 7, (1.0,), bytes(1))])
    latest.keep_only([OTHER])
    assert latest.get(SCHEMA) is None
    assert latest.get(OTHER) is not None


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False), min_size=1), max_size=20))
def test_any_sequence_of_whole_and_sparse_frames(rounds: list[dict[str, float]]) -> None:
    latest = Latest()
    expected: dict[str, tuple[float | None, int]] = dict.fromkeys("abc", (None, 0))
    for ts, values in enumerate(rounds, 1):
        whole = len(values) == len("abc")
        frame = Frame(SCHEMA, ts, tuple(values[name] for name in "abc"), bytes(3)) if whole else sparse(ts, **values)
        latest.add([frame])
        expected |= {name: (value, ts) for name, value in values.items()}
    found = latest.get(SCHEMA)
    if rounds:
        assert found is not None
        assert found.stamps is not None
        assert dict(zip("abc", zip(found.values, found.stamps, strict=True), strict=True)) == expected
