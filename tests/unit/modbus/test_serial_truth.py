"""On a line without transaction numbers no late, foreign or spoilt answer becomes a value."""

import asyncio
import random
from collections.abc import Callable

import pytest

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from drivers.modbus.link import plain_read
from drivers.modbus.wire import Wire
from drivers.modbus.wires import lone_wire
from tests.lengths import often
from tests.sim import faulty_line as fault
from tests.sim.faulty_line import Behaviour, line_on_pty, line_over_tcp, value

TIMEOUT = 0.03
ASKED = often(200, 2000)  # requests
UNITS = (1, 2, 3)
FAULTS: list[Callable[[], Behaviour]] = [
    *[lambda: fault.good] * 14,
    lambda: fault.late(TIMEOUT * random.uniform(0.5, 3)),
    lambda: fault.late(TIMEOUT * random.uniform(0.9, 1.1)),
    lambda: fault.short,
    lambda: fault.garbled,
    lambda: fault.foreign,
    lambda: fault.foreign_first,
    lambda: fault.echoed,
    lambda: fault.echo_only,
    lambda: fault.noise,
    lambda: fault.one_less,
    lambda: fault.silent,
    lambda: fault.dribble,
    lambda: fault.exception(6),
]


def at_random(request: bytes) -> list[fault.Act]:
    return random.choice(FAULTS)()(request)


async def registers(wire: Wire, unit: int, address: int, count: int, function: int = 3) -> list[int]:
    pdu = await wire.read(plain_read(unit, function, address, count, "registers"))
    return [int.from_bytes(pdu[at : at + 2], "big") for at in range(2, len(pdu), 2)]


async def asked_at_random(wire: Wire, requests: int) -> tuple[int, int]:
    """How many requests were answered, and how many values were wrong."""
    answered = wrong = 0
    for _ in range(requests):
        unit, address, count = random.choice(UNITS), random.randrange(40), random.choice((1, 2, 2, 3, 7))
        try:
            await wire.ready(wire)
            found = await registers(wire, unit, address, count)
        except DeviceError:
            continue
        answered += 1
        wrong += found != [value(unit, address + at) for at in range(count)]
    return answered, wrong


async def test_many_requests_with_everything_that_goes_wrong_bring_no_wrong_value() -> None:
    random.seed(4)
    async with line_over_tcp(at_random) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        answered, wrong = await asked_at_random(wire, ASKED)
        await wire.close(wire)
    assert wrong == 0
    assert answered > 0.4 * ASKED


async def test_the_same_holds_at_a_serial_port() -> None:
    random.seed(5)
    async with line_on_pty(at_random) as (_, path):
        wire = lone_wire(f"rtu://{path}?baud=115200", TIMEOUT)
        await wire.open(wire)
        answered, wrong = await asked_at_random(wire, ASKED)
        await wire.close(wire)
    assert wrong == 0
    assert answered > 0.3 * ASKED


async def test_a_late_answer_is_not_taken_for_the_next_one_of_the_same_size() -> None:
    """The classic: 11, 22, 33 asked, and 11, 11, 22 got."""
    lateness = [TIMEOUT * 1.5, 0.0, 0.0, 0.0, 0.0]

    def behave(request: bytes) -> list[fault.Act]:
        return fault.late(lateness.pop(0) if lateness else 0.0)(request)

    async with line_over_tcp(behave) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        with pytest.raises(Unreachable, match=r"no answer in 0\.03 s"):
            await registers(wire, 1, 11, 2)
        assert await registers(wire, 1, 22, 2) == [value(1, 22), value(1, 23)]
        assert await registers(wire, 1, 33, 2) == [value(1, 33), value(1, 34)]
        await wire.close(wire)
    counts = [int.from_bytes(request[4:6], "big") for request in line.asked]
    assert counts == [2, 1, 2, 2], "one question of another size stands between"


async def test_a_register_alone_is_guarded_by_a_question_to_the_other_table() -> None:
    lateness = [TIMEOUT * 1.5]

    def behave(request: bytes) -> list[fault.Act]:
        return fault.late(lateness.pop(0) if lateness else 0.0)(request)

    async with line_over_tcp(behave) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        with pytest.raises(Unreachable):
            await registers(wire, 1, 11, 1)
        assert await registers(wire, 1, 22, 1) == [value(1, 22)]
        await wire.close(wire)
    assert [request[1] for request in line.asked] == [3, 4, 3]


async def test_a_late_answer_of_another_unit_does_not_hurt() -> None:
    async with line_over_tcp(fault.by_unit({1: fault.late(TIMEOUT * 1.2), 2: fault.good})) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        with pytest.raises(Unreachable):
            await registers(wire, 1, 10, 2)
        assert await registers(wire, 2, 10, 2) == [value(2, 10), value(2, 11)]
        await wire.close(wire)
    assert len(line.asked) == 2, "the other unit needs no question before"


