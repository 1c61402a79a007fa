"""A page of frames says the same in each format, in pieces of bounded size."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.northbound.encode import Encoder
from agent.northbound.shapes import encoder
from agent.northbound.shapes.columnar_reader import Reader
from agent.northbound.shapes.pages import SAMPLES, pages

SCHEMA = Schema("press 3", "1s", (Tag("temp", "float64", "Cel"), Tag("text", "str"), Tag("on", "bool")))
NOON = 1_700_000_000_000


def entry(seq: int, *values: float | str | bool | None, quality: bytes = bytes(3)) -> Entry:
    return Entry("ab" * 8, seq, False, Frame(SCHEMA, NOON * 10**6 + seq * 10**6, values, quality))


ENTRIES = [entry(1, 1.5, "a", True), entry(2, None, 'say "no",\r\nplease', False, quality=b"\x41\0\0")]


@pytest.mark.parametrize("shape", ["envelope", "values", "tags", "flat"])
def test_json_and_lines_hold_what_a_sink_would_send(shape: str) -> None:
    one = encoder(shape, "gw-01")  # type: ignore[arg-type]
    kind, write = pages("ndjson", shape, "gw-01")
    assert (kind, b"".join(write(ENTRIES, b"null"))) == (
        "application/x-ndjson",
        b"".join(one(e) + b"\n" for e in ENTRIES),
    )
    kind, write = pages("json", shape, "gw-01")
    found = json.loads(b"".join(write(ENTRIES, b'{"epoch":"ab","seq":2}')))
    assert (kind, found) == (
        "application/json",
        {"frames": [json.loads(one(e)) for e in ENTRIES], "cursor": {"epoch": "ab", "seq": 2}},
    )


def test_a_table_has_a_row_for_each_sample() -> None:
    kind, write = pages("csv", "envelope", "gw-01")
    rows = list(csv.reader(io.StringIO(b"".join(write(ENTRIES, b"null")).decode(), newline="")))
    assert kind == "text/csv; charset=utf-8"
    assert rows[0] == ["ts", "device", "group", "tag", "value", "quality", "unit", "epoch", "seq"]
    assert rows[1] == [str(NOON + 1), "press 3", "1s", "temp", "1.5", "good", "Cel", "ab" * 8, "1"]
    assert [row[3:6] for row in rows[2:]] == [
        ["text", "a", "good"],
        ["on", "true", "good"],
        ["temp", "", "bad_device"],
        ["text", 'say "no",\r\nplease', "good"],
        ["on", "false", "good"],
    ]


def test_columns_can_be_read_alone() -> None:
    kind, write = pages("json", "columnar", "gw-01")
    (message,) = write(ENTRIES, b"null")
    assert kind == "application/octet-stream"
    assert [frame["seq"] for frame in Reader().read(message)] == [1, 2]


@pytest.mark.parametrize(
    ("format_", "nothing"), [("json", b'{"frames":[],"cursor":null}'), ("ndjson", b""), ("csv", b"ts,device")]
)
def test_a_page_may_be_empty(format_: str, nothing: bytes) -> None:
    _, write = pages(format_, "envelope", "gw-01")
    found = b"".join(write([], b"null"))
    assert found == nothing or found.startswith(nothing + b",")


def test_a_piece_holds_a_bounded_number_of_samples() -> None:
    wide = Schema("wide", "1s", tuple(Tag(f"t{n}") for n in range(SAMPLES // 4)))
    many = [
        Entry("ab" * 8, seq, False, Frame(wide, 0, (1.0,) * len(wide.tags), bytes(len(wide.tags)))) for seq in range(20)
    ]
    _, write = pages("ndjson", "envelope", "gw-01")
    assert [piece.count(b"\n") for piece in write(many, b"null")] == [5, 5, 5, 5]


@given(st.lists(st.tuples(st.floats() | st.none(), st.text() | st.none(), st.booleans()), max_size=5))
def test_any_values_can_be_written(rows: list[tuple[float | None, str | None, bool]]) -> None:
    entries = [entry(seq, *row) for seq, row in enumerate(rows, 1)]
    one = Encoder("gw-01").encode
    _, write = pages("json", "envelope", "gw-01")
    assert json.loads(b"".join(write(entries, b"null")))["frames"] == [json.loads(one(e)) for e in entries]
    _, write = pages("csv", "envelope", "gw-01")
    table = list(csv.reader(io.StringIO(b"".join(write(entries, b"null")).decode(), newline="")))
    assert len(table) == 1 + 3 * len(rows)
