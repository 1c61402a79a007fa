"""Endpoints as people write them, and foreign errors as ours."""

import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.endpoint import canonical, settings, shared
from agent.model.errors import AgentError, Garbled, Unreachable
from drivers.modbus.config import PORTS
from drivers.modbus.timing import timing
from drivers.transport import mapped, parse_endpoint

TCP = {"tcp": 502}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://plc-3", "plc-3", 502),
        ("tcp://10.0.0.7:1502", "10.0.0.7", 1502),
        ("tcp://[::1]", "::1", 502),
        ("tcp://[fe80::1]:503", "fe80::1", 503),
        ("tcp://press_4.hall.local:502/", "press_4.hall.local", 502),
    ],
)
def test_an_endpoint_has_a_host_and_a_port(text: str, host: str, port: int) -> None:
    found = parse_endpoint(text, TCP)
    assert (found.scheme, found.host, found.port, str(found)) == ("tcp", host, port, text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("rtu:///dev/ttyUSB0?baud=9600", "not supported by this driver"),
        ("rtu+tcp://plc", "not supported by this driver"),
        ("listen://:502", "not supported by this driver"),
        ("opc.tcp://plc:4840", "is not an endpoint"),
        ("plc:502", "is not an endpoint"),
        ("", "is not an endpoint"),
        ("tcp://", "no usable host"),
        ("tcp://:502", "no usable host"),
        ("tcp://plc:0", "no usable host"),
        ("tcp://two words", "no usable host"),
        ("tcp://plc:99999", "Port out of range"),
        ("tcp://plc:modbus", "Port could not be cast"),
        ("tcp://::1:502", "in brackets"),
        ("tcp://[::1", "Invalid IPv6"),
        ("tcp://plc/1", "nothing may stand beside"),
        ("tcp://plc?unit=1", "nothing may stand beside"),
        ("tcp://user@plc", "nothing may stand beside"),
        ("tcp://" + "a." * 999, "is longer than 1024 characters"),
    ],
)
def test_a_bad_endpoint_says_what_is_wrong_and_what_to_write(text: str, word: str) -> None:
    with pytest.raises(ValueError, match="tcp://") as refused:
        parse_endpoint(text, TCP)
    assert word in str(refused.value)


_SCHEMES = ("tcp", "rtu", "ascii", "listen", "rtu+tcp", "udp", "://")
_PLACES = ("/dev/ttyUSB0", "COM3", "[::1%eth0]", "plc", ":", "502", "[", "]", "@")
_SETTINGS = ("?", "&", "=", "baud", "parity", "stop", "id", "9600", "nan", "1e400", "even", "0x7E", "0xé", "%00")
_WORDS = st.sampled_from((*_SCHEMES, *_PLACES, *_SETTINGS))


@given(st.one_of(st.text(max_size=40), st.lists(st.one_of(_WORDS, st.text(max_size=3)), max_size=12).map("".join)))
def test_whatever_stands_there_is_an_endpoint_or_an_error_that_quotes_it(text: str) -> None:
    """And the wires it is compared with are found for any text."""
    assert shared(canonical(text)) == shared(text)
    settings(text)
    try:
        timing(parse_endpoint(text, PORTS))
    except ValueError as error:
        said = str(error)
    else:
        return
    assert repr(text) in said


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (TimeoutError(), "no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), "the host name cannot be resolved"),
        (OSError("Multiple exceptions: …"), "Multiple exceptions: …"),
    ],
)
def test_a_foreign_error_becomes_ours_and_says_why(theirs: OSError, why: str) -> None:
    with (
        pytest.raises(Unreachable, match=why) as ours,
        mapped({OSError: Unreachable}, "plc-3: connect", hint="is it on?"),
    ):
        raise theirs
    assert str(ours.value).startswith("plc-3: connect: ")
    assert ours.value.hint == "is it on?"
    assert ours.value.__cause__ is theirs


def test_the_first_entry_that_fits_decides() -> None:
    table: dict[type[Exception], type[AgentError]] = {TimeoutError: Garbled, OSError: Unreachable}
    with pytest.raises(Garbled), mapped(table, "x"):
        raise TimeoutError
    with pytest.raises(Unreachable), mapped(table, "x"):
        raise BrokenPipeError


def test_what_is_not_in_the_table_passes() -> None:
    with pytest.raises(KeyError), mapped({OSError: Unreachable}, "x"):
        raise KeyError