async def test_a_cancelled_request_leaves_nothing_that_the_next_one_could_take() -> None:
    lateness = [0.1]

    def behave(request: bytes) -> list[fault.Act]:
        return fault.late(lateness.pop(0) if lateness else 0.0)(request)

    async with line_over_tcp(behave) as line:
        wire = lone_wire(line.endpoint, 0.5)
        await wire.open(wire)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await registers(wire, 1, 11, 2)
        assert await registers(wire, 1, 22, 2) == [value(1, 22), value(1, 23)]
        await wire.close(wire)


@pytest.mark.parametrize("behave", [fault.noise, fault.echoed, fault.foreign_first, fault.dribble])
async def test_what_stands_around_an_answer_is_passed_over(behave: Behaviour) -> None:
    async with line_over_tcp(behave) as line:
        wire = lone_wire(line.endpoint, 0.5)
        await wire.open(wire)
        for address in (5, 6, 7):
            assert await registers(wire, 9, address, 3) == [value(9, address + at) for at in range(3)]
        await wire.close(wire)


@pytest.mark.parametrize(
    ("behave", "kind", "said"),
    [
        (fault.silent, Unreachable, "no answer in 0.2 s"),
        (fault.short, Garbled, "only 8 bytes that are none: 09 03 06"),
        (fault.garbled, Garbled, "an answer with a wrong checksum"),
        (fault.foreign, Garbled, "only frames of unit 35"),
        (fault.echo_only, Unreachable, "only the echo of the request"),
        (fault.one_less, Unreachable, "only a late one to an earlier request, or one of another length"),
        (fault.flood, Garbled, "a flood of bytes"),
        (fault.exception(2), Refused, "illegal data address"),
        (fault.exception(11), Unreachable, "gateway target failed to respond"),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
async def test_the_error_says_what_was_on_the_wire(behave: Behaviour, kind: type[DeviceError], said: str) -> None:
    async with line_over_tcp(behave) as line:
        wire = lone_wire(line.endpoint, 0.2)
        await wire.open(wire)
        with pytest.raises(kind, match=said) as raised:
            await registers(wire, 9, 5, 3)
        assert f"{line.endpoint}, unit 9" in str(raised.value)
        await wire.close(wire)


@pytest.mark.parametrize("code", range(1, 12))
async def test_every_exception_is_a_refusal_or_a_gateway_without_its_device(code: int) -> None:
    async with line_over_tcp(fault.exception(code)) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        with pytest.raises(Unreachable if code in (10, 11) else Refused):
            await registers(wire, 1, 0, 1)
        await wire.close(wire)


async def test_a_device_that_dies_and_comes_back_is_read_again() -> None:
    """Each probe is a question of another size, so that nothing late can be taken for an answer; in the end there is
    one."""
    dead = [True]
    async with line_over_tcp(lambda request: [] if dead[0] else fault.good(request)) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        for _ in range(4):
            await wire.ready(wire)
            with pytest.raises(Unreachable):
                await registers(wire, 1, 20, 5)
        dead[0] = False
        await wire.ready(wire)
        assert await registers(wire, 1, 20, 5) == [value(1, 20 + at) for at in range(5)]
        await wire.close(wire)


async def test_when_every_question_may_be_answered_late_nothing_is_asked_for_a_while() -> None:
    async with line_over_tcp(fault.silent) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        for said in ("no answer", "no answer", "waits until no late answer"):
            await wire.ready(wire)
            with pytest.raises(Unreachable, match=said):
                await registers(wire, 1, 20, 1)
        await wire.close(wire)
    assert [request[1] for request in line.asked] == [3, 4]


async def test_a_line_that_is_never_silent_is_an_error_and_no_endless_wait() -> None:
    babble = [True]

    def behave(request: bytes) -> list[fault.Act]:
        return [act for _ in range(400) for act in (b"\x55", 0.005)] if babble[0] else fault.good(request)

    async with line_over_tcp(behave) as line:
        wire = lone_wire(line.endpoint, TIMEOUT)
        await wire.open(wire)
        with pytest.raises(Garbled):
            await registers(wire, 1, 20, 5)
        with pytest.raises(Garbled, match=r"was not silent for 0\.1 s"):
            await wire.read(plain_read(1, 3, 20, 5, "registers"), pause=0.1)
        await wire.close(wire)


async def test_ascii_answers_are_read() -> None:
    async with line_over_tcp(fault.ascii_good, text=True) as line:
        wire = lone_wire(line.endpoint, 0.5)
        await wire.open(wire)
        assert await registers(wire, 7, 100, 60) == [value(7, 100 + at) for at in range(60)]
        await wire.close(wire)
