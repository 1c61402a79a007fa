"""Hostile servers: a false length costs nothing and ends at once, a silent one ends in time, in each phase."""

import asyncio
import gc
import struct
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import variant_from_binary
from asyncua.ua.uaerrors import UaError
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.errors import DeviceError, Garbled, Unreachable
from drivers.opcua.channel import Channel
from drivers.opcua.guard import CHUNK, UNDECODABLE, Protocol, Strict
from tests.lengths import often
from tests.sim.hostile_opcua import Hostile, as_is, frame, header, hostile_server
from tests.unit.opcua.conftest import device

pytestmark = pytest.mark.xdist_group("opcua")

HUGE = struct.pack("<i", (1 << 31) - 1)
FOUR_GB = struct.pack("<I", 0xFFFFFFF0)
CREATED = 464  # CreateSessionResponse, its encoding
OPENED = 449  # OpenSecureChannelResponse
BACK = HUGE + struct.pack("<i", -4)  # texts of -4 bytes: each read steps back to its own length


BODIES: dict[str, bytes] = {
    "a text of 2 GB": header(CREATED, struct.pack("<i", 1) + HUGE),
    "2^31 texts": header(CREATED, HUGE),
    "texts that step back": header(CREATED, BACK),
    "an additional header of 2 GB": header(CREATED, extra=b"\x01\x00\x92\x01\x01" + HUGE),
    "2^31 endpoints": header(CREATED)
    + b"\x00\x00\x00\x00"
    + struct.pack("<d", 1)
    + struct.pack("<ii", -1, -1)
    + HUGE
    + bytes(60_000),
    "diagnostics within diagnostics": struct.pack("<BBHqII", 1, 0, CREATED, 0, 1, 0) + b"\x40" * 40_000,
    "nothing": b"",
    "noise": bytes(range(256)) * 100,
}


async def refused(server: Hostile, timeout: float = 5.0) -> tuple[DeviceError, float, int]:
    """What opening a device there raises, the seconds that it takes, and the most bytes that it costs."""
    async with hostile_server(server):
        driver = device(server.endpoint, {"v": "i=2258"}, timeout=timeout)
        tracemalloc.start()
        begun = time.monotonic()
        try:
            with pytest.raises(DeviceError) as caught:
                await driver.open()
            took, (_, peak) = time.monotonic() - begun, tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            await driver.close()
    return caught.value, took, peak


@pytest.mark.parametrize("kind", [b"ACKF", b"OPNF", b"MSGF", b"MSGC", b"ERRF"])
@pytest.mark.parametrize("phase", ["hello", "open", "session"])
async def test_a_header_that_announces_four_gigabytes(kind: bytes, phase: str) -> None:
    evil = kind + FOUR_GB
    server = Hostile(script=lambda s, r: evil)
    if phase == "hello":
        server = Hostile(ack=evil)
    elif phase == "open":
        server = Hostile(open=lambda s, r: evil)
    error, took, peak = await refused(server)
    assert isinstance(error, Garbled) and "4,294,967,280 bytes" in str(error)
    assert took < 2 and peak < 10 << 20


@pytest.mark.parametrize("name", BODIES)
async def test_false_lengths_inside_a_message(name: str) -> None:
    error, took, peak = await refused(Hostile(script=lambda s, r: s.message(r, BODIES[name][: CHUNK - 24])))
    assert isinstance(error, Garbled | Unreachable)
    assert took < 3 and peak < 10 << 20


@pytest.mark.parametrize("table", [HUGE, BACK, struct.pack("<i", 1) + HUGE])
async def test_false_lengths_while_the_channel_is_opened(table: bytes) -> None:
    """Before anything is signed, so by anybody on the way."""
    error, took, peak = await refused(Hostile(open=lambda s, r: s.opening(r, header(OPENED, table))))
    assert isinstance(error, Garbled)
    assert took < 2 and peak < 10 << 20


async def test_an_error_whose_text_steps_back_does_not_go_round_for_ever() -> None:
    """It has no code, so that reading goes on; and a text of -16 bytes, so that it goes on at the beginning."""
    evil = frame(b"ERR", struct.pack("<Ii", 0, -16))
    for server in (Hostile(ack=evil), Hostile(open=lambda s, r: evil), Hostile(script=lambda s, r: evil)):
        error, took, _ = await refused(server)
        assert isinstance(error, Unreachable)
        assert took < 2


