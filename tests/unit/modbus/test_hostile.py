"""A device that misbehaves gives a clear error or a quality in time, and never a wrong value."""

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest
import uvloop

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from drivers.modbus.driver import Device
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import Behaviour, faulty_device
from tests.unit.modbus.builders import TIMEOUT, device

TAGS = [{"name": f"t{at}", "address": at} for at in range(5, 15)]
TRUE = list(range(5, 15))
Loop = Callable[[], asyncio.AbstractEventLoop]
SLACK = 0.5  # seconds that a busy machine may add

HOSTILE = [
    (fault.silent, Unreachable, "no answer in 0.25 s (is unit 1 the right one"),
    (fault.garbage, Garbled, "no Modbus TCP"),
    (fault.web_page, Garbled, "no Modbus TCP"),
    (fault.huge_length, Garbled, "no Modbus TCP"),
    (fault.flood, DeviceError, "unit 1, holding registers 5-14"),
    (fault.foreign_transaction, Garbled, "only one of unit 1, transaction 1001"),
    (fault.transaction_zero, Garbled, "the answer has transaction 0, not 1"),
    (fault.foreign_unit, Garbled, "only one of unit 84, transaction 1"),
    (fault.short_reply, Garbled, "the answer holds 18 bytes of data, not 20"),
    (fault.long_reply, Garbled, "the answer holds 22 bytes of data, not 20"),
    (fault.wrong_byte_count, Garbled, "the answer holds 20 bytes of data, not 20"),
    (fault.odd_bytes, Garbled, "the answer holds 19 bytes of data, not 20"),
    (fault.wrong_function, Garbled, "the answer has function 4, not 3"),
    (fault.unknown_function, Garbled, "the answer has function 85, not 3"),
    (fault.write_answer, Garbled, "the answer has function 6, not 3"),
    (fault.foreign_exception, Garbled, "the answer has function 130, not 3"),
    (fault.exception_without_code, Garbled, "no Modbus TCP"),
    (fault.header_only, Garbled, "only 7 bytes of one"),
    (fault.half_reply, Garbled, "only 26 bytes of one"),
    (fault.close_mid_reply, Unreachable, "connection lost"),
    (fault.close_at_once, Unreachable, "connection lost"),
    (fault.trailing_bytes, Garbled, "3 bytes too many after the answer"),
    (fault.late(TIMEOUT + 0.05), Unreachable, "no answer in 0.25 s"),
    (fault.exception(2), Refused, "holding registers 5-14 (40006-40015): illegal data address"),
    (fault.exception(6), Refused, "device busy (the device asks to be read less often)"),
    (fault.exception(11), Unreachable, "gateway target failed to respond"),
    (fault.exception(99), Refused, "exception 99"),
]


async def opened(endpoint: str, **keys: object) -> Device:
    made = device(endpoint, TAGS, **keys)
    await made.open()
    return made


@pytest.mark.parametrize(("behave", "kind", "words"), HOSTILE)
async def test_a_fault_is_named_and_ends_in_time(behave: Behaviour, kind: type[DeviceError], words: str) -> None:
    async with faulty_device(behave) as plc:
        made = await opened(plc.endpoint)
        started = time.monotonic()
        with pytest.raises(kind) as error:
            await made.scan(made.schemas[0])
        assert time.monotonic() - started < TIMEOUT + SLACK
        assert words in str(error.value)
        assert str(error.value).startswith(f"{plc.endpoint}, unit 1, holding registers 5-14 (40006-40015): ")
        await made.close()


@pytest.mark.parametrize("behave", [behave for behave, _, _ in HOSTILE])
async def test_after_a_fault_the_next_scan_has_the_right_values(behave: Behaviour) -> None:
    """Whatever the fault left on the wire."""
    async with faulty_device(fault.in_turn(behave, fault.good)) as plc:
        made = await opened(plc.endpoint)
        with pytest.raises(DeviceError):
            await made.scan(made.schemas[0])
        for _ in range(2):
            await made.open()
            assert list((await made.scan(made.schemas[0])).values) == TRUE
        await made.close()


async def test_an_answer_byte_by_byte_is_an_answer() -> None:
    async with faulty_device(fault.dribble) as plc:
        made = await opened(plc.endpoint)
        assert list((await made.scan(made.schemas[0])).values) == TRUE
        await made.close()


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """The device is slower than the timeout: each answer arrives while the next one is awaited."""
    shifted = {"name": "t", "address": 900, "group": "other"}
    async with faulty_device(fault.in_turn(fault.late(TIMEOUT + 0.05), fault.good)) as plc:
        made = device(plc.endpoint, [*TAGS, shifted], groups={"other": {"interval": "1s"}})
        first, other = made.schemas
        await made.open()
        with pytest.raises(Unreachable, match="no answer"):
            await made.scan(first)
        await made.open()
        assert list((await made.scan(other)).values) == [900]
        assert list((await made.scan(first)).values) == TRUE
        assert plc.connections == 1
        await made.close()


