"""Each shape says of a frame what the frame says, in its own words."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Entry, Frame
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema, Tag
from agent.northbound.encode import as_part
from agent.northbound.shapes import Shape, encoder
from agent.northbound.shapes.single import Single, singles
from agent.northbound.shapes.texts import FLAT_KEYS, flat_names
from buffer.reports import LOSS

METER = Schema("main-meter", "1s", (Tag("voltage", unit="V"), Tag("ts"), Tag("state", "str")))
EPOCH = "ab" * 8
TS = 1_700_000_000_123
JSON: tuple[Shape, ...] = ("envelope", "values", "tags", "flat")


def entry(values: Any, quality: bytes | None = None, *, history: bool = False, **more: Any) -> Entry:
    frame = Frame(METER, TS * 10**6, tuple(values), quality or bytes(len(values)), **more)
    return Entry(EPOCH, 42, history, frame)


def said(shape: Shape, one: Entry) -> Any:
    return json.loads(encoder(shape, "gw-01")(one), parse_constant=pytest.fail)


GOOD = entry([229.7, 5.0, "run"])
WHO = {"gateway": "gw-01", "epoch": EPOCH, "seq": 42, "history": False}


def test_values() -> None:
    assert said("values", GOOD) == {
        "timestamp": TS,
        "node": "main-meter",
        "group": "1s",
        "values": {"voltage": 229.7, "ts": 5.0, "state": "run"},
        "errors": {},
        **WHO,
    }


def test_tags() -> None:
    rows = [{"name": "voltage", "value": 229.7}, {"name": "ts", "value": 5.0}, {"name": "state", "value": "run"}]
    assert said("tags", GOOD) == {"timestamp": TS, "node": "main-meter", "group": "1s", "tags": rows, **WHO}


def test_flat_and_a_tag_that_is_called_like_a_key() -> None:
    found = said("flat", GOOD)
    assert found == {
        "ts": TS,
        "gateway": "gw-01",
        "device": "main-meter",
        "group": "1s",
        "epoch": EPOCH,
        "seq": 42,
        "voltage": 229.7,
        "ts_": 5.0,
        "state": "run",
    }


def test_what_is_bad_has_no_value_and_its_code() -> None:
    bad = entry([229.7, None, "run"], bytes((0, Quality.BAD_DEVICE, Quality.STALE)))
    assert said("values", bad)["errors"] == {"ts": int(Quality.BAD_DEVICE), "state": int(Quality.STALE)}
    assert said("values", bad)["values"] == {"voltage": 229.7, "state": "run"}
    assert said("tags", bad)["tags"][1:] == [{"name": "ts", "error": 65}, {"name": "state", "value": "run", "error": 3}]
    assert said("flat", bad)["quality"] == {"ts_": "bad_device", "state": "stale"}
    assert "ts_" not in said("flat", bad)


def test_history_and_a_wrong_clock_are_said_in_every_shape() -> None:
    for shape in JSON:
        found = said(shape, GOOD._replace(history=True, clock="unsynced"))
        assert (found["history"], found["clock"]) == (True, "unsynced")


def test_source_times_that_differ_are_said_in_every_shape() -> None:
    late = entry([1.0, 2.0, "x"], stamps=(TS * 10**6, (TS - 5) * 10**6, TS * 10**6))
    assert said("values", late)["stamps"] == {"ts": TS - 5}
    assert said("tags", late)["tags"][1] == {"name": "ts", "value": 2.0, "t": TS - 5}
    assert said("flat", late)["stamps"] == {"ts_": TS - 5}


@pytest.mark.parametrize("shape", JSON)
def test_a_loss_is_a_message_of_its_own_in_every_shape(shape: Shape) -> None:
    values = ("platform", "age", 7, 19, 13, 1300, TS - 1000, TS - 500)
    loss = Entry(EPOCH, 42, False, Frame(LOSS, TS * 10**6, values, bytes(8)))
    assert said(shape, loss) == {
        **WHO,
        "type": "gap",
        "device": "$gateway",
        "group": "loss",
        "ts": TS,
        "sink": "platform",
        "reason": "age",
        "ranges": [{"from": 7, "to": 19, "first_ts": TS - 1000, "last_ts": TS - 500}],
        "frames": 13,
        "samples": 1300,
    }


@pytest.mark.parametrize(
    ("shape", "payload"),
    [
        ("values", {"t": TS, "v": 229.7, "q": "good", "u": "V"}),
        ("flat", 229.7),
        (
            "envelope",
            {**WHO, "device": "main-meter", "group": "1s", "ts": TS, "values": {"voltage": 229.7}, "quality": {}},
        ),
    ],
)
def test_one_tag_alone(shape: Single, payload: Any) -> None:
    found = dict(singles(shape, "gw-01")(GOOD))
    assert list(found) == ["voltage", "ts", "state"]
    assert json.loads(found["voltage"]) == payload


def test_one_tag_alone_that_is_bad() -> None:
    bad = entry([math.nan, None, "run"], bytes((0, Quality.BAD_COMM, 0)))
    found = dict(singles("values", "gw-01")(bad))
    assert json.loads(found["voltage"]) == {"t": TS, "q": "bad_decode", "u": "V"}
    assert json.loads(found["ts"]) == {"t": TS, "q": "bad_comm"}
    assert dict(singles("flat", "gw-01")(bad))["ts"] == b"null"


@given(st.lists(st.sampled_from([*FLAT_KEYS, "ts_", "ts__", "a", "b"]), unique=True, max_size=8))
def test_flat_names_are_never_keys_and_never_twice(names: list[str]) -> None:
    found = flat_names(tuple(names))
    assert len(set(found)) == len(names)
    assert not set(found) & set(FLAT_KEYS)
    assert all(name == given or name.rstrip("_") == given.rstrip("_") for name, given in zip(found, names, strict=True))


numbers = st.one_of(st.none(), st.floats(), st.integers(-(2**63), 2**64 - 1), st.booleans(), st.text(max_size=5))


@given(
    st.tuples(numbers, numbers, numbers),
    st.binary(min_size=3, max_size=3),
    st.sampled_from(["values", "tags", "flat"]),
    st.booleans(),
)
def test_any_frame_is_valid_json_with_no_value_of_bad_quality(
    values: tuple[Any, ...], quality: bytes, shape: Shape, history: bool
) -> None:
    found = said(shape, entry(values, quality, history=history))
    if shape == "values":
        assert all(quality[("voltage", "ts", "state").index(name)] < FIRST_BAD for name in found["values"])
    if shape == "tags":
        assert len(found["tags"]) == len(values)


@pytest.mark.parametrize("shape", JSON)
def test_a_text_that_utf_8_cannot_carry_is_sent_with_a_question_mark(shape: Shape) -> None:
    assert b'"a?b"' in encoder(shape, "gw-01")(entry([229.7, 5.0, "a\ud800b"]))


def test_a_tag_is_taken_neither_for_the_mark_of_a_part_nor_for_that_of_a_loss() -> None:
    """`type: gap` is how a reader knows a loss, and `part` how it knows a piece of a frame."""
    tags = Schema("main-meter", "1s", (Tag("part"), Tag("type", "str")))
    one = Entry(EPOCH, 42, False, Frame(tags, TS * 10**6, (1.5, "gap"), bytes(2)))
    pairs = json.loads(as_part(encoder("flat", "gw-01")(one), 1, 2), object_pairs_hook=list)
    assert len(dict(pairs)) == len(pairs)
    assert {"part_": 1.5, "type_": "gap", "part": [1, 2]}.items() <= dict(pairs).items()
    assert "type" not in dict(pairs)
