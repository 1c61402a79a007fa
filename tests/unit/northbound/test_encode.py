"""The JSON envelope says what the frame says, as valid JSON, whatever the frame holds."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality, quality_name, usable
from agent.model.tag import DType, Schema, Tag
from agent.northbound.encode import Encoder
from tests.unit.northbound.making import EPOCH, TS, entry, schema

THREE = schema("a", "b", "c")


def strict(text: bytes) -> Any:
    """Parse as the RFC has it: no NaN, no Infinity, no key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), f"a key twice in {text!r}"
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


def encoded(*args: Any, **more: Any) -> Any:
    return strict(Encoder("gw-01").encode(entry(*args, **more)))


def test_a_good_frame_has_every_key_in_the_order_of_the_envelope() -> None:
    of = schema("voltage_l1", "energy")
    assert Encoder("gw-01").encode(entry([229.7, 10482.4], of=of)) == (
        b'{"gateway":"gw-01","epoch":"9f2c00d1e5a7b384","seq":42,"device":"main-meter","group":"1s","ts":1700000000123,'
        b'"values":{"voltage_l1":229.7,"energy":10482.4},"quality":{},"history":false}'
    )


def test_a_bad_value_is_left_out_and_named() -> None:
    said = encoded([1.0, None, 3.0], bytes([0, Quality.BAD_DEVICE, 0]), of=THREE)
    assert (said["values"], said["quality"]) == ({"a": 1.0, "c": 3.0}, {"b": "bad_device"})


def test_a_doubtful_value_is_sent_with_its_doubt() -> None:
    said = encoded([1.0, 2.0, 3.0], bytes([0, Quality.STALE, 0]), of=THREE)
    assert (said["values"]["b"], said["quality"]) == (2.0, {"b": "stale"})


