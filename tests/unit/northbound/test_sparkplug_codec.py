"""Payloads of Sparkplug B survive the way there and back, and bytes that are none end as a ValueError, soon."""

import math
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.codec import Metric, Payload, Raw

TS = 1_700_000_000_000
# Made with pysparkplug 0.6.1.
NDATA = "0880d095ffbc3112170a05506f7765721880d095ffbc316900000000000029401801"
NBIRTH = (
    "0880d095ffbc3112120a0562645365711880d095ffbc312004580012210a144e6f646520436f6e74726f6c2f52656269727468"
    "1880d095ffbc31200b70001800"
)

INTEGERS = {
    codec.INT8: (-(2**7), 2**7 - 1),
    codec.INT16: (-(2**15), 2**15 - 1),
    codec.INT32: (-(2**31), 2**31 - 1),
    codec.INT64: (-(2**63), 2**63 - 1),
    codec.UINT8: (0, 2**8 - 1),
    codec.UINT16: (0, 2**16 - 1),
    codec.UINT32: (0, 2**32 - 1),
    codec.UINT64: (0, 2**64 - 1),
}
VALUES = {
    **{datatype: st.integers(*limits) for datatype, limits in INTEGERS.items()},
    codec.FLOAT: st.floats(width=32, allow_nan=False),
    codec.DOUBLE: st.floats(allow_nan=False),
    codec.BOOLEAN: st.booleans(),
    codec.STRING: st.text(),
}
TYPED = st.sampled_from(list(VALUES)).flatmap(lambda kind: VALUES[kind].map(lambda value: (kind, value)))
TIMES = st.integers(0, 2**63)


def fields(datatype: int, value: object, fields: codec.Fields = codec.FIELDS) -> bytes:
    """A metric as births have it."""
    held = codec.value(fields[datatype], value)  # type: ignore[arg-type]
    return codec.metric(codec.text(1, "m") + codec.number(3, TS) + codec.number(4, datatype) + held)


@given(TYPED, st.sampled_from([codec.FIELDS, codec.OLD_FIELDS]))
def test_a_value_of_any_type_comes_back(typed: tuple[int, object], where: codec.Fields) -> None:
    datatype, value = typed
    (metric,) = codec.decode(codec.encode(TS, [fields(datatype, value, where)], 7)).metrics
    assert metric == Metric("m", None, TS, datatype, raw=metric.raw)
    assert metric.value == value
    assert type(metric.value) is type(value)


@given(TIMES, st.none() | st.integers(0, 255), st.lists(TIMES), st.booleans(), st.booleans())
def test_a_payload_comes_back(at: int, seq: int | None, aliases: list[int], null: bool, historical: bool) -> None:
    def body(alias: int) -> bytes:
        return codec.number(2, alias) + codec.number(5, historical) + codec.number(7, null) + codec.number(10, 1)

    metrics = tuple(Metric(alias=alias, historical=historical, null=null, raw=Raw(10, 1)) for alias in aliases)
    written = codec.encode(at, [codec.metric(body(alias)) for alias in aliases], seq)
    assert codec.decode(written) == Payload(at, metrics, seq)


@given(st.dictionaries(st.text(), TYPED, max_size=20))
def test_properties_come_back(properties: dict[str, codec.Property]) -> None:
    (metric,) = codec.decode(codec.encode(TS, [codec.metric(codec.properties(properties))], 0)).metrics
    assert metric.properties == properties


def test_a_property_without_a_value_says_so() -> None:
    (metric,) = codec.decode(codec.encode(TS, [codec.metric(codec.properties({"a": (12, None)}))], 0)).metrics
    assert metric.properties == {"a": (12, None)}


@pytest.mark.parametrize("payload", [NDATA, NBIRTH])
def test_what_another_library_wrote_is_written_the_same_way(payload: str) -> None:
    found = codec.decode(bytes.fromhex(payload))
    metrics = [codec.metric(_as_it_was(metric)) for metric in found.metrics]
    assert codec.encode(found.timestamp or 0, metrics, found.seq).hex() == payload


