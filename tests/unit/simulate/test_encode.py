"""Registers that are filled with a value read back as it: random tags, through the driver's own decoder."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.decode import registers
from drivers.modbus.encode import encoder
from drivers.modbus.kinds import BITS, BYTES, DATE_WORDS, FLOATS, INTEGERS, integer_range
from drivers.modbus.tag import Tag
from tests.unit.modbus.builders import tag

ORDERS = st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"])
NUMBERS = sorted(INTEGERS | FLOATS)


def there_and_back(found: Tag, value: object, order: str = "ABCD", memory: bytearray | None = None) -> Any:
    """What a scan reads of a device whose registers were filled with `value`."""
    memory = bytearray(2 * found.words) if memory is None else memory
    encoder(found, order)(memory, 0, value)  # type: ignore[arg-type]  # as drawn
    (read,) = registers([found], 0, order)(bytes((3, len(memory))) + memory)
    return read


@given(st.sampled_from(sorted(INTEGERS)), ORDERS, st.data())
def test_every_integer_in_every_order(kind: str, order: str, data: st.DataObject) -> None:
    low, high = integer_range(kind)
    value = data.draw(st.integers(low, high))
    assert there_and_back(tag(type=kind), value, order) == value


@given(
    st.sampled_from(["int16", "uint16", "int32", "uint32", "bcd16", "bcd32"]),
    ORDERS,
    st.sampled_from([0.001, 0.01, 0.1, 1.0, 2.0, -0.1, 60.0]),
    st.sampled_from([0.0, -40.0, 0.5]),
    st.data(),
)
def test_a_scaled_number_is_the_nearest_that_the_register_can_say(
    kind: str, order: str, scale: float, offset: float, data: st.DataObject
) -> None:
    found = tag(type=kind, scale=scale, offset=offset)
    low, high = integer_range(kind) if kind in INTEGERS else (0, 9999)
    raw = data.draw(st.floats(low, high))
    value = raw * scale + offset
    assert there_and_back(found, value, order) == pytest.approx(value, abs=abs(scale) * 0.51 + 1e-9 * abs(value))


@given(st.floats(allow_nan=False, allow_infinity=False), ORDERS)
def test_floats_of_every_size(value: float, order: str) -> None:
    assert there_and_back(tag(type="float64"), value, order) == value
    single = min(max(value, -3.4028234663852886e38), 3.4028234663852886e38)
    assert there_and_back(tag(type="float32"), value, order) == struct.unpack("f", struct.pack("f", single))[0]
    assert math.isfinite(there_and_back(tag(type="float16"), value, order))


@given(st.sampled_from(sorted(BITS)), ORDERS, st.data())
def test_a_bit_leaves_the_others_alone(kind: str, order: str, data: st.DataObject) -> None:
    bits = sorted(data.draw(st.sets(st.integers(0, BITS[kind] - 1), min_size=1, max_size=6)))
    on = [data.draw(st.booleans()) for _ in bits]
    tags = [tag(name=f"b{bit}", type=kind, bit=bit) for bit in bits]
    memory = bytearray(2 * tags[0].words)
    for each, value in zip(tags, on, strict=True):
        encoder(each, order)(memory, 0, value)
    read = registers(tags, 0, order)(bytes((3, len(memory))) + memory)
    assert list(read) == on


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12), ORDERS)
def test_text_is_cut_between_characters(text: str, order: str) -> None:
    read = there_and_back(tag(type="string", length=8), text, order)
    whole = text.strip(" ")
    assert read is not None
    assert whole.startswith(read.strip(" ")) or text.startswith(read)
    if len(text.encode()) <= 16:
        assert read == text.strip("\0 ")


@given(st.binary(min_size=4, max_size=4), ORDERS)
def test_bytes(data: bytes, order: str) -> None:
    assert there_and_back(tag(type="bytes", length=2), data.hex(), order) == data.hex()


@given(st.datetimes(), st.sampled_from(sorted(DATE_WORDS)), ORDERS)
def test_dates_in_every_layout(moment: Any, layout: str, order: str) -> None:
    moment = moment.replace(year=2000 + moment.year % 100, microsecond=0)
    read = there_and_back(tag(type="datetime", layout=layout), moment.isoformat(), order)
    assert read == moment.isoformat() + "Z" * (layout == "unix")


@pytest.mark.parametrize("kind", sorted(BYTES))
def test_the_other_byte_of_a_register_is_left_alone(kind: str) -> None:
    memory = bytearray(b"\x55\x55")
    encoder(tag(type=kind), "ABCD")(memory, 0, 1)
    assert sorted(memory) == [1, 0x55]


@pytest.mark.parametrize("kind", NUMBERS)
def test_too_much_is_as_much_as_there_is_room_for(kind: str) -> None:
    read = there_and_back(tag(type=kind), 1e300)
    assert read == integer_range(kind)[1] if kind in INTEGERS else math.isfinite(read)


def test_no_value_is_the_mark_for_it_and_a_name_its_number() -> None:
    marked = tag(type="int16", invalid=[0x7FFF])
    memory = bytearray(2)
    encoder(marked, "ABCD")(memory, 0, None)
    assert memory == b"\x7f\xff"
    assert there_and_back(tag(type="uint16", enum={0: "off", 512: "on"}), "on") == "on"