async def test_a_device_that_is_always_late_is_called_slow() -> None:
    async with faulty_device(fault.late(TIMEOUT * 1.4)) as plc:
        made = await opened(plc.endpoint)
        with pytest.raises(Unreachable, match="no answer in"):
            await made.scan(made.schemas[0])
        with pytest.raises(Unreachable, match="only a late one to an earlier request"):
            await made.scan(made.schemas[0])
        await made.close()


async def test_a_black_hole_gets_a_new_connection_after_the_second_silence() -> None:
    async with faulty_device(fault.silent) as plc:
        made = await opened(plc.endpoint)
        for expected in (1, 1, 2):
            await made.open()
            assert plc.connections == expected
            with pytest.raises(Unreachable):
                await made.scan(made.schemas[0])
        await made.close()


async def test_a_single_silence_keeps_the_connection() -> None:
    async with faulty_device(fault.in_turn(fault.silent, fault.good, fault.silent, fault.good)) as plc:
        made = await opened(plc.endpoint)
        for _ in range(2):
            with pytest.raises(Unreachable):
                await made.scan(made.schemas[0])
            assert list((await made.scan(made.schemas[0])).values) == TRUE
        assert plc.connections == 1
        await made.close()


async def test_bytes_between_two_scans_spoil_neither() -> None:
    """They may be the head of something: the connection is replaced before the next request."""
    async with faulty_device(lambda adu: [fault.reply(adu), 0.02, b"\x00\x01\x00"]) as plc:
        made = await opened(plc.endpoint)
        for _ in range(2):
            assert list((await made.scan(made.schemas[0])).values) == TRUE
            await plc.quiet(0.05)
        assert plc.connections == 2
        await made.close()


async def test_a_device_that_closes_after_each_answer_is_read_as_a_whole() -> None:
    """Each block finds the connection closed, and a new one is made for it."""
    far = {"name": "far", "address": 900}
    async with faulty_device(lambda adu: [fault.reply(adu), None]) as plc:
        made = device(plc.endpoint, [*TAGS, far])
        await made.open()
        for _ in range(3):
            assert list((await made.scan(made.schemas[0])).values) == [*TRUE, 900]
            await plc.quiet(0.01)
        assert plc.connections == 6
        await made.close()


async def test_a_device_that_closes_instead_of_answering_gets_one_new_connection_per_request() -> None:
    async with faulty_device(fault.in_turn(fault.good, fault.close_at_once)) as plc:
        made = await opened(plc.endpoint)
        await made.scan(made.schemas[0])
        with pytest.raises(Unreachable, match="connection lost"):
            await made.scan(made.schemas[0])
        assert (plc.connections, len(plc.asked)) == (2, 3)
        await made.close()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_device_that_never_stops_talking_is_hung_up_on(loop_factory: Loop) -> None:
    """Well-formed answers that nobody asked for, far more than the socket's buffers hold."""

    async def main() -> None:
        async with faulty_device(lambda adu: [fault.reply(adu), *[fault.reply(adu) * 2000] * 1000]) as plc:
            made = await opened(plc.endpoint)
            with contextlib.suppress(DeviceError):
                await made.scan(made.schemas[0])
            assert await plc.left()
            await made.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_hanging_up_does_not_wait_for_what_the_other_side_never_takes(loop_factory: Loop) -> None:
    async def main() -> None:
        async with faulty_device(lambda adu: [60.0]) as plc:
            made = await opened(plc.endpoint)
            link = made._wire._link
            assert link is not None
            request = made._steps[made.schemas[0]][0].request
            with pytest.raises(TimeoutError):
                await link.ask(request, link.loop.time() + 0.05)
            transport = link.transport
            transport.write(bytes(20 << 20))
            link.hang_up()
            await asyncio.sleep(0.05)
            assert transport.get_write_buffer_size() == 0
            await made.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1", "tcp://a..b"])
async def test_a_host_that_is_not_there_is_unreachable(endpoint: str) -> None:
    made = device(endpoint, TAGS)
    with pytest.raises(Unreachable, match="cannot connect") as error:
        await made.open()
    assert str(error.value).startswith(endpoint)
    assert error.value.hint
    await made.close()
