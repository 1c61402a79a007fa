"""Frames as lines that hold all that there is to know of them, and times as people write them."""

import json
import math
import time

import click
import pytest

from agent.cli.lines import Writer, record
from agent.cli.options import Moment, iso
from agent.model.frame import Entry, Frame
from agent.model.quality import Quality, quality_code, quality_name
from agent.model.tag import Schema, Tag

NOON = 1_700_000_000_123_456_789
METER = Schema("meter", "1s", (Tag("a", "float64", "V"), Tag("b", "int64"), Tag("c", "str")), 1.0)


def entry(frame: Frame, clock: str = "") -> Entry:
    return Entry("9f2c", 42, history=False, frame=frame, clock=clock)


def test_a_whole_frame_is_told_exactly() -> None:
    assert record(entry(Frame(METER, NOON, (1.5, 2**63, "x"), bytes(3)))) == {
        "epoch": "9f2c",
        "seq": 42,
        "device": "meter",
        "group": "1s",
        "ts": 1_700_000_000_123,
        "ts_ns": NOON,
        "values": {"a": 1.5, "b": 2**63, "c": "x"},
        "quality": {},
    }


def test_doubt_is_told_by_name_and_what_is_no_number_is_no_value() -> None:
    quality = bytes((Quality.STALE, Quality.BAD_COMM, 0))
    found = record(entry(Frame(METER, NOON, (1.5, None, None), quality)))
    assert (found["values"], found["quality"]) == (
        {"a": 1.5},
        {"a": "stale", "b": "bad_comm", "c": "bad_decode"},
    )
    found = record(entry(Frame(METER, NOON, (math.nan, 1, "x"), bytes(3))))
    assert (found["values"], found["quality"]) == ({"b": 1, "c": "x"}, {"a": "bad_decode"})


def test_a_sparse_frame_with_source_times_is_told_with_them() -> None:
    frame = Frame(METER, NOON, (7,), bytes(1), columns=(1,), stamps=(NOON - 5,))
    found = record(entry(frame, "corrected"), "too large")
    assert (found["values"], found["stamps_ns"]) == ({"b": 7}, {"b": NOON - 5})
    assert (found["clock"], found["refused"]) == ("corrected", "too large")


def test_a_schema_is_told_before_its_first_frame_and_when_it_changes() -> None:
    writer, wider = Writer(), Schema("meter", "1s", (*METER.tags, Tag("d")), 1.0)
    narrow, wide = Frame(METER, NOON, (1.0, 1, ""), bytes(3)), Frame(wider, NOON, (1.0, 1, "", 2.0), bytes(4))
    lines = [json.loads(line) for each in (narrow, narrow, wide, narrow) for line in writer.lines(entry(each))]
    assert ["schema" in line for line in lines] == [True, False, False, True, False, True, False]


def test_a_quality_is_known_by_its_name_again() -> None:
    assert all(quality_code(quality_name(code)) == code for code in range(256))
    for name in ("", "fine", "bad_", "bad_65", "bad_300", "doubt_200", "bad_comm "):
        with pytest.raises(ValueError, match="is no quality"):
            quality_code(name)


def moment(text: str) -> int:
    return Moment().convert(text, None, None)


def test_a_time_is_so_long_ago_or_a_date() -> None:
    assert moment("24h") == pytest.approx(time.time_ns() - 86_400 * 10**9, abs=60 * 10**9)
    assert moment("2023-11-14T22:13:20Z") == moment("2023-11-15T06:13:20+08:00") == 1_700_000_000 * 10**9
    assert moment("2023-11-14T22:13:20.123456Z") == 1_700_000_000_123_456_000
    assert moment("2023-11-14T22:13:20") == moment(time.strftime("2023-11-14T22:13:20%z"))


@pytest.mark.parametrize("text", ["", "yesterday", "24", "0001-01-01T00:00:00+14:00"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a duration such as 24h nor a time"):
        moment(text)


def test_a_time_is_told_to_the_millisecond() -> None:
    assert iso(NOON) == "2023-11-14T22:13:20.123+00:00"
    assert iso(-1_500_000_000) == "1969-12-31T23:59:58.500+00:00"
