"""Frames, quality codes and errors."""

import pytest

from agent.model.errors import AgentError, ConfigError, Denied, DeviceError, SinkError, Unavailable, Unreachable
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality, quality_name, usable
from agent.model.tag import Schema, Tag

SCHEMA = Schema("meter", "1s", (Tag("volts", "float32", "V"), Tag("count", "uint64"), Tag("on", "bool")))


def test_rows_name_each_value_for_people() -> None:
    frame = Frame(SCHEMA, 1, (230.5, 7, True), bytes((0, 1, 0)))
    assert [(tag.name, value, quality) for tag, value, quality in frame.rows()] == [
        ("volts", 230.5, 0),
        ("count", 7, 1),
        ("on", True, 0),
    ]


def test_a_sparse_frame_names_only_its_columns() -> None:
    frame = Frame(SCHEMA, 1, (True, 7), bytes(2), columns=(2, 1))
    assert [tag.name for tag, _, _ in frame.rows()] == ["on", "count"]


def test_a_frame_whose_columns_do_not_match_is_noticed_when_it_is_shown() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(Frame(SCHEMA, 1, (1.0,), bytes(3)).rows())


def test_a_bad_frame_has_no_values() -> None:
    frame = bad_frame(SCHEMA, Quality.BAD_COMM, ts=5, mono=6)
    assert (frame.values, frame.quality, frame.ts, frame.mono) == ((None,) * 3, bytes((66,)) * 3, 5, 6)


def test_schemas_are_told_apart_by_identity() -> None:
    assert Schema("meter", "1s", ()) != Schema("meter", "1s", ())
    assert len({SCHEMA, SCHEMA}) == 1


def test_quality_codes_are_fixed_for_ever() -> None:
    assert {quality.name.lower(): int(quality) for quality in Quality} == {
        "good": 0,
        "clamped": 1,
        "estimated": 2,
        "stale": 3,
        "clock_unsynced": 4,
        "substituted": 5,
        "bad_decode": 64,
        "bad_device": 65,
        "bad_comm": 66,
        "bad_range": 67,
        "bad_stuck": 68,
        "bad_jump": 69,
        "bad_config": 70,
    }
    assert usable(Quality.SUBSTITUTED) and not usable(Quality.BAD_DECODE)
    assert [quality_name(code) for code in (0, 66, 30, 99)] == ["good", "bad_comm", "doubt_30", "bad_99"]


def test_errors_say_what_to_do_next_and_what_was_done() -> None:
    error = Unavailable("broker: no answer", hint="is it running?", done=((3, 5),))
    assert (str(error), error.done) == ("broker: no answer (is it running?)", ((3, 5),))
    assert isinstance(error, SinkError) and isinstance(Denied("no"), SinkError)
    assert isinstance(Unreachable("x"), DeviceError) and isinstance(ConfigError("x"), AgentError)