async def test_chunks_without_end() -> None:
    """Large ones reach the limit of a message, small ones that of their number."""
    for body, count in ((bytes(60_000), 200), (b"x", 3000)):
        error, took, peak = await refused(
            Hostile(script=lambda s, r, b=body, n=count: b"".join(s.message(r, b, b"C") for _ in range(n)))
        )
        assert isinstance(error, Garbled) and "a message of more than" in str(error)
        assert took < 3 and peak < 30 << 20  # the server of the test holds its own bytes in the same process


async def test_an_answer_that_the_server_gives_up_is_an_error_of_its_own() -> None:
    """Not a timeout: it says why (part 6, 6.7.3)."""
    code = struct.pack("<Ii", 0x80B90000, -1)  # BadResponseTooLarge
    error, took, _ = await refused(Hostile(script=lambda s, r: s.message(r, code, b"A")))
    assert "BadResponseTooLarge" in str(error) and took < 2


@pytest.mark.parametrize("receive", [0, 1, 1023])
async def test_a_server_that_can_receive_nothing_is_none(receive: int) -> None:
    ack = frame(b"ACK", struct.pack("<5I", 0, receive, 65535, 0, 0))
    error, _, _ = await refused(Hostile(ack=ack))
    assert isinstance(error, Garbled) and "at once" in str(error)


@pytest.mark.parametrize("phase", ["hello", "open", "session"])
async def test_a_server_that_falls_silent_ends_in_time(phase: str) -> None:
    server = {"hello": Hostile(ack=None), "open": Hostile(open=lambda s, r: None), "session": Hostile()}[phase]
    error, took, _ = await refused(server, timeout=0.3)
    assert isinstance(error, Unreachable) and "no answer in 0.3 s" in str(error)
    assert took < 2


@pytest.mark.parametrize("size", [-1, -4, -(1 << 31), 5, 1 << 31])
def test_nothing_is_read_that_is_not_there(size: int) -> None:
    with pytest.raises(UNDECODABLE):
        Strict(b"abcd").read(size)


def test_parts_of_a_message_share_what_may_be_read() -> None:
    whole = Strict(bytes(100), left=[3])
    part = whole.copy(10)
    assert part.read(1) == whole.read(1) == part.read(1) == b"\0"
    with pytest.raises(UNDECODABLE):
        whole.read(1)


def test_an_array_of_values_of_no_type_is_refused() -> None:
    """They take no bytes: 2^31 of them would fit into any message, and into no memory."""
    with pytest.raises(UNDECODABLE, match="no type"):
        variant_from_binary(Strict(bytes([0x80]) + HUGE))
    assert variant_from_binary(Strict(bytes([0x80]) + bytes(4))).Value == []


class Transport:
    def abort(self) -> None:
        """The connection ends."""

    def write(self, data: bytes) -> None:
        """Nobody listens."""


@settings(max_examples=often(80, 1000), deadline=None)
@given(st.lists(st.binary(max_size=64), max_size=8))
def test_whatever_arrives_is_taken_or_ends_the_connection(pieces: list[bytes]) -> None:
    """Nothing else is raised into the loop."""
    protocol = Protocol(1.0, SecurityPolicyNone())
    protocol.connection_made(Transport())  # type: ignore[arg-type]
    for piece in (b"ACKF", *pieces):
        protocol.data_received(piece)


@pytest.mark.parametrize("how", [{"CreatedAt": datetime(2000, 1, 1, tzinfo=UTC)}, {"RevisedLifetime": as_is(0)}])
async def test_what_is_on_its_way_when_a_channel_is_renewed_still_counts(how: dict[str, Any]) -> None:
    """Though the server's clock was never set, or it gives its tokens no time to live."""
    tokens = iter((1, 2))
    answer = header(397)  # a fault that is Good
    server = Hostile(lambda s, r: s.message(r, answer), open=lambda s, r: s.opened(r, next(tokens), **how))
    async with hostile_server(server):
        channel = Channel(server.endpoint, 2.0)
        await channel.open()
        await channel.renew()
        assert channel.protocol is not None
        assert await channel.protocol.send_request(ua.ReadRequest()), "it is answered with the token of before"
        await channel.close(0.1)


async def test_a_server_that_talks_nonsense_before_it_is_greeted_leaves_no_error_that_nobody_takes() -> None:
    """The loop would log it, with a traceback and whenever it comes to collect it."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    protocol = Protocol(1.0, SecurityPolicyNone())
    protocol.connection_made(Transport())  # type: ignore[arg-type]
    protocol.data_received(b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(UaError, match="no OPC UA"):
        await protocol.hello("opc.tcp://press:4840")
    protocol.connection_lost(None)
    del protocol
    gc.collect()
    assert told == []
