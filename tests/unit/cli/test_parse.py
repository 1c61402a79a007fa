"""Lines become the frames that they were, and a line that makes no sense says why."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.lines import Writer
from agent.cli.parse import Parser
from agent.model.frame import Entry, Frame
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.northbound.encode import Encoder
from buffer.schemas import key_of

NOON = 1_700_000_000_123_456_789
METER = Schema("meter", "1s", (Tag("a", "float32", "V"), Tag("b", "uint64", kind="counter"), Tag("c", "str")), 1.0)


def back(*frames: Frame) -> list[Frame]:
    writer, parser = Writer(), Parser()
    lines = [line for frame in frames for line in writer.lines(Entry("9f", 1, history=False, frame=frame))]
    return [found for line in lines if (found := parser.frame(line))]


def same(one: Frame, other: Frame) -> bool:
    plain = [(f.ts, tuple(f.values), f.quality, f.columns, f.stamps) for f in (one, other)]
    return plain[0] == plain[1] and key_of(one.schema) == key_of(other.schema)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(METER, NOON, (1.5, 2**64 - 1, "x"), bytes(3)),
        Frame(METER, -NOON, (None, 0, ""), bytes((Quality.BAD_COMM, Quality.STALE, 99))),
        Frame(METER, NOON, (7,), bytes(1), columns=(1,)),
        Frame(METER, NOON, (1.5, "x"), bytes(2), columns=(0, 2), stamps=(NOON - 1, NOON - 2)),
    ],
)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    (found,) = back(frame)
    assert same(found, frame)


VALUES: dict[DType, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int8": st.integers(-(2**7), 2**7 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(),
}


@st.composite
def whole_frames(draw: st.DrawFn) -> Frame:
    dtypes = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=6))
    tags = tuple(Tag(f"t{i}", dtype) for i, dtype in enumerate(dtypes))
    schema = Schema("device", "", tags, made=draw(st.booleans()))
    values = tuple(draw(VALUES[dtype]) for dtype in dtypes)
    return Frame(schema, draw(st.integers(-(2**63) + 1, 2**63 - 1)), values, bytes(len(values)))


@given(st.lists(whole_frames(), min_size=1, max_size=4))
def test_any_frames_come_back_as_they_were(frames: list[Frame]) -> None:
    assert all(same(found, frame) for found, frame in zip(back(*frames), frames, strict=True))


def test_what_a_sink_wrote_can_be_put_back_too() -> None:
    """An envelope has no schema: its tags are what their values are."""
    line = Encoder("gw").encode(Entry("9f", 1, history=False, frame=Frame(METER, NOON, (1.5, 3, "x"), bytes(3))))
    found = Parser().frame(line)
    assert found is not None
    assert (found.ts, found.values, found.columns) == (NOON // 1_000_000 * 1_000_000, (1.5, 3, "x"), None)
    assert [tag.dtype for tag in found.schema.tags] == ["float64", "int64", "str"]


def guessed(*lines: dict[str, Any]) -> list[Frame]:
    parser = Parser()
    frames = (parser.frame(json.dumps({"device": "m", "ts": 1, **line}).encode()) for line in lines)
    return [frame for frame in frames if frame]


def test_a_guess_grows_with_what_is_seen() -> None:
    """A tag that was silent at first may turn out to be anything; a whole number may get a fraction."""
    silent, first, second, again = guessed(
        {"quality": {"a": "bad_comm"}},
        {"values": {"a": True, "b": 1}},
        {"values": {"b": 1.5}},
        {"values": {"b": 2, "a": False}},
    )
    assert [tag.dtype for tag in silent.schema.tags] == ["float64"]
    assert [tag.dtype for tag in first.schema.tags] == ["bool", "int64"]
    assert [tag.dtype for tag in second.schema.tags] == ["bool", "float64"]
    assert (second.columns, again.values) == ((1,), (False, 2))
    assert again.schema is second.schema


def schema_line(*tags: dict[str, Any]) -> bytes:
    return json.dumps({"schema": {"device": "m", "group": "", "tags": tags}}).encode()


def bad() -> Iterator[tuple[str, str]]:
    frame = {"device": "m", "ts": 1, "values": {"a": 1}}
    yield "{", "Input data was truncated"
    yield "[1]", "Expected `object`"
    yield "\xff", "JSON is malformed"
    yield "{}", "neither a schema nor a frame"
    yield json.dumps({**frame, "device": ""}), "neither a schema nor a frame"
    yield json.dumps({**frame, "values": {}}), "neither a schema nor a frame"
    yield json.dumps({"device": "m", "values": {"a": 1}}), "neither `ts`"
    yield json.dumps({**frame, "ts": "now"}), "Expected `int | null`, got `str` - at `$.ts`"
    yield json.dumps({**frame, "ts": 2**60}), "is no time in ns"
    yield json.dumps({**frame, "values": {"a": [1]}}), "at `$.values[...]`"
    yield json.dumps({**frame, "values": {"z": 1}}), "the schema of m/ has no tag 'z'"
    yield json.dumps({**frame, "values": {"a": 300}}), "tag 'a': 300 is no uint8"
    yield json.dumps({**frame, "values": {"a": -1}}), "tag 'a': -1 is no uint8"
    yield json.dumps({**frame, "values": {"a": 1.5}}), "tag 'a': 1.5 is no uint8"
    yield json.dumps({**frame, "values": {"a": True}}), "tag 'a': True is no uint8"
    yield json.dumps({**frame, "values": {"f": 1e39}}), "tag 'f': 1e+39 is no float32"
    yield json.dumps({**frame, "values": {"f": "x"}}), "tag 'f': 'x' is no float32"
    yield json.dumps({**frame, "quality": {"a": "fine"}}), "'fine' is no quality"
    yield '{"schema": {"device": "m", "group": "", "tags": [{"name": "a", "dtype": "int7"}]}}', "Invalid enum value"
    yield '{"schema": {"device": "m", "group": "", "tags": [{"name": "a"}, {"name": "a"}]}}', "two tags"


@pytest.mark.parametrize(("line", "why"), list(bad()))
def test_a_line_that_makes_no_sense_says_why(line: str, why: str) -> None:
    parser = Parser()
    assert parser.frame(schema_line({"name": "a", "dtype": "uint8"}, {"name": "f", "dtype": "float32"})) is None
    with pytest.raises(ValueError, match=re.escape(why)):
        parser.frame(line.encode("latin-1"))


@given(st.binary())
def test_no_line_does_more_than_be_bad(line: bytes) -> None:
    with suppress(ValueError):
        Parser().frame(line)


def test_an_empty_line_is_none() -> None:
    assert Parser().frame(b"  \n") is None
