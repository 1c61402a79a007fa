"""Requests for writing and identifying: the bytes of the specification, and what their answers must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.register_message import WriteMultipleRegistersRequest

from agent.model.errors import Garbled
from drivers.modbus import asking
from drivers.modbus.asking import Ask
from drivers.modbus.link import Request

ADDRESSES = st.integers(0, 65535)
WORDS = st.integers(0, 65535)


def pdu(request: Request) -> bytes:
    return bytes((request.function_code,)) + request.encode()


def understood(request: Ask) -> ModbusPDU:
    """What another implementation takes it for."""
    found = DecodePDU(is_server=True).decode(pdu(request))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("request_", "sent", "answer"),
    [  # the examples of Modbus Application Protocol 1.1b3, §6.5, §6.6, §6.11, §6.12, §6.16
        (asking.set_coil(1, 0x00AC, on=True), "05 00 ac ff 00", "05 00 ac ff 00"),
        (asking.set_register(1, 1, 3), "06 00 01 00 03", "06 00 01 00 03"),
        (
            asking.set_coils(1, 0x13, [bit == "1" for bit in "1011001110"]),
            "0f 00 13 00 0a 02 cd 01",
            "0f 00 13 00 0a",
        ),
        (asking.set_registers(1, 1, [0x000A, 0x0102]), "10 00 01 00 02 04 00 0a 01 02", "10 00 01 00 02"),
        (asking.mask_register(1, 4, 0x00F2, 0x0025), "16 00 04 00 f2 00 25", "16 00 04 00 f2 00 25"),
    ],
)
def test_a_write_is_what_the_specification_shows(request_: Ask, sent: str, answer: str) -> None:
    whole = bytes.fromhex(answer)
    assert pdu(request_) == bytes.fromhex(sent)
    assert (request_.echo, request_.head, request_.length) == (whole, whole[:2], len(whole))
    assert request_.once


def test_a_read_and_an_identification_may_be_sent_again() -> None:
    read, who = asking.look(7, "input", 0x48, 2), asking.identify(7)
    assert (pdu(read).hex(" "), read.head, read.length) == ("04 00 48 00 02", b"\x04\x04", 6)
    assert (pdu(who).hex(" "), who.head, who.length) == ("2b 0e 01 00", b"\x2b\x0e", 0)
    assert not read.once and not who.once
    assert str(read) == "unit 7, input registers 72-73 (30073-30074)"


@given(ADDRESSES, st.lists(st.booleans(), min_size=1, max_size=asking.MOST_COILS))
def test_pymodbus_reads_any_coils_as_they_were_meant(address: int, coils: list[bool]) -> None:
    found = understood(asking.set_coils(1, address, coils))
    assert (found.address, list(found.bits)[: len(coils)]) == (address, coils)


@given(ADDRESSES, st.lists(WORDS, min_size=1, max_size=asking.MOST_REGISTERS))
def test_pymodbus_reads_any_registers_as_they_were_meant(address: int, words: list[int]) -> None:
    found = understood(asking.set_registers(1, address, words))
    assert isinstance(found, WriteMultipleRegistersRequest)
    assert (found.address, list(found.registers)) == (address, words)


@pytest.mark.parametrize(
    "make",
    [
        lambda: asking.set_coils(1, 0, []),
        lambda: asking.set_coils(1, 0, [True] * 1969),
        lambda: asking.set_registers(1, 0, []),
        lambda: asking.set_registers(1, 0, [0] * 124),
        lambda: asking.look(1, "holding", 0, 126),
        lambda: asking.look(1, "coil", 0, 2001),
        lambda: asking.look(1, "input", 65535, 2),
        lambda: asking.look(1, "input", -1, 1),
    ],
)
def test_more_than_the_protocol_allows_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="cannot be"):
        make()


def test_an_answer_that_repeats_something_else_is_garbled() -> None:
    request = asking.set_register(3, 10, 0x1234)
    asking.confirmed(request, request.echo, "tcp://plc")
    with pytest.raises(Garbled, match=r"tcp://plc, unit 3, write holding registers 10 .* 06 00 0a 12 35, not 06 00 0a"):
        asking.confirmed(request, bytes.fromhex("06000a1235"), "tcp://plc")
