"""A line on which things are heard that nobody asked for: answers that come twice, and one's own requests."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from agent.model.errors import Garbled, Unreachable
from drivers.modbus.asking import set_coils, set_register
from drivers.modbus.link import plain_read
from drivers.modbus.wire import Wire
from drivers.modbus.wires import lone_wire
from tests.sim import faulty_line as fault
from tests.sim.faulty_line import Behaviour, line_on_pty, line_over_tcp, value

TIMEOUT = 0.2
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
Loop = Callable[[], asyncio.AbstractEventLoop]


async def opened(endpoint: str) -> Wire:
    wire = lone_wire(endpoint, TIMEOUT)
    await wire.open(wire)
    return wire


async def wrong_values(wire: Wire, unit: int, addresses: range) -> list[int]:
    """The addresses of which another value came than is there."""
    wrong = []
    for address in addresses:
        await wire.ready(wire)
        pdu = await wire.read(plain_read(unit, 3, address, 2, "registers"))
        if pdu[2:4] != value(unit, address).to_bytes(2, "big"):
            wrong.append(address)
    return wrong


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_answers_that_come_twice_are_not_taken_for_those_to_the_next_question(loop_factory: Loop) -> None:
    async def main() -> None:
        async with line_over_tcp(fault.twice) as line:
            wire = await opened(line.endpoint)
            assert await wrong_values(wire, 1, range(20)) == []
            await wire.close(wire)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


async def test_a_device_that_begins_to_answer_twice_is_found_out_when_the_line_is_idle() -> None:
    async with line_over_tcp(fault.good) as line:
        wire = await opened(line.endpoint)
        assert await wrong_values(wire, 1, range(3)) == []
        line.behave = fault.twice
        assert await wrong_values(wire, 1, range(3, 4)) == []
        await asyncio.sleep(0.02)
        assert await wrong_values(wire, 1, range(4, 20)) == []
        await wire.close(wire)


async def test_a_neighbour_that_answers_twice_costs_nobody_else_a_question() -> None:
    async with line_over_tcp(fault.by_unit({1: fault.twice, 2: fault.good})) as line:
        wire = await opened(line.endpoint)
        for at in range(5):
            assert await wrong_values(wire, 1, range(at, at + 1)) == []
            assert await wrong_values(wire, 2, range(at, at + 1)) == []
        await wire.close(wire)
    assert sum(request[0] == 2 for request in line.asked) == 5


def coils(request: bytes) -> list[fault.Act]:
    """Coils 3 and 4 of the last eight are on: from 0x0300 on the answer to a read of 24 is the request itself."""
    if request[1] == 1 and request[5] == 24:
        return [fault.rtu(request[0], bytes((1, 3, 0, 0, 0x18)))]
    return fault.good(request)


async def test_coils_that_spell_the_request_are_no_echo_where_the_line_has_none() -> None:
    async with line_over_tcp(coils) as line:
        wire = await opened(line.endpoint)
        assert await wrong_values(wire, 1, range(1)) == []
        for _ in range(2):
            assert await wire.read(plain_read(1, 1, 0x300, 24, "coils")) == b"\x01\x03\x00\x00\x18"
        await wire.close(wire)


async def test_coils_that_may_be_an_echo_are_no_values_until_one_knows() -> None:
    async with line_over_tcp(coils) as line:
        wire = await opened(line.endpoint)
        request = plain_read(1, 1, 0x300, 24, "coils")
        with pytest.raises(Unreachable, match="only the echo of the request"):
            await wire.read(request)
        assert await wire.read(request) == b"\x01\x03\x00\x00\x18", "the question before it was answered without one"
        await wire.close(wire)


async def test_an_echo_in_pieces_is_no_answer() -> None:
    """The first six bytes of some requests are a whole answer with a right checksum."""
    async with line_over_tcp(fault.echo_on(fault.silent)) as line:
        wire = await opened(line.endpoint)
        unit, address, count = next(
            (unit, 0x100 + low, count)
            for unit in range(1, 248)
            for low in range(256)
            for count in range(1, 9)
            if fault.crc(bytes((unit, 1, 1, low))) == bytes((0, count))
        )
        with pytest.raises(Unreachable, match="only the echo of the request"):
            await wire.read(plain_read(unit, 1, address, count, "coils"))
        await wire.close(wire)


async def test_the_echo_of_a_write_is_no_confirmation_on_a_line_that_was_heard_to_echo() -> None:
    async with line_over_tcp(fault.echo_on(fault.by_unit({1: lambda it: fault.good(it) if it[1] < 5 else []}))) as line:
        wire = await opened(line.endpoint)
        assert await wrong_values(wire, 1, range(1)) == []
        for request in (set_register(1, 7, 9), set_coils(1, 7, [True] * 3)):
            with pytest.raises(Unreachable, match="only the echo of the request"):
                await wire.read(request)
        await wire.close(wire)


@pytest.mark.parametrize(
    ("behave", "echo"), [(fault.good, "off"), (fault.echo_on(fault.good), "off"), (fault.echo_on(fault.good), "on")]
)
async def test_what_is_written_is_confirmed_by_the_device(behave: Behaviour, echo: str) -> None:
    async with line_on_pty(behave) as (_, path):
        wire = await opened(f"rtu://{path}?baud=115200&echo={echo}")
        requests = [plain_read(1, 3, 7, 1, "registers"), set_register(1, 7, 9), set_coils(1, 7, [True] * 3)]
        assert [(await wire.read(request))[0] for request in requests] == [3, 6, 15]
        await wire.close(wire)


async def test_an_echo_that_the_endpoint_promises_and_that_is_none_is_named() -> None:
    async with line_on_pty(fault.good) as (_, path):
        wire = await opened(f"rtu://{path}?baud=115200&echo=on")
        with pytest.raises(Garbled, match=r"the request was not heard .*remove `echo=on`"):
            await wire.read(plain_read(1, 3, 7, 1, "registers"))
        await wire.close(wire)
