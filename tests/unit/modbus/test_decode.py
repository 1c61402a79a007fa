"""Columns of a reply: exact, in every order, and the same as a naive decoder finds."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.quality import Quality
from drivers.modbus.config import Tag
from drivers.modbus.convert import rational, text
from drivers.modbus.decode import registers
from drivers.modbus.plan import plan
from tests.unit.modbus import oracle
from tests.unit.modbus.builders import tag

registers_in_memory = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=400)


def decoded(payload: str, *tags: Tag, order: str = "ABCD") -> list[Any]:
    """`payload` in hex from address 0."""
    data = bytes.fromhex(payload)
    return list(registers(tags, 0, order)(bytes((3, len(data))) + data))


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("int16", "ffff", -1),
        ("uint16", "ffff", 65535),
        ("int8", "aa80", -128),
        ("uint8", "aa80", 128),
        ("bool", "0000", False),
        ("bool", "0100", True),
        ("int32", "80000000", -(2**31)),
        ("uint32", "80000001", 2**31 + 1),
        ("int64", "8000000000000000", -(2**63)),
        ("uint64", "ffffffffffffffff", 2**64 - 1),
        ("float32", "43668000", 230.5),
        ("float64", "406cd00000000000", 230.5),
    ],
)
def test_every_type_in_network_order(kind: str, payload: str, expected: Any) -> None:
    (found,) = decoded(payload, tag(type=kind))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("order", "payload"), [("ABCD", "43668000"), ("CDAB", "80004366"), ("BADC", "66430080"), ("DCBA", "00806643")]
)
def test_a_float_in_every_order_from_tag_or_device(order: str, payload: str) -> None:
    assert decoded(payload, tag(type="float32", order=order)) == [230.5]
    assert decoded(payload, tag(type="float32"), order=order) == [230.5]


@pytest.mark.parametrize(("order", "expected"), [("AB", 0x1234), ("CDAB", 0x1234), ("BA", 0x3412), ("DCBA", 0x3412)])
def test_one_register_has_only_an_order_of_bytes(order: str, expected: int) -> None:
    assert decoded("1234", tag(order=order)) == [expected]
    assert decoded("1234", tag(order=order, type="uint8")) == [expected & 0xFF]


def test_tags_of_different_orders_share_a_block() -> None:
    tags = [tag("a", 0, type="float32"), tag("b", 2, type="float32", order="CDAB"), tag("c", 5, order="BA")]
    assert decoded("4366800080004366dead0100", *tags) == [230.5, 230.5, 1]


def test_tags_share_a_register() -> None:
    tags = [tag("all", 0), tag("run", 0, bit=0), tag("fault", 0, bit=15), tag("low", 0, type="int8")]
    assert decoded("8001", *tags) == [0x8001, True, True, 1]


def test_a_bit_of_a_signed_register_is_a_bool_as_well() -> None:
    assert decoded("8000", tag(type="int16", bit=15), tag(type="int16", bit=14)) == [True, False]


@pytest.mark.parametrize(
    ("raw", "scale", "offset", "expected"),
    [
        (2305, 0.1, 0, 230.5),
        (3, 0.1, 0, 0.3),
        (653, 0.1, -40, 25.3),
        (7, 0.3, 0, 2.1),
        (1, 0.006103515625, 0, 0.006103515625),
        (2, 10, 0.5, 20.5),
        (5, -0.01, 0, -0.05),
        (29815, 0.01, -273.15, 25.0),
        (1, 1, 1, 2.0),
    ],
)
def test_scaling_adds_no_binary_noise(raw: int, scale: float, offset: float, expected: float) -> None:
    (found,) = decoded(f"{raw:04x}", tag(scale=scale, offset=offset))
    assert found == expected
    assert type(found) is float


def test_a_counter_of_64_bits_stays_exact_when_it_is_not_scaled() -> None:
    assert decoded("7fffffffffffffff", tag(type="int64")) == [2**63 - 1]


@given(
    raw=st.integers(-(2**63), 2**64 - 1),
    scale=st.floats(-1e9, 1e9).filter(lambda scale: abs(scale) > 1e-9),
    offset=st.floats(-1e9, 1e9).filter(lambda offset: abs(offset) > 1e-9),
)
def test_scaling_is_the_nearest_float_to_the_decimal_result(raw: int, scale: float, offset: float) -> None:
    p, c, q = rational(scale, offset)
    exact = Decimal(raw) * Decimal(repr(scale)) + Decimal(repr(offset))
    assert math.isclose((raw * p + c) / q, exact, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("payload", ["7fc00000", "7f800000", "ff800000"])
def test_what_is_not_finite_stays_in_its_column(payload: str) -> None:
    plain, scaled = tag(type="float32"), tag(type="float32", scale=0.1, offset=3)
    assert not any(math.isfinite(found) for found in decoded(payload, plain, scaled))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"SDM630\0\0", "SDM630"),
        (b"SDM630  ", "SDM630"),
        (b"\0\0SDM630", "SDM630"),
        (b"SDM630\0x", "SDM630"),
        (b"SDM \0\0\0\0", "SDM"),
        (b"\0\0\0\0", ""),
        ("µ2 电".encode(), "µ2 电"),
        (b"\xb5C", None),
    ],
)
def test_a_text_loses_its_padding_and_must_be_utf_8(raw: bytes, expected: str | None) -> None:
    assert text(raw) == expected


@pytest.mark.parametrize(("order", "payload"), [("ABCD", "4142432d3100"), ("BA", "42412d430031")])
def test_the_bytes_of_a_text_may_be_swapped(order: str, payload: str) -> None:
    assert decoded(payload, tag(type="string", length=3, order=order)) == ["ABC-1"]


def test_tags_that_are_converted_in_turn_keep_their_columns() -> None:
    kinds: list[dict[str, Any]] = [{"scale": 0.1}, {}, {"enum": {3: "three"}}]
    tags = [tag(f"t{at}", at, **kinds[at % 3]) for at in range(12)]
    payload = "".join(f"{at + 1:04x}" for at in range(12))
    expected = [0.1, 2, "three", 0.4, 5, "6", 0.7, 8, "9", 1.0, 11, "12"]
    assert decoded(payload, *tags) == expected


def test_only_the_text_that_does_not_decode_is_bad() -> None:
    tags = [tag("a", 0), tag("b", 1, type="string", length=1), tag("c", 2)]
    (block,) = plan(tags, order="ABCD", max_registers=125, max_gap=0)
    values = block.decode(bytes.fromhex("03 06 0001 b543 0002"))
    assert list(values) == [1, None, 2]
    assert block.quality(values) == bytes((Quality.GOOD, Quality.BAD_DECODE, Quality.GOOD))


def test_coils_come_lowest_bit_first_and_the_padding_is_ignored() -> None:
    coils = [tag(f"c{at}", at, register="coil") for at in (0, 1, 3, 9)]
    (block,) = plan(coils, order="ABCD", max_registers=125, max_gap=16)
    assert list(block.decode(bytes.fromhex("01 02 09 fe"))) == [True, False, True, True]


def test_two_tags_may_share_a_coil() -> None:
    coils = [tag("a", 4, register="coil"), tag("b", 4, register="coil"), tag("c", 5, register="coil")]
    (block,) = plan(coils, order="ABCD", max_registers=125, max_gap=16)
    assert list(block.decode(bytes.fromhex("01 01 01"))) == [True, True, False]


def same(found: Any, expected: Any) -> bool:
    both_nan = isinstance(found, float) and isinstance(expected, float) and math.isnan(found) and math.isnan(expected)
    return both_nan or (found == expected and type(found) is type(expected))


@given(tags=oracle.tag_lists(), memory=registers_in_memory, gap=st.integers(0, 124))
def test_a_block_decodes_as_each_tag_alone(tags: list[Tag], memory: list[int], gap: int) -> None:
    for block in plan(tags, order="ABCD", max_registers=125, max_gap=gap):
        found = block.decode(oracle.answer(block, memory))
        expected = [oracle.value(tag, memory) for tag in block.tags]
        assert len(found) == len(expected)
        assert all(map(same, found, expected)), (block.tags, found, expected)
        assert len(block.quality(found)) == len(expected)