def test_a_value_with_a_bad_quality_is_not_sent_even_when_the_frame_holds_one() -> None:
    assert "b" not in encoded([1.0, 2.0, 3.0], bytes([0, Quality.BAD_RANGE, 0]), of=THREE)["values"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("dtype", ["float64", "str"])
def test_what_is_not_a_number_is_bad_decode(bad: float | None, dtype: DType) -> None:
    said = encoded([1.5, bad, 2.5], of=schema("a", "b", "c", dtype=dtype))
    assert (said["values"], said["quality"]) == ({"a": 1.5, "c": 2.5}, {"b": "bad_decode"})


def test_two_infinities_that_cancel_out_are_both_noticed() -> None:
    assert encoded([math.inf, -math.inf, 1.0], of=THREE)["values"] == {"c": 1.0}


def test_numbers_whose_sum_overflows_are_sent() -> None:
    assert encoded([1.7e308, 1.7e308, 1.0], of=THREE)["values"] == {"a": 1.7e308, "b": 1.7e308, "c": 1.0}


@pytest.mark.parametrize("whole", [2**64 - 1, -(2**63), 2**53 + 1, 10**400])
def test_integers_stay_exact(whole: int) -> None:
    assert encoded([whole, 1, 0], of=THREE)["values"]["a"] == whole


def test_booleans_and_texts_keep_their_type() -> None:
    of = Schema("press", "event", (Tag("on", "bool"), Tag("order", "str"), Tag("n", "int16")))
    assert encoded([True, 'A "7"\n', 3], of=of)["values"] == {"on": True, "order": 'A "7"\n', "n": 3}


def test_a_text_that_utf8_cannot_carry_does_not_stop_the_frame() -> None:
    assert encoded(["a\ud800b", 1.0, 2.0], of=schema("a", "b", "c", dtype="str"))["values"]["a"] == "a?b"


def test_history_is_marked() -> None:
    assert encoded([1.0, 2.0, 3.0], of=THREE, history=True)["history"] is True
    assert encoded([1.0, None, 3.0], b"\0\x42\0", of=THREE, history=True)["history"] is True


@pytest.mark.parametrize("clock", ["unsynced", "corrected"])
@pytest.mark.parametrize("quality", [b"\0\0\0", b"\0\x42\0"])
def test_what_is_known_of_the_clock_is_said_when_there_is_something_to_say(clock: str, quality: bytes) -> None:
    said = encoded([1.0, 2.0, 3.0], quality, of=THREE, clock=clock, history=True)
    assert (said["clock"], said["history"]) == (clock, True)
    assert "clock" not in encoded([1.0, 2.0, 3.0], quality, of=THREE)


def test_a_sparse_frame_names_the_tags_that_it_has() -> None:
    assert encoded([3.0, 1.0], of=THREE, columns=(2, 0))["values"] == {"c": 3.0, "a": 1.0}


def test_source_times_are_added_where_they_differ() -> None:
    said = encoded([1.0, 2.0, 3.0], of=THREE, stamps=(TS, TS - 5_000_000, TS + 1))
    assert said["stamps"] == {"b": TS // 1_000_000 - 5}
    assert "stamps" not in encoded([1.0, 2.0, 3.0], of=THREE, stamps=(TS, TS, TS))
    assert "stamps" not in encoded([1.0, 2.0, 3.0], of=THREE)


def test_a_frame_of_nothing_but_trouble_has_no_values() -> None:
    frame = bad_frame(THREE, Quality.BAD_COMM, TS, 0)
    said = strict(Encoder("gw").encode(entry([], of=THREE)._replace(frame=frame)))
    assert (said["values"], set(said["quality"].values())) == ({}, {"bad_comm"})


def test_a_schema_without_tags_has_no_values() -> None:
    assert encoded([], of=schema())["values"] == {}


def test_a_wide_schema_is_encoded_too() -> None:
    of = schema(*(f"t{n}" for n in range(2000)))
    assert encoded([float(n) for n in range(2000)], of=of)["values"]["t1999"] == 1999.0


def test_schemas_that_come_and_go_do_not_pile_up() -> None:
    """After each reload the store hands out new instances of the same schemas."""
    encoder = Encoder("gw")
    for seq in range(3000):
        encoder.encode(entry([1.0], of=schema("a"), seq=seq))
    assert len(encoder._plans) <= 1024


def test_a_frame_of_the_wrong_width_is_a_bug_that_shows() -> None:
    with pytest.raises(ValueError, match="shorter"):
        encoded([1.0, 2.0], of=THREE)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text())
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    names = draw(st.lists(NAMES, unique=True, max_size=8))
    dtypes = draw(st.lists(st.sampled_from(["float64", "int64", "str"]), min_size=len(names), max_size=len(names)))
    of = Schema(draw(NAMES), draw(NAMES), tuple(Tag(*pair) for pair in zip(names, dtypes, strict=True)))
    columns = draw(st.none() | st.lists(st.sampled_from(range(len(names))), unique=True).map(tuple)) if names else None
    count = len(names if columns is None else columns)
    values = draw(st.lists(VALUES, min_size=count, max_size=count))
    quality = bytes(draw(st.lists(st.integers(0, 255), min_size=count, max_size=count))) if draw(st.booleans()) else b""
    return Frame(of, draw(st.integers(0, 2**62)), values, quality or bytes(count), columns=columns)


@given(frames(), st.integers(1, 2**63), st.booleans(), st.text())
def test_every_frame_becomes_json_that_says_the_same(frame: Frame, seq: int, history: bool, gateway: str) -> None:
    said = strict(Encoder(gateway).encode(entry([], seq=seq, history=history)._replace(frame=frame)))
    assert (said["epoch"], said["seq"], said["history"]) == (EPOCH, seq, history)
    assert (said["device"], said["group"], said["ts"]) == (frame.schema.device, frame.schema.group, frame.ts // 10**6)
    for tag, value, quality in frame.rows():
        sendable = value is not None and not (isinstance(value, float) and not math.isfinite(value))
        if usable(quality) and sendable:
            sent = said["values"].pop(tag.name)
            assert type(sent) is type(value)
            assert sent == (value.encode("utf-8", "replace").decode() if isinstance(value, str) else value)
        told = quality_name(Quality.BAD_DECODE if usable(quality) and not sendable else quality)
        assert said["quality"].pop(tag.name, "good") == told
    assert (said["values"], said["quality"]) == ({}, {})
