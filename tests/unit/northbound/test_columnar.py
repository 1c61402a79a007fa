"""Columns in bytes say what the JSON envelope says, to the reader that we ship and to one in JavaScript."""

import json
import math
import struct
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Entry, Frame
from agent.model.quality import FIRST_BAD, Quality, quality_name
from agent.model.tag import DType, Schema, Tag
from agent.northbound.encode import Encoder
from agent.northbound.shapes import columnar_reader
from agent.northbound.shapes.columnar import CODES, Columnar, varint, zigzag
from agent.northbound.shapes.columnar_reader import Reader, UnknownSchema
from tests.house import ROOT
from tests.lengths import often

NODE = ROOT / "tests/sim/node/columnar.js"
EPOCHS = ("ab" * 8, "00ff" * 4)
DTYPES: tuple[DType, ...] = (*CODES, "str")  # type: ignore[assignment]
TS = 1_700_000_000_123


def schema(*dtypes: DType, device: str = "meter") -> Schema:
    return Schema(device, "1s", tuple(Tag(f"t{place}", dtype, "V") for place, dtype in enumerate(dtypes)))


def entry(of: Schema, values: Any, seq: int = 1, **more: Any) -> Entry:
    return Entry(EPOCHS[0], seq, False, Frame(of, TS * 10**6, tuple(values), bytes(len(values)), **more))


def read(message: bytes, *schemas: Schema) -> list[dict[str, Any]]:
    reader, writer = Reader(), Columnar("gw-01")
    for each in schemas:
        key, description = writer.schema(each)
        assert reader.learn(description) == key
    return list(reader.read(message))


def enveloped(entries: list[Entry]) -> list[dict[str, Any]]:
    return [json.loads(Encoder("gw-01").encode(one)) for one in entries]


def test_it_says_what_the_envelope_says() -> None:
    of, other = schema("float32", "uint16"), schema("float64", "bool", device="press")
    entries = [entry(of, (1.5, 7), 5), entry(other, (0.1, True), 6), entry(of, (2.5, 8), 9)]
    found = read(Columnar("gw-01").encode(entries), of, other)
    assert sorted(found, key=lambda frame: frame["seq"]) == enveloped(entries)


def test_floats_need_about_four_bytes() -> None:
    of = schema(*["float32"] * 100)
    values = struct.unpack("<100f", struct.pack("<100f", *(math.sqrt(n) for n in range(100))))
    few = [entry(of, values, seq) for seq in range(1, 11)]
    assert len(Columnar("gw-01").encode(few)) <= 1000 * 4.1
    assert len(Columnar("gw-01").encode(few[:1])) <= 100 * 4.5


def test_a_double_that_is_no_float_stays_exact() -> None:
    of = schema("float64", "float64")
    (found,) = read(Columnar("gw-01").encode([entry(of, (0.1, 0.5))]), of)
    assert found["values"] == {"t0": 0.1, "t1": 0.5}


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1])
def test_whole_numbers_stay_exact(value: int) -> None:
    of = schema("int64", "float64")
    (found,) = read(Columnar("gw-01").encode([entry(of, (value, value))]), of)
    assert found["values"] == {"t0": value, "t1": value}


def test_a_value_that_its_type_does_not_hold_is_sent_as_another_type() -> None:
    of = schema("uint16", "uint16", "bool")
    (found,) = read(Columnar("gw-01").encode([entry(of, (70_000, 1.5, 3))]), of)
    assert found["values"] == {"t0": 70_000, "t1": 1.5, "t2": 3}


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf, "text"])
def test_what_is_no_value_is_left_out_and_its_neighbours_stay(bad: Any) -> None:
    of = schema("float32", "float32")
    found = read(Columnar("gw-01").encode([entry(of, (bad, 1.5), 1), entry(of, (2.5, 3.5), 2)]), of)
    assert [frame["values"] for frame in found] == [{"t1": 1.5}, {"t0": 2.5, "t1": 3.5}]
    assert [frame["quality"] for frame in found] == [{"t0": "bad_decode"}, {}]


