"""Addresses as manuals print them and short forms of other products mean what their makers mean by them."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.modbus.config import Config, Tag
from drivers.modbus.spelling import one_line
from tests.unit.modbus.builders import config, tag

SHORT = ["name", "register", "address", "type", "bit", "length", "scale", "order"]


def place(address: Any, **keys: Any) -> tuple[str, int]:
    made = Tag.model_validate({"name": "t", "address": address, **keys})
    return made.register, made.address


def objection(address: Any, **keys: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Tag.model_validate({"name": "t", "address": address, **keys})
    (only,) = error.value.errors()
    assert only["loc"] == ("address",)
    return str(only["msg"])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (40001, ("holding", 40001)),
        (0, ("holding", 0)),
        ("0x48", ("holding", 0x48)),
        ("0X0017", ("holding", 0x17)),
        ("40001", ("holding", 0)),
        ("49999", ("holding", 9998)),
        ("400001", ("holding", 0)),
        ("465536", ("holding", 65535)),
        (400001, ("holding", 0)),
        (365536, ("input", 65535)),
        ("30073", ("input", 72)),
        ("300073", ("input", 72)),
        ("10017", ("discrete", 16)),
        ("00017", ("coil", 16)),
        ("000017", ("coil", 16)),
        ("4x1", ("holding", 0)),
        ("4x0001", ("holding", 0)),
        ("4X40001", ("holding", 40000)),
        ("3x73", ("input", 72)),
        ("1x17", ("discrete", 16)),
    ],
)
def test_an_address_in_every_spelling(address: Any, expected: tuple[str, int]) -> None:
    assert place(address) == expected


@pytest.mark.parametrize(
    ("address", "keys", "expected"),
    [
        (1, {}, ("holding", 0)),
        (40001, {}, ("holding", 0)),
        (40001, {"register": "holding"}, ("holding", 0)),
        (30001, {}, ("input", 0)),
        (30001, {"register": "input"}, ("input", 0)),
        (30001, {"register": "holding"}, ("holding", 30000)),
        (13001, {}, ("holding", 13000)),
        (13001, {"register": "input"}, ("input", 13000)),
        (10017, {"register": "discrete"}, ("discrete", 16)),
        (40000, {}, ("holding", 39999)),
        (400001, {}, ("holding", 0)),
        ("40001", {}, ("holding", 0)),
        ("0x10", {}, ("holding", 15)),
        ("1!400004", {}, ("holding", 3)),
    ],
)
def test_addresses_that_count_from_1(address: Any, keys: dict[str, Any], expected: tuple[str, int]) -> None:
    """Whether the tag says so or the device does for all of its tags."""
    assert place(address, address_base=1, **keys) == expected
    (one,) = config([{"name": "t", "address": address, **keys}], address_base=1).tags
    assert (one.register, one.address) == expected


def test_a_tag_may_count_from_0_where_the_device_does_not() -> None:
    (one,) = config([{"name": "t", "address": 7, "address_base": 0}], address_base=1).tags
    assert one.address == 7


def test_there_is_no_register_0_where_counting_starts_with_1() -> None:
    assert "there is no address 0" in objection(0, address_base=1)
    with pytest.raises(ValidationError, match="there is no address 0"):
        config([{"name": "t", "address": 0}], address_base=1)


def test_a_tag_that_needs_no_counting_is_shared_by_all_devices_of_its_map() -> None:
    shared = tag()
    base = {"driver": "modbus", "endpoint": "tcp://plc", "tags": [shared]}
    assert all(Config.model_validate({"name": name, **base}).tags[0] is shared for name in ("one", "two"))


@pytest.mark.parametrize(
    ("address", "keys", "expected"),
    [
        ("1!400004#BL", {"type": "float32"}, {"address": 3, "order": "CDAB", "unit_id": 1}),
        ("1!400004#LL", {"type": "float32"}, {"order": "ABCD"}),
        ("1!400004#LB", {"type": "float32"}, {"order": "BADC"}),
        ("1!400004#BB", {"type": "float32"}, {"order": "DCBA"}),
        ("1!400004#B", {}, {"order": "BA"}),
        ("1!300004.3", {}, {"register": "input", "address": 3, "bit": 3, "type": "bool"}),
        ("1!300004.3#B", {}, {"bit": 3, "order": "BA"}),
        ("1!400001.10H", {}, {"type": "string", "length": 5, "order": "AB"}),
        ("1!400001.9L", {}, {"type": "string", "length": 5, "order": "BA"}),
        ("1!400001.100", {}, {"type": "string", "length": 50}),
        ("1!400001.10", {"type": "string"}, {"type": "string", "length": 5, "bit": None}),
        ("1!400001.10", {"type": "bytes"}, {"type": "bytes", "length": 5}),
        ("1!000017", {}, {"register": "coil", "address": 16, "type": "bool"}),
        ("247!40004", {}, {"unit_id": 247, "address": 3}),
    ],
)
def test_a_short_form_with_a_station(address: str, keys: dict[str, Any], expected: dict[str, Any]) -> None:
    made = Tag.model_validate({"name": "t", "address": address, **keys})
    assert {key: getattr(made, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("address", "keys", "message"),
    [
        ("12", {}, "'12' is no address: leave the quotes away"),
        ("50001", {}, "'50001' is no address"),
        ("0x00017", {}, "0x is hexadecimal and has four digits at most; a coil is '00017'"),
        ("40000", {}, "count from 1 to 65536"),
        ("4x70000", {}, "count from 1 to 65536"),
        ("466000", {}, "count from 1 to 65536"),
        ("x", {}, "write 12, 0x48, '40013' or '4x0013'"),
        ("", {}, "is no address"),
        ("40001", {"register": "input"}, "'40001' says register holding, and `register` says input"),
        ("1!400004#BL", {"order": "ABCD", "type": "float32"}, "says order CDAB, and `order` says ABCD"),
        ("1!400004.10H", {"type": "uint16"}, "says type string, and `type` says uint16"),
        ("1!400004.10D", {}, "one character in a register (D) is not supported"),
        ("1!400004.3.10H", {}, "a bit and a length do not go together"),
        ("1!500004", {}, "write UNIT!PLACE"),
        ("1!400004#XY", {}, "write UNIT!PLACE"),
        ("a!400004", {}, "write UNIT!PLACE"),
        (500_000, {}, "less than or equal to 65535"),
        (400_000, {}, "less than or equal to 65535"),
        (400_001, {"register": "input"}, "less than or equal to 65535"),
    ],
)
def test_an_address_that_is_none_says_what_would_be_one(address: Any, keys: dict[str, Any], message: str) -> None:
    assert message in objection(address, **keys)


def test_a_short_form_of_another_unit_is_refused() -> None:
    tags = [{"name": "speed", "address": "2!400004"}]
    assert config(tags, unit=2).tags[0].address == 3
    with pytest.raises(ValidationError, match="names unit 2, and the device is unit 1") as error:
        config(tags)
    assert error.value.errors()[0]["loc"] == ("tags", 0, "address")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v.holding.12.float32", ("v", "holding", 12, "float32", None, 0, 1.0, None)),
        ("v.input.12.FLOAT32:scale=0.1", ("v", "input", 12, "float32", None, 0, 0.1, None)),
        ("v.input.12.FLOAT32-IEEE:order=cdab", ("v", "input", 12, "float32", None, 0, 1.0, "CDAB")),
        ("a.holding.12.BIT:bit=3", ("a", "holding", 12, "bool", 3, 0, 1.0, None)),
        ("a.holding.12.uint16:bit=3", ("a", "holding", 12, "uint16", 3, 0, 1.0, None)),
        ("s.holding.12.STRING:length=10", ("s", "holding", 12, "string", None, 10, 1.0, None)),
        ("line.1.v.holding.12.int16", ("line.1.v", "holding", 12, "int16", None, 0, 1.0, None)),
        ("c.coil.7", ("c", "coil", 7, "bool", None, 0, 1.0, None)),
        ("c.coil.7.bit", ("c", "coil", 7, "bool", None, 0, 1.0, None)),
        ("v.holding.12", ("v", "holding", 12, "uint16", None, 0, 1.0, None)),
        ("v.holding.40013.int16", ("v", "holding", 40013, "int16", None, 0, 1.0, None)),
        ("v.holding.0x0C.int16", ("v", "holding", 12, "int16", None, 0, 1.0, None)),
        ("v.holding.4x0013.int16:slaveID=1:scale=2", ("v", "holding", 12, "int16", None, 0, 2.0, None)),
    ],
)
def test_a_tag_in_one_line(text: str, expected: tuple[Any, ...]) -> None:
    made = Tag.model_validate(one_line(text))
    assert tuple(getattr(made, key) for key in SHORT) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voltage", "'voltage' is no tag: write a mapping, or NAME.REGISTER.ADDRESS.TYPE"),
        ("v.12", "is no tag"),
        (".holding.12.int16", "is no tag"),
        ("v.hold.12.int16", "'hold' is not known here: one of coil, discrete, input, holding"),
        ("v.holding.12.int", "'int' is not known here: one of bool"),
        ("v.holding.12.int16:gain=2", "'gain=2' is not known here: one of unit_id, scale"),
        ("v.holding.12.int16:scale", "'scale' is not known here"),
        ("v.holding.12.int16:scale=x", "'scale=x': 'x' must be a number"),
        ("v.holding.12.int16:order=ACBD", "'ACBD' is not known here"),
    ],
)
def test_a_line_that_is_no_tag_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        one_line(text)
    assert message in str(error.value)


@given(st.text(st.sampled_from("0134x!#.BLHDEv:=holdingcoil "), max_size=30) | st.text(max_size=30))
def test_no_text_is_ever_more_than_refused(text: str) -> None:
    try:
        made = Tag.model_validate({"name": "t", "address": text})
        assert 0 <= made.address <= 65_535
    except ValidationError:
        pass
    with suppress(ValueError):
        Tag.model_validate(one_line(text))
