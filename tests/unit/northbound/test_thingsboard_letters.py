"""Frames as messages of the gateway API: what is told, how it is cut, and that a dashboard shows what was read."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Entry, Frame
from agent.model.quality import Quality, quality_name
from agent.model.tag import DType, Schema, Tag
from agent.northbound.broker import packet
from agent.northbound.thingsboard.letters import Letters, Room
from agent.northbound.thingsboard.names import Names
from tests.sim.thingsboard import Platform
from tests.unit.northbound.making import EPOCH, TS, entry, schema

MS = TS // 10**6
ROOM = Room(8192, 8192)
COMM, DEVICE = int(Quality.BAD_COMM), int(Quality.BAD_DEVICE)
METER = schema("voltage", "current")


class Desk:
    """Letters whose messages a platform hears at once."""

    def __init__(self, **keys: Any) -> None:
        keys = {"quality": True, "together": False, **keys}
        self.letters = Letters(Names("{device}", "gw", ()), "default", now=lambda: 0.0, **keys)
        self.platform = Platform()

    def send(self, *batch: Entry, room: Room = ROOM) -> list[tuple[str, bytes]]:
        written = self.letters.write(batch, room)
        assert len(written.messages) == len(written.owners)
        owned = {index for owners in written.owners for index in owners}
        assert owned.isdisjoint(written.too_large)
        self.too_large = written.too_large
        messages = [(packet.topic(message), message[1]) for message in written.messages]
        for topic, payload in messages:
            self.platform.hear(topic, payload)
        assert self.platform.faults == []
        return messages


def test_a_device_is_connected_once_and_before_what_there_is_of_it() -> None:
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=METER))
    desk.send(entry([3.0, 4.0], of=METER))
    assert desk.platform.events == [("connect", "main-meter")]
    assert desk.platform.profiles == {"main-meter": "default"}
    assert desk.platform.latest("main-meter") == {
        "voltage": 3.0,
        "current": 4.0,
        "voltage_quality": "good",
        "current_quality": "good",
    }


def test_a_quality_is_told_when_it_changes_and_anew_over_a_new_connection() -> None:
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=METER), entry([1.0, 2.0], of=METER, seq=43))
    desk.send(entry([1.0, None], bytes((0, DEVICE)), of=METER), entry([1.0, None], bytes((0, DEVICE)), of=METER))
    desk.send(entry([1.0, 2.0], bytes((1, 0)), of=METER), entry([1.0, math.nan], of=METER))
    told = [{key: value for key, value in each.values.items() if "quality" in key} for each in desk.platform.records]
    good = {"voltage_quality": "good", "current_quality": "good"}
    assert told == [
        good,
        {},
        {"current_quality": "bad_device"},
        {},
        {"voltage_quality": "clamped", "current_quality": "good"},
        {"voltage_quality": "good", "current_quality": "bad_decode"},
    ]
    desk.letters.begin()
    desk.send(entry([1.0, 2.0], of=METER))
    assert desk.platform.records[-1].values.items() >= good.items()


def test_without_qualities_nothing_is_said_of_what_has_no_value() -> None:
    desk = Desk(quality=False)
    desk.send(entry([1.0, None], bytes((0, DEVICE)), of=METER))
    assert [each.values for each in desk.platform.records] == [{"voltage": 1.0}]
    messages = desk.send(entry([None, None], bytes((DEVICE, DEVICE)), of=METER))
    assert messages == []


def test_history_and_live_data_tell_their_qualities_each_for_itself() -> None:
    """What a live frame has told says nothing of the time before it."""
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=METER))
    desk.send(entry([1.0, None], bytes((0, DEVICE)), of=METER, history=True))
    desk.send(entry([1.0, 2.0], of=METER))
    assert [each.values.get("current_quality") for each in desk.platform.records] == ["good", "bad_device", None]


def test_source_times_make_records_of_their_own() -> None:
    desk = Desk(quality=False)
    desk.send(entry([1.0, 2.0], of=METER, stamps=(TS, TS - 5 * 10**9)))
    assert {(each.ts, *each.values.items()) for each in desk.platform.records} == {
        (MS, ("voltage", 1.0)),
        (MS - 5000, ("current", 2.0)),
    }


@pytest.mark.parametrize(("together", "count"), [(False, 20), (True, 1)])
def test_devices_share_messages_if_they_may(together: bool, count: int) -> None:
    desk = Desk(together=together)
    batch = [entry([1.0, 2.0], of=schema("a", "b", device=f"d{n}"), seq=n) for n in range(20)]
    messages = desk.send(*batch)
    assert [topic for topic, _ in messages].count("v1/gateway/telemetry") == count
    assert len(desk.platform.connected) == 20


def test_units_are_attributes_told_once_and_when_they_change() -> None:
    def of(unit: str, *more: Tag) -> Schema:
        return Schema("d", "1s", (Tag("temp", unit=unit), Tag("count"), *more))

    desk, celsius = Desk(), of("Cel")
    desk.send(entry([1.0, 2.0], of=celsius))
    desk.send(entry([1.0, 2.0], of=celsius))
    desk.send(entry([1.0, 2.0], of=of("Cel")))
    assert (desk.platform.told, desk.platform.attributes["d"]) == (["d"], {"temp_unit": "Cel"})
    desk.send(entry([1.0, 2.0, 3.0], of=of("K", Tag("temp_unit", unit="V"))))
    assert desk.platform.attributes["d"] == {"temp_unit": "Cel", "temp_unit_": "K", "temp_unit_unit": "V"}
    desk.send(entry([1.0, 2.0], of=of("")))
    assert desk.platform.attributes["d"]["temp_unit"] == ""


def test_a_key_beside_a_tag_is_never_the_name_of_another() -> None:
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=schema("a", "a_quality")))
    assert desk.platform.records[0].values == {
        "a": 1.0,
        "a_quality": 2.0,
        "a_quality_": "good",
        "a_quality_quality": "good",
    }


def test_a_device_of_which_nothing_can_be_read_goes_and_comes_back() -> None:
    fast, slow = schema("a", "b", group="1s"), schema("c", group="1m")
    dead = {fast: entry([None] * 2, bytes((COMM,)) * 2, of=fast), slow: entry([None], bytes((COMM,)), of=slow)}
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=fast), entry([3.0], of=slow))
    desk.send(dead[fast])
    assert desk.platform.connected == {"main-meter"}
    desk.send(dead[slow])
    assert desk.platform.connected == set()
    assert desk.platform.latest("main-meter")["c_quality"] == "bad_comm"
    desk.send(entry([None, 5.0], bytes((COMM, 0)), of=fast))
    assert desk.platform.events == [("connect", "main-meter"), ("disconnect", "main-meter"), ("connect", "main-meter")]


def test_history_of_a_dead_device_does_not_make_it_live() -> None:
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=METER), entry([None] * 2, bytes((COMM,)) * 2, of=METER))
    desk.send(entry([1.0, 2.0], of=METER, history=True))
    assert desk.platform.connected == set()
    assert [what for what, _ in desk.platform.events] == ["connect", "disconnect", "connect", "disconnect"]


def test_history_of_a_failure_does_not_make_a_live_device_dead() -> None:
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=METER))
    desk.send(entry([None] * 2, bytes((COMM,)) * 2, of=METER, history=True))
    assert desk.platform.connected == {"main-meter"}


def test_a_group_that_is_no_more_does_not_keep_its_device_alive() -> None:
    desk = Desk()
    desk.send(entry([1.0, 2.0], of=METER))
    after = schema("voltage", "power")
    desk.send(entry([1.0, 2.0], of=after), entry([None] * 2, bytes((COMM,)) * 2, of=after))
    assert desk.platform.connected == set()


def test_a_loss_and_a_step_of_the_clock_are_told_by_the_gateway_itself() -> None:
    names = ("sink", "reason", "from_seq", "to_seq", "frames", "samples", "first_ts", "last_ts")
    loss = Schema("$gateway", "loss", tuple(Tag(name, "str" if name in names[:2] else "int64") for name in names))
    clock = schema("before_ts", "after_ts", device="$gateway", group="clock")
    desk = Desk()
    desk.send(entry(["tb", "age", 7, 19, 13, 1300, 5, 6], of=loss), entry([1.0, 2.0], of=clock))
    assert [each.values for each in desk.platform.own] == [
        {"type": "gap", "sink": "tb", "reason": "age", "from": 7, "to": 19, "frames": 13, "samples": 1300}
        | {"first_ts": 5, "last_ts": 6},
        {"type": "clock", "before_ts": 1.0, "after_ts": 2.0},
    ]
    assert desk.platform.events == []


def test_a_value_that_is_too_large_alone_is_named_and_the_others_go() -> None:
    texts = Schema("d", "1s", (Tag("a", "str"), Tag("b", "str")))
    desk = Desk()
    batch = [entry(["x", "y"], of=texts), entry(["x" * 9000, "y"], of=texts), entry([1.0, 2.0], of=METER)]
    desk.send(*batch)
    assert desk.too_large == [1]
    assert len(desk.platform.records) == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_and_large_numbers(dtype: DType) -> None:
    """With more than 16 decimals they would be text there."""
    told = [
        0.1,
        0.10000000149011612,
        0.30000000000000004,
        -1.2345678901234567e-10,
        1e-30,
        0.0,
        1 / 3,
        1.0000000000000002,
    ]
    desk, of = Desk(quality=False), schema(*(f"t{n}" for n in range(len(told))), dtype=dtype)
    for quality in (bytes(len(told)), bytes((1, *bytes(len(told) - 1)))):
        desk.send(entry(told, quality, of=of))
    for record in desk.platform.records:
        values = [*record.values.values()]
        assert all(isinstance(value, float) for value in values)
        assert values == [round(value, 16) for value in told]


floats = st.floats(-1e15, 1e15) | st.sampled_from([math.nan, math.inf])
whole = st.integers(-(2**63), 2**63 - 1)
numbers = st.one_of(floats, whole, st.booleans(), st.none(), st.text(max_size=20))


@st.composite
def batches(draw: st.DrawFn) -> list[Entry]:
    schemas = [
        Schema(f"d{n}", "1s", tuple(Tag(f"tag{c}", unit="V") for c in range(draw(st.integers(1, 40)))))
        for n in range(draw(st.integers(1, 3)))
    ]
    found = []
    for seq in range(draw(st.integers(1, 12))):
        of = draw(st.sampled_from(schemas))
        columns = draw(st.none() | st.sets(st.sampled_from(range(len(of.tags))), min_size=1).map(sorted).map(tuple))
        width = len(of.tags) if columns is None else len(columns)
        values = tuple(draw(st.lists(numbers, min_size=width, max_size=width)))
        quality = bytes(draw(st.lists(st.sampled_from((0, 1, DEVICE, COMM)), min_size=width, max_size=width)))
        ts = TS + seq * 10**9
        stamps = draw(st.none() | st.just(tuple(ts - 10**6 * (c % 2) for c in range(width))))
        found.append(Entry(EPOCH, seq, draw(st.booleans()), Frame(of, ts, values, quality, 0, columns, stamps)))
    return found


def expected(batch: Sequence[Entry]) -> dict[tuple[str, int, str], Any]:
    """Every usable value by device, time and tag."""
    found = {}
    for each in batch:
        frame = each.frame
        for place, (tag, value, quality) in enumerate(frame.rows()):
            ts = (frame.stamps[place] if frame.stamps else frame.ts) // 10**6
            if quality < 64 and value is not None and not (isinstance(value, float) and not math.isfinite(value)):
                found[frame.schema.device, ts, tag.name] = round(value, 16) if isinstance(value, float) else value
    return found


@settings(max_examples=60)
@given(batches(), st.integers(300, 2000), st.booleans())
def test_whatever_is_sent_arrives_in_messages_that_are_small_enough(
    batch: list[Entry], cap: int, together: bool
) -> None:
    desk = Desk(together=together)
    desk.send(*batch, room=Room(cap, 8192))
    assert desk.too_large == []
    found = {
        (record.device, record.ts, key): value
        for record in desk.platform.records
        for key, value in record.values.items()
        if not key.endswith("_quality")
    }
    assert found == expected(batch)
    assert desk.platform.largest <= max(cap, 300)
    for device in {each.frame.schema.device for each in batch}:
        last: dict[str, str] = {}
        for each in batch:
            if each.frame.schema.device == device:
                for tag, value, code in each.frame.rows():
                    lost = value is None or (isinstance(value, float) and not math.isfinite(value))
                    last[tag.name] = quality_name(Quality.BAD_DECODE if code < 64 and lost else code)
        shown = desk.platform.latest(device)
        if len({each.history for each in batch}) == 1 and not any(each.frame.stamps for each in batch):
            assert {name: shown[f"{name}_quality"] for name in last} == last


@pytest.mark.parametrize("cap", [512, 1024, 8192])
def test_a_wide_frame_is_cut_by_columns(cap: int) -> None:
    wide = schema(*(f"t{n}" for n in range(500)))
    desk = Desk()
    desk.send(entry([n + 0.5 for n in range(500)], of=wide), room=Room(cap, cap))
    assert desk.platform.largest <= cap
    merged = {key: value for record in desk.platform.records for key, value in record.values.items()}
    assert [merged[f"t{n}"] for n in range(500)] == [n + 0.5 for n in range(500)]


def test_the_place_of_a_device_is_told_once_over_each_connection() -> None:
    desk = Desk(places={"main-meter": ("line 3", "cell/2"), "other": ("x",)})

    def told() -> list[Any]:
        sent = desk.send(entry([1.0, 2.0], of=METER), entry([1.0, 2.0], of=METER))
        return [json.loads(payload) for topic, payload in sent if topic == "v1/gateway/attributes"]

    where = {"place": "line 3/cell/2"}
    assert [each["main-meter"].items() >= where.items() for each in told()] == [True]
    assert told() == []
    desk.letters.begin()
    assert [each["main-meter"].items() >= where.items() for each in told()] == [True]
    assert desk.platform.attributes["main-meter"].items() >= where.items()
