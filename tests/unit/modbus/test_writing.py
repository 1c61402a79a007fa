"""A value into the request that writes it: what a scan would read back is what was meant, or nothing is sent."""

import struct
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.api import enum_names
from drivers.modbus.config import Tag
from drivers.modbus.kinds import BCD, FLOATS, INTEGERS, integer_range
from drivers.modbus.writing import change
from tests.unit.modbus import oracle
from tests.unit.modbus.builders import tag


def sent(made: Tag, value: Any, order: str = "ABCD") -> list[str]:
    requests = change(made, value, unit=1, order=order).requests
    return [(bytes((request.function_code,)) + request.encode()).hex(" ") for request in requests]


@pytest.mark.parametrize(
    ("keys", "value", "first"),
    [
        ({"register": "coil"}, True, "05 00 00 ff 00"),
        ({"register": "coil"}, False, "05 00 00 00 00"),
        ({"type": "uint16"}, 0x1234, "06 00 00 12 34"),
        ({"type": "uint16", "order": "BA"}, 0x1234, "06 00 00 34 12"),
        ({"type": "int16"}, -2, "06 00 00 ff fe"),
        ({"type": "bool"}, True, "06 00 00 00 01"),
        ({"type": "uint16", "scale": 0.1}, 230.5, "06 00 00 09 01"),
        ({"type": "uint16", "scale": 0.1, "offset": -40}, 21.5, "06 00 00 02 67"),
        ({"type": "float32"}, 230.5, "10 00 00 00 02 04 43 66 80 00"),
        ({"type": "float32", "order": "CDAB"}, 230.5, "10 00 00 00 02 04 80 00 43 66"),
        ({"type": "float32", "order": "BADC"}, 230.5, "10 00 00 00 02 04 66 43 00 80"),
        ({"type": "float32", "order": "DCBA"}, 230.5, "10 00 00 00 02 04 00 80 66 43"),
        ({"type": "int64"}, -1, "10 00 00 00 04 08" + " ff" * 8),
        ({"type": "string", "length": 2}, "abc", "10 00 00 00 02 04 61 62 63 00"),
        ({"type": "string", "length": 2, "order": "BADC"}, "abc", "10 00 00 00 02 04 62 61 00 63"),
        ({"bit": 3}, True, "16 00 00 ff f7 00 08"),
        ({"bit": 3}, False, "16 00 00 ff f7 00 00"),
        ({"bit": 3, "order": "BA"}, True, "16 00 00 f7 ff 08 00"),
        ({"type": "int8"}, -1, "16 00 00 ff 00 00 ff"),
        ({"type": "uint8", "order": "BADC"}, 7, "16 00 00 00 ff 07 00"),
        ({"type": "uint8h"}, 7, "16 00 00 00 ff 07 00"),
        ({"type": "uint8h", "order": "BA"}, 7, "16 00 00 ff 00 00 07"),
        ({"type": "uint32", "bit": 17}, True, "16 00 00 ff fd 00 02"),
        ({"type": "uint32", "bit": 1}, True, "16 00 01 ff fd 00 02"),
        ({"type": "uint32", "bit": 17, "order": "CDAB"}, True, "16 00 01 ff fd 00 02"),
        ({"type": "uint32", "bit": 17, "order": "DCBA"}, True, "16 00 01 fd ff 02 00"),
        ({"type": "bcd16"}, 1234, "06 00 00 12 34"),
        ({"type": "bcd32", "order": "CDAB"}, 12345678, "10 00 00 00 02 04 56 78 12 34"),
        ({"type": "bytes", "length": 2}, "00ff 1234", "10 00 00 00 02 04 00 ff 12 34"),
        ({"type": "float16"}, 1.5, "06 00 00 3e 00"),
        ({"enum": {1: "on", 2: "auto"}}, "auto", "06 00 00 00 02"),
        ({"enum": {1: "on", 2: "auto"}}, 7, "06 00 00 00 07"),
    ],
)
def test_a_value_becomes_these_bytes(keys: dict[str, Any], value: Any, first: str) -> None:
    assert sent(tag(**keys), value)[0] == first


