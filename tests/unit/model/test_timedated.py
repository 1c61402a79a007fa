"""The clock's state over D-Bus: a bus of our own says what a real one says, in pieces, late, wrongly or not at all."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.timedated import MOST, OFTEN, SELDOM, WAIT, Timedated, answer, question

OK = b"OK 413ad3a82a2e4fa79022508a6b08937c\r\n"


def message(kind: int, body: bytes, order: str = "<") -> bytes:
    """With fields of no interest."""
    first = b"l" if order == "<" else b"B"
    fields = b"\x05\x01u\0" + struct.pack(f"{order}I", 1) + b"\x06\x01s\0" + struct.pack(f"{order}I", 4) + b":1.3\0"
    head = first + bytes((kind, 0, 1)) + struct.pack(f"{order}III", len(body), 7, len(fields)) + fields
    return head + bytes(-len(head) % 8) + body


def said(value: int, order: str = "<") -> bytes:
    """As dbus-daemon: a reply to Hello, a signal, and the reply that counts."""
    name = struct.pack(f"{order}I", 4) + b":1.3\0"
    yes = b"\x01b\0\0" + struct.pack(f"{order}I", value)
    return OK + message(2, name, order) + message(4, name, order) + message(2, yes, order)


def _damaged(where: tuple[bytes, int]) -> bytes:
    """A proper answer with other bytes somewhere."""
    (bytes_, at), whole = where, said(1)[len(OK) :]
    return whole[:at] + bytes_ + whole[at + len(bytes_) :]


class Bus:
    """Its socket, and a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.now, path = 0.0, str(folder / "bus")
        self._end = socket.socket(socket.AF_UNIX)
        self._end.bind(path)
        self._end.listen(1)
        self._end.settimeout(0)
        self.ask = Timedated(path, lambda: self.now)

    def accept(self) -> socket.socket:
        return self._end.accept()[0]

    def asked(self) -> bool:
        """Whether somebody has called."""
        try:
            self.accept().close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self.ask.close()
        self._end.close()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    made = Bus(tmp_path)
    yield made
    made.close()


def test_the_question_is_all_in_one(bus: Bus) -> None:
    bus.ask()
    with bus.accept() as caller:
        heard = caller.recv(4096)
    assert heard == question(int(bytes.fromhex(heard.split()[2].decode())))
    assert heard.startswith(b"\0AUTH EXTERNAL ")
    hello, get = heard.partition(b"BEGIN\r\n")[2].split(b"l\x01\0\x01")[1:]
    assert b"Hello" in hello
    assert get.endswith(b"\0NTPSynchronized\0")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", [0, 1])
def test_the_answer_comes_in_pieces_and_nobody_waits(bus: Bus, value: int, order: str) -> None:
    assert bus.ask() is False
    with bus.accept() as caller:
        for byte in said(value, order):
            assert bus.ask() is False
            caller.send(bytes((byte,)))
        assert bus.ask() is bool(value)
    assert bus.ask() is bool(value)


def test_it_asks_more_and_more_seldom(bus: Bus) -> None:
    times: list[float] = []
    while len(times) < 8:
        bus.ask()
        with suppress(BlockingIOError), bus.accept() as caller:
            caller.send(said(1))
            times.append(bus.now)
            assert bus.ask() is True
        bus.now += OFTEN
    pauses = [later - before for before, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (OFTEN, SELDOM)


def test_who_does_not_answer_is_asked_again_later(bus: Bus) -> None:
    bus.ask()
    with bus.accept():
        bus.now += WAIT - 1
        bus.ask()
        assert not bus.asked()
        bus.now += 2
        bus.ask()
    bus.now += OFTEN
    assert bus.ask() is False
    assert bus.asked()


def test_what_it_said_is_not_relied_on_when_it_does_not_say_any_more(bus: Bus) -> None:
    bus.ask()
    with bus.accept() as caller:
        caller.send(said(1))
        assert bus.ask() is True
    bus.now += OFTEN
    bus.ask()
    bus.accept().close()
    assert bus.ask() is False


def test_without_a_bus_the_clock_is_in_doubt(tmp_path: Path) -> None:
    ask = Timedated(str(tmp_path / "nobody"))
    assert [ask(), ask()] == [False, False]


@pytest.mark.parametrize(
    "heard",
    [
        b"REJECTED EXTERNAL\r\n",
        OK,
        OK + b"x" * 100,
        OK + message(2, b"") + message(3, b"\0\0\0\x05error"),
        OK + message(2, b"") + message(2, b"\x01s\0\0\0\0\0\1"),
        OK + b"l" + b"\xff" * 40,
        said(1)[:-1],
    ],
    ids=["refused", "nothing", "rubbish", "an error", "another type", "endless", "not all of it"],
)
def test_what_is_no_answer_is_none(heard: bytes) -> None:
    assert answer(heard) is None


def test_a_bus_that_talks_without_end_is_hung_up_on(bus: Bus) -> None:
    bus.ask()
    with bus.accept() as caller:
        caller.setblocking(False)
        sent = caller.send(OK)
        with suppress(BlockingIOError):
            while sent < 2 * MOST:
                sent += caller.send(b"x" * 4096)
        assert sent > MOST
        assert bus.ask() is False
        with pytest.raises(BrokenPipeError):
            caller.send(b"x")


@given(st.binary(max_size=200) | st.tuples(st.binary(max_size=200), st.integers(0, 150)).map(_damaged))
@settings(max_examples=300)
def test_no_bytes_break_it(heard: bytes) -> None:
    assert answer(OK + heard) in (None, True, False)
