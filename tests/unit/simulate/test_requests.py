"""Requests are found in what comes over a wire, in pieces and among noise."""

import pytest

from agent.simulate.requests import AsciiReader, Reader, RtuReader, TcpReader
from drivers.modbus.frames import Ascii, Rtu

PDUS = [
    bytes.fromhex("0300000002"),
    bytes.fromhex("010000000a"),
    bytes.fromhex("060001002a"),
    bytes.fromhex("0f000000030105"),
    bytes.fromhex("100000000102002a"),
    bytes.fromhex("1600010000ffff"),
    bytes.fromhex("2b0e0100"),
]


def tcp(number: int, unit: int, pdu: bytes) -> bytes:
    return number.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu


def frames(kind: str) -> list[bytes]:
    if kind == "tcp":
        return [tcp(number, 7, pdu) for number, pdu in enumerate(PDUS)]
    framing = Rtu() if kind == "rtu" else Ascii()
    return [framing.build(7, pdu) for pdu in PDUS]


READERS: dict[str, type[Reader]] = {"tcp": TcpReader, "rtu": RtuReader, "ascii": AsciiReader}


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_in_pieces_of_any_size(kind: str, size: int) -> None:
    reader = READERS[kind]()
    stream = b"".join(frames(kind))
    found = [asked for at in range(0, len(stream), size) for asked in reader.feed(stream[at : at + size])]
    assert [asked.pdu for asked in found] == PDUS
    assert {asked.unit for asked in found} == {7}


def test_lines_of_ascii() -> None:
    reader = AsciiReader()
    stream = b"".join(Ascii().build(7, pdu) for pdu in PDUS if pdu[0] <= 16 and pdu[0] != 43)
    found = [asked.pdu for at in range(0, len(stream), 5) for asked in reader.feed(stream[at : at + 5])]
    assert found == [pdu for pdu in PDUS if pdu[0] <= 16]


@pytest.mark.parametrize(
    "noise", [b"\xff", b"\x07\x03\x00", b"\x00" * 40, b"\x07\x10\x00\x00\x00\x01\xff", b"x" * 3000]
)
def test_noise_on_a_serial_line_is_passed_over(noise: bytes) -> None:
    reader = RtuReader()
    assert reader.feed(noise) == []
    found = [asked.pdu for frame in frames("rtu") for asked in reader.feed(frame)]
    assert found == PDUS


def test_what_is_no_modbus_tcp_is_thrown_away() -> None:
    reader = TcpReader()
    assert reader.feed(b"GET / HTTP/1.1\r\n\r\n") == []
    assert [asked.pdu for asked in reader.feed(tcp(1, 1, PDUS[0]))] == [PDUS[0]]


def test_an_answer_goes_back_in_the_framing_of_its_request() -> None:
    (asked,) = TcpReader().feed(tcp(513, 7, PDUS[0]))
    assert asked.reply(b"\x83\x02") == bytes.fromhex("02010000000307") + b"\x83\x02"
    (asked,) = RtuReader().feed(Rtu().build(7, PDUS[0]))
    assert asked.reply(b"\x83\x02") == Rtu().build(7, b"\x83\x02")