def test_a_device_without_the_short_function_is_asked_with_the_long_one() -> None:
    assert sent(tag(), 7) == ["06 00 00 00 07", "10 00 00 00 01 02 00 07"]
    assert sent(tag(register="coil"), True) == ["05 00 00 ff 00", "0f 00 00 00 01 01 01"]
    assert len(sent(tag(bit=1), True)) == 1


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        ({"register": "input"}, 1, "input registers cannot be written"),
        ({"register": "discrete"}, True, "discrete registers cannot be written"),
        ({"type": "uint16"}, 65536, "65536 is outside of what the uint16 can say: 0 to 65535"),
        ({"type": "uint16"}, -1, "outside"),
        ({"type": "uint16"}, 10**400, "outside"),
        ({"type": "float32"}, 10**400, "too large for a float32"),
        ({"type": "bcd16"}, 10000, "outside of what the bcd16 can say: 0 to 9999"),
        ({"type": "bytes", "length": 1}, "xyz", "are no bytes in hexadecimal, such as 0000"),
        ({"type": "bytes", "length": 1}, "00", "has 1 bytes, not 2"),
        ({"type": "datetime", "layout": "unix"}, "2026-01-01", "a datetime cannot be written yet"),
        ({"enum": {1: "on", 2: "auto"}}, "off", "'off' is none of its names: on, auto"),
        ({"enum": {1: "on", 2: "on", 3: "off"}}, "on", "'on' is none of its names: off"),
        ({"invalid": [7]}, 7, "7 would be read back as None"),
        ({"type": "int8", "invalid": [7]}, 7, "7 would be read back as None"),
        ({"type": "int16", "scale": 0.1}, 3276.8, "outside of what the int16 can say: -3276.8 to 3276.7"),
        ({"type": "uint16", "scale": 0.1}, 22.55, "falls between two steps of the uint16: 22.5 or 22.6"),
        ({"type": "int16", "scale": -0.5}, 1.2, "falls between two steps of the int16: 1 or 1.5"),
        ({"type": "uint16"}, True, "True is no number"),
        ({"type": "uint16"}, "7", "'7' is no number"),
        ({"type": "uint16"}, None, "None is no number"),
        ({"type": "float32"}, float("nan"), "nan is no value"),
        ({"type": "float32"}, float("inf"), "inf is no value"),
        ({"type": "float32"}, 1e39, "1e+39 is too large for a float32"),
        ({"type": "float32"}, 1e-46, "would be read back as 0.0"),
        ({"type": "string", "length": 2}, "abcde", "has 5 bytes, there is room for 4"),
        ({"type": "string", "length": 2}, "µµµ", "has 6 bytes"),
        ({"type": "string", "length": 4}, " ab", "would be read back as 'ab'"),
        ({"type": "string", "length": 4}, "a\0b", "would be read back as 'a'"),
        ({"type": "string", "length": 4}, 7, "7 is no text"),
        ({"register": "coil"}, 2, "neither true nor false"),
        ({"register": "coil"}, "on", "neither true nor false"),
        ({"bit": 3}, None, "neither true nor false"),
        ({"type": "int8"}, 128, "outside"),
    ],
)
def test_what_the_tag_cannot_hold_is_refused_with_the_reason(keys: dict[str, Any], value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        change(tag(**keys), value, unit=1, order="ABCD")


@given(oracle.tags(), st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]), st.data())
def test_what_is_written_is_what_a_naive_reader_reads(made: Tag, order: str, data: st.DataObject) -> None:
    """For any tag in any order: the registers that leave hold the value that was meant."""
    assume(made.register in ("coil", "holding"))
    made = made.model_copy(update={"order": made.order or order})
    value = data.draw(values(made))
    assume(not (made.enum or made.invalid) or value not in made.invalid)
    assume(not isinstance(value, str) or not made.enum or enum_names(made)[value] not in made.invalid)
    planned = change(made, value, unit=1, order=order)
    memory = [0] * 70000
    play(planned.requests[0].function_code, planned.requests[0].encode(), memory)
    assert oracle.value(made, memory) == planned.value
    assert planned.value == value or isinstance(value, float) or made.enum


SCALES, OFFSETS = st.sampled_from([0.1, 0.01, 0.3, 2.5, -0.5]), st.sampled_from([0, -40, 0.5])


@given(st.sampled_from(sorted(INTEGERS)), SCALES, OFFSETS, st.data())
def test_a_scaled_number_lands_on_the_raw_one_or_is_refused(
    kind: str, scale: float, offset: float, data: st.DataObject
) -> None:
    made = tag(type=kind, scale=scale, offset=offset)
    value = _scaled(made, data.draw(_bounded(made)))
    assert change(made, value, unit=1, order="ABCD").value == value
    with pytest.raises(ValueError, match=r"falls between|outside"):
        change(made, value + scale / 3, unit=1, order="ABCD")


@pytest.mark.parametrize("keys", [{"scale": 0.1}, {"scale": 1000, "offset": -40}, {"offset": 273.15}])
def test_a_scaled_float_is_as_close_as_its_type_allows(keys: dict[str, float]) -> None:
    planned = change(tag(type="float32", **keys), 229.7, unit=1, order="ABCD")
    assert planned.value == pytest.approx(229.7, rel=1e-5)


def _scaled(made: Tag, raw: int) -> Any:
    """What a scan makes of a raw number."""
    return oracle.meaning(made, raw)


def _bounded(made: Tag) -> st.SearchStrategy[int]:
    """Raw numbers that the type has and a scaled float64 tells apart."""
    if made.type in BCD:
        return st.integers(0, 10 ** (4 * made.words) - 1)
    low, high = integer_range(made.type)
    return st.integers(max(low, -(2**40)), min(high, 2**40))


def values(made: Tag) -> st.SearchStrategy[Any]:
    if made.bit is not None or made.type == "bool":
        return st.booleans()
    if made.type == "string":
        return st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=2 * made.length)
    if made.type == "bytes":
        return st.binary(min_size=2 * made.length, max_size=2 * made.length).map(bytes.hex)
    if made.type in FLOATS:
        width = {"float16": 16, "float32": 32, "float64": 64}[made.type]
        return st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]  # a literal
    return st.sampled_from([*made.enum, *enum_names(made)]) if made.enum else numbers(made)


def numbers(made: Tag) -> st.SearchStrategy[Any]:
    if not made.scaled and made.type not in BCD:
        return st.integers(*integer_range(made.type))
    return _bounded(made).map(lambda raw: _scaled(made, raw))


def play(function: int, body: bytes, memory: list[int]) -> None:
    """What a device does with a write."""
    address, first = struct.unpack_from(">HH", body)
    if function == 5:
        memory[address] = int(first == 0xFF00)
    elif function == 6:
        memory[address] = first
    elif function == 22:
        put = struct.unpack_from(">H", body, 4)[0]
        memory[address] = memory[address] & first | put & ~first & 0xFFFF
    else:
        assert function == 16
        words = struct.unpack(f">{first}H", body[5:])
        memory[address : address + first] = words