def test_a_schema_that_was_not_learnt_is_named_and_nothing_is_given() -> None:
    of = schema("float32")
    message = Columnar("gw-01").encode([entry(of, (1.5,))])
    with pytest.raises(UnknownSchema) as unknown:
        read(message)
    assert unknown.value.id == Columnar("x").schema(of)[0]


def test_inline_it_can_be_read_alone() -> None:
    one = entry(schema("float32", "str"), (1.5, "läuft 运行"))
    assert list(Reader().read(Columnar("gw-01", inline=True).encode([one]))) == enveloped([one])


def test_blocks_without_frames_are_refused() -> None:
    """Four bytes each that would cost as much as all columns of a schema: a small message could keep a reader busy."""
    of = schema(*["bool"] * 1000)
    message = Columnar("gw-01", inline=True).encode([entry(of, [True] * 1000)])
    with pytest.raises(ValueError, match="without a frame"):
        list(Reader().read(message + bytes(4)))


def test_columns_in_the_order_in_which_a_source_told_of_them() -> None:
    """An OPC UA server notifies of its tags in any order; a bit for each column has one order only."""
    of = schema("float32", "str", "int16")
    stamps = tuple((TS + late) * 10**6 for late in (1, 2, 3))
    frame = Frame(of, TS * 10**6, (7, 1.5, "run"), bytes([0, 3, 1]), columns=(2, 0, 1), stamps=stamps)
    (found,) = read(Columnar("gw-01").encode([Entry(EPOCHS[0], 1, False, frame)]), of)
    assert found["values"] == {"t0": 1.5, "t1": "run", "t2": 7}
    assert found["quality"] == {"t0": "stale", "t1": "clamped"}
    assert found["stamps"] == {"t0": TS + 2, "t1": TS + 3, "t2": TS + 1}


def test_a_part_says_which_it_is() -> None:
    of = schema("float32", "float32")
    one = entry(of, (1.5,), columns=(1,))
    (found,) = read(Columnar("gw-01").encode([one], part=(2, 3)), of)
    assert (found["part"], found["values"]) == ([2, 3], {"t1": 1.5})


def test_qualities_have_the_same_names_on_both_sides() -> None:
    assert {code: quality_name(code) for code in Quality} == columnar_reader.QUALITIES
    assert columnar_reader.FIRST_BAD == FIRST_BAD


@given(st.integers(-(2**63), 2**63))
def test_varints(number: int) -> None:
    cursor = columnar_reader._Cursor(zigzag(number) + varint(abs(number)))  # a reader's inside
    assert (cursor.zigzag(), cursor.varint(), cursor.left) == (number, abs(number), 0)


floats = st.floats(width=32)
values = st.one_of(
    st.none(), floats, st.floats(), st.integers(-(2**63), 2**64 - 1), st.integers(-99, 99), st.booleans(), st.text()
)


@st.composite
def batches(draw: st.DrawFn) -> list[Entry]:
    schemas = [
        schema(*draw(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=12)), device=f"d{n}") for n in range(2)
    ]
    entries = []
    for seq in range(1, draw(st.integers(1, 6)) + 1):
        of = draw(st.sampled_from(schemas))
        width = len(of.tags)
        some = draw(st.none() | st.lists(st.integers(0, width - 1), min_size=1, unique=True))
        columns = tuple(some) if some else None
        count = len(columns or of.tags)
        row = tuple(draw(values) for _ in range(count))
        quality = draw(st.just(bytes(count)) | st.binary(min_size=count, max_size=count))
        ts = TS * 10**6 + draw(st.integers(-(10**12), 10**12))
        times = st.tuples(*[st.integers(ts - 10**10, ts + 10**10)] * count)
        frame = Frame(of, ts, row, quality, 0, columns, draw(st.none() | times))
        clock = draw(st.sampled_from(["", "unsynced", "corrected"]))
        entries.append(Entry(draw(st.sampled_from(EPOCHS)), seq, draw(st.booleans()), frame, clock))
    return entries


