"""What a Modbus device tells of the last exchange is what was on the wire, and the bytes of a tag are marked in it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.errors import DeviceError
from agent.model.quality import Quality
from drivers.modbus.doubts import doubt, others
from drivers.modbus.driver import Device
from drivers.tracing import Trace, Traced
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_line import ascii_frame, ascii_good, garbled, good, line_over_tcp, rtu
from tests.sim.faulty_modbus import FaultyDevice, faulty_device
from tests.unit.modbus.builders import device, tag

TAGS: list[dict[str, Any]] = [
    {"name": "first", "address": 16, "type": "uint16"},
    {"name": "wide", "address": 17, "type": "uint32"},
    {"name": "pump", "register": "coil", "address": 12},
    {"name": "valve", "register": "coil", "address": 3},
]


async def scanned(meter: Device, times: int = 1) -> None:
    """Read all groups; what a device refuses is no matter here."""
    for _ in range(times):
        for schema in meter.schemas:
            try:
                await meter.open()
                await meter.scan(schema)
            except DeviceError:
                continue


async def traced(found: FaultyDevice, tags: list[dict[str, Any]], times: int = 1, **keys: Any) -> dict[str, Trace]:
    meter = device(found.endpoint, tags, **keys)
    try:
        await scanned(meter, times)
        return {each["name"]: trace for each in tags if (trace := meter.trace(each["name"]))}
    finally:
        await meter.close()


def mine(trace: Trace) -> bytes:
    assert trace.exchange is not None
    return trace.exchange.received[slice(*trace.mine)]


async def test_the_frames_are_those_of_the_wire() -> None:
    async with faulty_device() as found:
        traces = await traced(found, TAGS)
        asked = {adu[7]: adu for adu in found.asked}
    assert {name: trace.exchange and trace.exchange.sent for name, trace in traces.items()} == {
        "first": asked[3],
        "wide": asked[3],
        "pump": asked[1],
        "valve": asked[1],
    }
    assert {trace.exchange and trace.exchange.received for trace in traces.values()} == {
        fault.reply(asked[3]),
        fault.reply(asked[1]),
    }
    assert (mine(traces["first"]), mine(traces["wide"])) == (b"\0\x10", b"\0\x11\0\x12")
    assert (traces["first"].raw, traces["wide"].raw) == ("0010", "0011 0012")
    assert (traces["pump"].value, traces["pump"].raw, traces["valve"].raw) == (True, "1", "1")
    assert [trace.wrong for trace in traces.values()] == [""] * 4


async def test_before_the_first_scan_nothing_is_known_and_other_tags_are_not_known_at_all() -> None:
    meter = device("tcp://127.0.0.1:1", TAGS)
    trace = meter.trace("wide")
    assert isinstance(meter, Traced)
    assert trace == Trace("holding 17-18", wrong="it has not been asked for yet")
    assert meter.trace("widest") is None


async def test_an_exception_is_told_in_words_with_its_frame() -> None:
    refuses = fault.by_address({16: fault.exception(4)})
    async with faulty_device(refuses) as found:
        trace = (await traced(found, TAGS[:2]))["wide"]
    assert trace.exchange is not None
    assert trace.exchange.received[7:] == b"\x83\x04"
    assert ("exception", "4, device failure") in trace.about
    assert (trace.quality, trace.exchange.hint) == (Quality.BAD_DEVICE, "the device reports an internal fault")
    assert "holding registers 16-18 (40017-40019): device failure" in trace.exchange.error


async def test_registers_that_are_refused_keep_the_refusal_when_the_others_are_read_without_them() -> None:
    """The requests change while that is found out; what was said of each tag is not forgotten over it."""

    def refuses(adu: bytes) -> list[fault.Act]:
        first, count = int.from_bytes(adu[8:10], "big"), int.from_bytes(adu[10:12], "big")
        return fault.exception(2)(adu) if first + count > 18 else fault.good(adu)

    async with faulty_device(refuses) as found:
        traces = await traced(found, TAGS[:2], times=8)
    first, wide = traces["first"].exchange, traces["wide"].exchange
    assert first is not None and wide is not None
    assert (first.error, traces["first"].value) == ("", 16)
    assert wide.received[7:] == b"\x83\x02"
    assert "illegal data address" in wide.error


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (fault.silent, "no answer in 0.25 s"),
        (fault.garbage, "bytes that are no Modbus TCP"),
        (fault.foreign_unit, "only one of unit 84"),
        (fault.half_reply, "only"),
    ],
    ids=["silent", "garbage", "foreign", "half"],
)
async def test_what_came_instead_of_an_answer_is_shown(behave: fault.Behaviour, said: str) -> None:
    async with faulty_device(behave) as found:
        trace = (await traced(found, TAGS[:1]))["first"]
        (asked, *_) = found.asked
    assert trace.exchange is not None
    assert (trace.exchange.sent[2:], trace.quality, trace.mine) == (asked[2:], Quality.BAD_COMM, (0, 0))
    assert said in trace.exchange.error
    assert bool(trace.exchange.received) == (behave is not fault.silent)


async def test_an_answer_after_a_failure_is_no_failure_any_more() -> None:
    async with faulty_device(fault.in_turn(fault.silent, fault.good)) as found:
        trace = (await traced(found, TAGS[:1], times=2))["first"]
    assert trace.exchange is not None
    assert (trace.exchange.error, trace.value) == ("", 16)


@pytest.mark.parametrize("text", [False, True], ids=["RTU", "ASCII"])
async def test_on_a_serial_line_the_frames_have_their_checksums(text: bool) -> None:
    build, first = (ascii_frame, 7) if text else (rtu, 3)
    async with line_over_tcp(ascii_good if text else good, text=text) as line:
        endpoint = line.endpoint.replace("rtu+tcp", "ascii+tcp") if text else line.endpoint
        meter = device(endpoint, [{"name": "a", "address": 5, "type": "uint16"}], unit=3)
        await scanned(meter)
        trace = meter.trace("a")
        await meter.close()
    assert trace is not None and trace.exchange is not None
    assert trace.exchange.sent == build(3, b"\x03\0\x05\0\x01")
    assert trace.exchange.received == build(3, b"\x03\x02\x03\x05")
    assert (trace.mine, trace.raw, trace.value) == ((first, first + (4 if text else 2)), "0305", 0x305)


async def test_a_spoilt_answer_is_shown_as_it_came() -> None:
    async with line_over_tcp(garbled) as line:
        meter = device(line.endpoint, [{"name": "a", "address": 5, "type": "uint16"}], unit=3)
        await scanned(meter)
        trace = meter.trace("a")
        await meter.close()
    assert trace is not None and trace.exchange is not None
    assert len(trace.exchange.received) == 7 and trace.exchange.received != rtu(3, b"\x03\x02\x03\x05")
    assert "wrong checksum" in trace.exchange.error


async def test_the_time_it_took_is_that_of_the_answer() -> None:
    async with faulty_device(fault.late(0.1)) as found:
        trace = (await traced(found, TAGS[:1]))["first"]
    assert trace.exchange is not None
    assert 0.09 < trace.exchange.seconds < 0.25
    assert trace.exchange.mono / 1e9 <= asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("keys", "value", "facts", "wrong"),
    [
        ({"type": "int16", "scale": 0.1, "offset": -1}, 0.6, ["16 (0x10)", "times 0.1, then -1"], ""),
        ({"enum": {16: "on", 17: "off"}}, "on", ["16 (0x10)", "on"], ""),
        ({"bit": 4}, True, ["16 (0x10)", "4 (0 is the lowest)"], ""),
        ({"invalid": 16}, None, ["16 (0x10)"], "16 (0x10) is one of `invalid`"),
        ({"type": "bcd16"}, 10, ["16 (0x10)"], ""),
        ({"type": "string", "length": 2}, "", [], ""),
        ({"type": "datetime", "layout": "bcd"}, None, ["bcd"], "no date in the layout bcd"),
        ({"type": "uint8h"}, 0, ["0 (0x0)"], ""),
    ],
    ids=["scale", "enum", "bit", "invalid", "bcd", "string", "date", "byte"],
)
async def test_how_the_registers_became_a_value_is_told_step_by_step(
    keys: dict[str, Any], value: object, facts: list[str], wrong: str
) -> None:
    async with faulty_device() as found:
        trace = (await traced(found, [{"name": "t", "address": 16, **keys}]))["t"]
    told = [how for _, how in trace.facts]
    assert [fact for fact in facts if fact not in told] == []
    assert wrong in trace.wrong and bool(wrong) == bool(trace.wrong)
    if keys.get("type") != "string":
        assert trace.value == value


def test_a_number_that_is_usual_in_another_order_is_doubted() -> None:
    said, hint = doubt(tag(type="float32"), bytes.fromhex("0fdb 4049"), "ABCD", 2.161983e-29)
    assert said == "2.161983e-29 is hardly what is meant"
    assert hint.startswith("`order: CDAB` gives 3.141593")


@pytest.mark.parametrize(
    ("keys", "data", "value"),
    [
        ({"type": "float32", "unit": "V"}, "4366 b333", 230.7),
        ({"type": "float32"}, "0000 0000", 0.0),
        ({"type": "uint16"}, "0001", 1),
        ({"type": "string", "length": 1}, "4141", "AA"),
        ({"type": "float32", "unit": "V"}, "0000 4049", 2.3e-41),
    ],
    ids=["usual", "zero", "small", "text", "odd in each order"],
)
def test_what_is_usual_or_odd_in_each_order_is_not(keys: dict[str, Any], data: str, value: Any) -> None:
    assert doubt(tag(**keys), bytes.fromhex(data), "ABCD", value) == ("", "")


@given(st.binary(min_size=8, max_size=8), st.sampled_from(["uint16", "int32", "float32", "uint64", "float64", "bcd32"]))
def test_no_registers_make_it_stumble(data: bytes, kind: str) -> None:
    found = tag(type=kind)
    for order in ("ABCD", "CDAB", "BADC", "DCBA") if found.words > 1 else ("AB", "BA"):
        mine = data[: 2 * found.words]
        others(found, mine, order)
        said, hint = doubt(found, mine, order, 1e-40)
        assert bool(said) == bool(hint)
