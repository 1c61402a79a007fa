"""The answer of a device that says who it is, and whatever else may come instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu.mei_message import ReadDeviceInformationResponse

from drivers.modbus.identify import Identity, identity, parse


def test_the_example_of_the_specification() -> None:
    """§6.21: all objects in one answer."""
    objects = [b"Company identification", b"Product code XX", b"V2.11"]
    body = b"".join(bytes((number, len(each))) + each for number, each in enumerate(objects))
    part = parse(b"\x2b\x0e\x01\x01\x00\x00\x03" + body)
    assert (part.more, identity(part.objects)) == (None, Identity("Company identification", "Product code XX", "V2.11"))
    assert str(identity(part.objects)) == "Company identification Product code XX V2.11"


def test_more_follows_from_the_object_that_is_named() -> None:
    part = parse(b"\x2b\x0e\x01\x01\xff\x02\x01\x00\x02ab")
    assert (part.objects, part.more) == ({0: b"ab"}, 2)


@given(st.dictionaries(st.integers(0, 255), st.binary(max_size=20), max_size=5))
def test_what_pymodbus_says_is_understood(objects: dict[int, bytes]) -> None:
    response = ReadDeviceInformationResponse(read_code=1, information=dict(objects))
    assert parse(b"\x2b" + response.encode()).objects == objects


@pytest.mark.parametrize(
    "pdu",
    [
        "2b0e01",
        "2b0e0101000001",
        "2b0e010100000100",
        "2b0e0101000001000561",
        "2b0e01010000000000",
        "2b0e01010000010000ff",
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(pdu: str) -> None:
    with pytest.raises(ValueError, match="identification"):
        parse(bytes.fromhex(pdu))


@given(st.binary(max_size=253))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    try:
        found = identity(parse(raw).objects)
    except ValueError:
        return
    assert str(found).isprintable()


def test_what_no_terminal_should_see_is_left_out() -> None:
    assert identity({0: b" Acme\x1b[31m\r\n\0", 1: b"\xff\xfe"}) == Identity("Acme [31m", "\ufffd\ufffd", "")