def fitting(frame: dict[str, Any], of: Schema) -> dict[str, Any]:
    """The envelope's frame as columns have it: numbers in text columns and texts in numbers are no values there."""
    for tag in of.tags:
        value = frame["values"].get(tag.name)
        if value is not None and isinstance(value, str) != (tag.dtype == "str"):
            del frame["values"][tag.name]
            frame["quality"][tag.name] = "bad_decode"
    if "stamps" in frame and not frame["stamps"]:
        del frame["stamps"]
    return frame


def ordered(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(frames, key=lambda frame: frame["seq"])


def pruned(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Source times that are those of the frame need not be said."""
    for frame in frames:
        if not frame.get("stamps", True):
            del frame["stamps"]
    return frames


@settings(max_examples=often(80, 1000))
@given(batches())
def test_any_batch_says_what_the_envelopes_say(entries: list[Entry]) -> None:
    schemas = {one.frame.schema for one in entries}
    found = pruned(read(Columnar("gw-01").encode(entries), *schemas))
    meant = [fitting(frame, one.frame.schema) for frame, one in zip(enveloped(entries), entries, strict=True)]
    assert ordered(found) == meant


@given(batches(), st.integers(0, 400), st.binary(max_size=6))
def test_damaged_messages_are_refused_or_read_and_never_cost_much(
    entries: list[Entry], place: int, junk: bytes
) -> None:
    message = Columnar("gw-01", inline=True).encode(entries)
    at = place % len(message)
    for broken in (message[:at], message[:at] + junk + message[at + len(junk) :], message[:at] + junk):
        frames = 0
        try:
            for _ in Reader().read(broken):
                frames += 1
        except ValueError:
            pass
        assert frames <= len(broken)


@given(st.binary(max_size=200))
def test_junk_is_a_value_error(junk: bytes) -> None:
    reader = Reader()
    for broken in (junk, b"FGC\x01" + junk):
        with pytest.raises(ValueError):  # noqa: PT011  # whatever it says
            raise ValueError(list(reader.read(broken)))
    with pytest.raises(ValueError, match="no description"):
        reader.learn(b"{" + junk)


def test_javascript_reads_the_same() -> None:
    of = schema(*DTYPES)
    bad = bytes((0, 64, 3)) + bytes(len(DTYPES) - 3)
    row = (True, -5, 200, -300, 60_000, -70_000, 4_000_000_000, -(2**53), 2**53, 1.5, 0.1, "läuft 运行")
    sparse = Frame(of, TS * 10**6, (0.25, "x"), b"\0\3", 0, (9, 11), (TS * 10**6, (TS - 7) * 10**6))
    entries = [
        entry(of, row, 1),
        entry(of, row, 2),
        Entry(EPOCHS[1], 3, True, Frame(of, (TS + 5) * 10**6, row, bad), "unsynced"),
        Entry(EPOCHS[0], 4, False, sparse, "corrected"),
    ]
    writer = Columnar("gw-01")
    asked = [{"learn": writer.schema(of)[1].hex()}, {"read": writer.encode(entries).hex()}, {"read": "00"}]
    lines = "".join(json.dumps(each) + "\n" for each in asked)
    done = subprocess.run(["node", str(NODE)], input=lines, capture_output=True, text=True, check=True, timeout=30)
    key, frames, refused = (json.loads(line) for line in done.stdout.splitlines())
    assert key == writer.schema(of)[0].hex()
    assert ordered(unbig(frames)) == enveloped(entries)
    assert "cut short" in refused["error"]


def unbig(frames: Any) -> Any:
    for frame in frames:
        for name, value in frame["values"].items():
            frame["values"][name] = int(value["big"]) if isinstance(value, dict) else value
    return frames