def _as_it_was(metric: Metric) -> bytes:
    head = codec.text(1, metric.name or "") + codec.number(3, metric.timestamp or 0)
    held = codec.value(metric.raw.field, metric.raw.value) if metric.raw else b""
    return head + (b"" if metric.datatype is None else codec.number(4, metric.datatype)) + held


def test_what_it_does_not_know_is_read_over() -> None:
    strange = b"\x98\x06\x05" + b"\xa1\x06" + bytes(8) + b"\xaa\x06\x03abc" + b"\xad\x06" + bytes(4)
    assert codec.decode(b"\x08\x01" + strange + b"\x12" + bytes((len(strange),)) + strange) == Payload(1, (Metric(),))


def test_a_dataset_is_no_value() -> None:
    (metric,) = codec.decode(codec.encode(1, [codec.metric(codec.number(4, 16) + b"\x8a\x01\x02\x08\x00")], 0)).metrics
    assert metric.raw == Raw(17, None)
    assert metric.value is None


def test_the_last_of_several_values_counts() -> None:
    (metric,) = codec.decode(codec.encode(1, [codec.metric(codec.number(10, 1) + codec.value(13, 2.5))], 0)).metrics
    assert metric.raw == Raw(codec.TWICE, 2.5)


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (b"\x08", "no end"),
        (b"\x08" + b"\xff" * 11, "no end"),
        (b"\x00\x01", "number 0"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x12\x05ab", "5 bytes, and 2 are left"),
        (b"\x12\xff\xff\xff\xff\x0f", "are left"),
        (b"\x0a\x01a", "in the place of a number"),
        (b"\x10\x01", "in the place of bytes"),
        (b"\x12\x03\x0a\x01\xff", "not UTF-8"),
        (b"\x12\x02\x65\x00", "are left"),
        (b"\x12\x02\x68\x00", "another kind"),
        (b"\x12\x05\x4a\x03\x0a\x01k", "1 keys of properties and 0 values"),
        (b"\x12\x00" * 1001, "more than 1,000 metrics"),
        (b"\x12\xca\x04" + b"\x4a\xc7\x04" + b"\x0a\x00\x12\x00" * 146 + b"\x0a", "more than 100 properties"),
    ],
)
def test_bytes_that_are_no_payload_are_refused_with_what_is_wrong(payload: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        codec.decode(payload)


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_payload_or_a_value_error(data: bytes) -> None:
    try:
        found = codec.decode(data)
    except ValueError:
        return
    assert len(found.metrics) <= codec.MOST_METRICS


@given(st.data())
def test_a_payload_that_is_cut_or_changed_is_a_payload_or_a_value_error(data: st.DataObject) -> None:
    whole = bytearray(bytes.fromhex(NBIRTH))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        codec.decode(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((place, value) for place in (codec.INT, codec.LONG) for value in (1.5, None, "1")),
        *((codec.TEXT, value) for value in (1, None, b"a")),
        *((place, value) for place in (codec.SINGLE, codec.TWICE) for value in (None, "1")),
        (codec.SINGLE, 1e300),
    ],
)
def test_what_is_no_value_of_a_type_is_not_written(place: int, value: object) -> None:
    with pytest.raises((TypeError, OverflowError, struct.error)):
        codec.value(place, value)  # type: ignore[arg-type]


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    (metric,) = codec.decode(codec.encode(1, [fields(codec.STRING, "a\udc80b")], 0)).metrics
    assert metric.value == "a?b"


def test_infinity_comes_back() -> None:
    """Whether it is sent is not the codec's business."""
    (metric,) = codec.decode(codec.encode(1, [fields(codec.FLOAT, math.inf)], 0)).metrics
    assert metric.value == math.inf
