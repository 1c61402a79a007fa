"""What stands in registers beside plain numbers: bytes of a register, BCD, names, bits, dates, markers of no value."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.model.quality import Quality
from drivers.modbus.config import Tag
from drivers.modbus.convert import decimal
from drivers.modbus.decode import registers
from drivers.modbus.plan import plan
from tests.unit.modbus.builders import config, tag


def value(payload: str, **keys: Any) -> Any:
    """The value of one tag whose registers hold `payload`."""
    data = bytes.fromhex(payload)
    (found,) = registers([tag(**keys)], 0, "ABCD")(bytes((3, len(data))) + data)
    return found


def read(payload: str, *tags: Tag) -> list[tuple[Any, int]]:
    """(value, quality) of each tag."""
    data = bytes.fromhex(payload)
    (block,) = plan(tags, order="ABCD", max_registers=125, max_gap=0)
    values = block.decode(bytes((3, len(data))) + data)
    return list(zip(values, block.quality(values), strict=True))


def refused(**keys: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as error:
        tag(**keys)
    return [(str(each["loc"][0]), each["msg"]) for each in error.value.errors()]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("int8", -1), ("int8l", -1), ("uint8", 255), ("uint8l", 255), ("int8h", -128), ("uint8h", 128)],
)
@pytest.mark.parametrize(("order", "payload"), [("ABCD", "80ff"), ("BA", "ff80"), ("DCBA", "ff80")])
def test_either_byte_of_a_register(kind: str, expected: int, order: str, payload: str) -> None:
    assert value(payload, type=kind, order=order) == expected
    assert tag(type=kind).dtype == kind.rstrip("lh")


def test_half_precision() -> None:
    assert value("5b34", type="float16") == 230.5
    assert tag(type="float16").dtype == "float32"


@pytest.mark.parametrize(
    ("kind", "payload", "order", "expected"),
    [
        ("bcd16", "1234", None, 1234),
        ("bcd16", "0000", None, 0),
        ("bcd16", "123a", None, None),
        ("bcd32", "12345678", None, 12345678),
        ("bcd32", "56781234", "CDAB", 12345678),
        ("bcd32", "ffffffff", None, None),
    ],
)
def test_digits_of_four_bits(kind: str, payload: str, order: str | None, expected: int | None) -> None:
    (found,) = read(payload, tag(type=kind, order=order))
    assert found == (expected, Quality.GOOD if expected is not None else Quality.BAD_DECODE)


def test_digits_may_be_scaled_and_a_bad_one_stays_alone() -> None:
    tags = [tag("a", 0, type="bcd16", scale=0.1), tag("b", 1, type="bcd16", scale=0.1)]
    assert read("1234abcd", *tags) == [(123.4, 0), (None, Quality.BAD_DECODE)]


@given(st.integers(0, 99_999_999))
def test_every_number_survives_its_digits(number: int) -> None:
    assert decimal(int(str(number), 16)) == number


@pytest.mark.parametrize(("payload", "expected"), [("0000", "standby"), ("0200", "on_grid"), ("0201", "513")])
def test_a_number_has_a_name_or_stays_a_number_in_text(payload: str, expected: str) -> None:
    keys: dict[str, Any] = {"enum": {"0": "standby", "0x200": "on_grid"}}
    assert value(payload, **keys) == expected
    assert tag(**keys).dtype == "str"


def test_names_of_negative_numbers_may_be_written_as_the_register_shows_them() -> None:
    assert value("ffff", type="int16", enum={0xFFFF: "off"}) == "off"
    assert value("ffff", type="int16", enum={-1: "off"}) == "off"


@pytest.mark.parametrize(
    ("payload", "keys", "expected"),
    [
        ("7fff", {"invalid": 0x7FFF}, None),
        ("7ffe", {"invalid": 0x7FFF}, 0x7FFE),
        ("ffff", {"invalid": [0x7FFF, 0xFFFF]}, None),
        ("ffff", {"type": "int16", "invalid": [0xFFFF]}, None),
        ("8000", {"type": "int16", "invalid": [-32768], "scale": 0.1}, None),
        ("0017", {"type": "int16", "invalid": [-32768], "scale": 0.1, "offset": 1}, 3.3),
        ("7fffffff", {"type": "int32", "invalid": [0x7FFFFFFF]}, None),
        ("7fc00000", {"type": "float32", "invalid": "nan"}, None),
        ("7fc00000", {"type": "float32", "invalid": ["nan", -1], "scale": 0.1}, None),
        ("bf800000", {"type": "float32", "invalid": ["nan", -1], "scale": 0.1}, None),
        ("3dcccccd", {"type": "float32", "invalid": [0.1]}, None),
        ("43668000", {"type": "float32", "invalid": ["nan"], "scale": 2}, 461.0),
        ("ffff", {"enum": {0: "off"}, "invalid": [0xFFFF]}, None),
        ("0000", {"enum": {0: "off"}, "invalid": [0xFFFF]}, "off"),
    ],
)
def test_a_marker_says_that_there_is_no_value(payload: str, keys: dict[str, Any], expected: Any) -> None:
    assert read(payload, tag(**keys)) == [(expected, Quality.BAD_DEVICE if expected is None else Quality.GOOD)]


def test_no_value_and_no_text_are_told_apart() -> None:
    tags = [tag("a", 0, invalid=[0xFFFF]), tag("b", 1, type="string", length=1), tag("c", 2)]
    qualities = [quality for _, quality in read("ffff b543 0001".replace(" ", ""), *tags)]
    assert qualities == [Quality.BAD_DEVICE, Quality.BAD_DECODE, Quality.GOOD]


def test_a_nan_without_a_marker_is_left_to_those_who_check_numbers() -> None:
    ((found, quality),) = read("7fc00000", tag(type="float32"))
    assert math.isnan(found)
    assert quality == Quality.GOOD


def test_bytes_are_shown_in_hex_and_may_be_swapped() -> None:
    assert value("de ad be ef", type="bytes", length=2) == "deadbeef"
    assert value("ad de ef be", type="bytes", length=2, order="BA") == "deadbeef"
    assert tag(type="bytes", length=2).dtype == "str"


@pytest.mark.parametrize(
    ("layout", "payload", "expected"),
    [
        ("unix", "6553f100", "2023-11-14T22:13:20Z"),
        ("unix", "00000000", "1970-01-01T00:00:00Z"),
        ("iec870", "001a 0b1a 081e c350", "2026-11-26T08:30:50"),
        ("iec870", "001a 0b9a 881e c3cb", "2026-11-26T08:30:50.123"),
        ("iec870", "001a 0b1a 089e c350", None),
        ("iec870", "0000 0000 0000 0000", None),
        ("iec870", "ffff ffff ffff ffff", None),
        ("bcd", "2611 2608 3050", "2026-11-26T08:30:50"),
        ("bcd", "2613 2608 3050", None),
        ("bcd", "261a 2608 3050", None),
        ("words", "07ea 000b 001a 0008 001e 0032", "2026-11-26T08:30:50"),
        ("words", "001a 000b 001a 0008 001e 0032", "2026-11-26T08:30:50"),
        ("words", "ffff 000b 001a 0008 001e 0032", None),
    ],
)
def test_a_date_in_every_layout(layout: str, payload: str, expected: str | None) -> None:
    made = tag(layout=layout)
    assert (made.type, made.dtype) == ("datetime", "str")
    found = read(payload.replace(" ", ""), made)
    assert found == [(expected, Quality.GOOD if expected else Quality.BAD_DECODE)]


def test_a_date_that_comes_with_its_milliseconds_first() -> None:
    assert value("50c3 1e08 1a0b 1a00", layout="iec870", order="DCBA") == "2026-11-26T08:30:50"


@given(layout=st.sampled_from(["unix", "iec870", "bcd", "words"]), raw=st.binary(min_size=12, max_size=12))
def test_no_date_is_ever_an_exception(layout: str, raw: bytes) -> None:
    made = tag(layout=layout)
    ((found, quality),) = read(raw[: 2 * made.words].hex(), made)
    assert (found is None) == (quality == Quality.BAD_DECODE)


@pytest.mark.parametrize(("kind", "bit", "payload"), [("uint32", 20, "00100000"), ("int64", 63, "8000000000000000")])
def test_a_bit_of_a_wide_number(kind: str, bit: int, payload: str) -> None:
    assert value(payload, type=kind, bit=bit) is True
    assert value(payload, type=kind, bit=bit - 1) is False


def test_named_bits_become_tags() -> None:
    made = config([{"name": "alarm", "address": 7, "bits": {3: "pump", "0": "fan"}, "description": "faults"}])
    assert [(one.name, one.bit, one.dtype, one.description) for one in made.tags] == [
        ("alarm_fan", 0, "bool", "faults"),
        ("alarm_pump", 3, "bool", "faults"),
    ]
    assert [found for found, _ in read("0008", *made.tags)] == [False, True]


def test_a_named_bit_must_not_take_another_tag_s_name() -> None:
    with pytest.raises(ValidationError, match="there is a tag 'alarm_fan' already"):
        config([{"name": "alarm", "address": 7, "bits": {0: "fan"}}, {"name": "alarm_fan", "address": 9}])


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ({"type": "float32", "enum": {0: "off"}}, "enum", "a float32 has no enum"),
        ({"bit": 1, "type": "uint16", "enum": {0: "off"}}, "enum", "a bit has no enum"),
        ({"enum": {70000: "off"}}, "enum", "70000 does not fit into a uint16"),
        ({"enum": {"x": "off"}}, "enum", "valid integer"),
        ({"enum": {"1": "on", "0x1": "off"}}, "enum", "1 has two names: 'on' and 'off'"),
        ({"type": "int16", "enum": {"-1": "on", "0xFFFF": "off"}}, "enum", "-1 has two names: 'on' and 'off'"),
        ({"bits": {"0": "on", "0x0": "off"}}, "bits", "0 has two names: 'on' and 'off'"),
        ({"enum": {0: ""}}, "enum", "at least 1 character"),
        ({"enum": {0: "off"}, "scale": 2}, "scale", "what has an enum cannot be scaled"),
        ({"type": "string", "length": 2, "invalid": 1}, "invalid", "a string has no invalid numbers"),
        ({"bits": {0: "a"}, "invalid": 1}, "invalid", "a bit has no invalid numbers"),
        ({"invalid": "nan"}, "invalid", "a uint16 is a whole number"),
        ({"invalid": 1 << 16}, "invalid", "65536 does not fit into a uint16"),
        ({"type": "float32", "bits": {0: "a"}}, "bits", "a float32 has no single bits"),
        ({"bits": {16: "a"}}, "bits", "a uint16 has no bit 16: 0 to 15, or with `type: uint32`"),
        ({"bits": {0: "a", 1: "a"}}, "bits", "two bits have the same name"),
        ({"bits": {0: "a b"}}, "bits", "should match pattern"),
        ({"bit": 0, "type": "uint16", "bits": {0: "a"}}, "bits", "keep one of the two"),
        ({"register": "coil", "bits": {0: "a"}}, "bits", "a coil is one bit already"),
        ({"type": "datetime"}, "layout", "a datetime needs its layout"),
        ({"type": "uint32", "layout": "unix"}, "layout", "a uint32 has no layout"),
        ({"layout": "iec870", "length": 3}, "length", "a datetime takes 4 registers, not 3"),
        ({"layout": "words", "scale": 2}, "scale", "a datetime cannot be scaled"),
        ({"type": "bytes"}, "length", "what is bytes needs its length"),
        ({"type": "bytes", "length": 2, "scale": 2}, "scale", "what is bytes cannot be scaled"),
        ({"address": 65533, "layout": "iec870"}, "address", "4 registers from 65533 reach beyond"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_place(keys: dict[str, Any], place: str, message: str) -> None:
    ((at, said),) = refused(**keys)
    assert at == place
    assert message in said


def test_a_group_may_have_an_order_of_its_own() -> None:
    tags = [{"name": "a", "address": 0}, {"name": "b", "address": 1, "group": "slow"}]
    tags.append({"name": "c", "address": 2, "group": "slow", "order": "AB"})
    made = config(tags, order="BADC", groups={"slow": {"interval": "1m", "order": "CDAB"}})
    assert [made.order_of(one) for one in made.tags] == ["BADC", "CDAB", "AB"]
