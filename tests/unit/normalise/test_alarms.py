"""What is told of alarms, when, and once: over crashes, changes of the file, floods, and whatever a device sends."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm

SECOND = 10**9
NOON = 1_700_000_000 * SECOND
OVEN = Schema("oven", "1s", (Tag("oil", "float32", "Cel"), Tag("mode", "str")), 1.0)
HOT = Alarm("h", high=80.0, hysteresis=5.0, text="oil is hot")
Told = list[tuple[int, dict[str, Value]]]
Rows = dict[tuple[str, str], Rules]
KEY = "normal/alarms/oven/0"


def asked(*alarms: Alarm, tag: str = "oil") -> Rows:
    return {("oven", tag): Rules(alarms=alarms)}


class Plant:
    """Steps, their disk, and a clock in seconds since noon."""

    def __init__(self, rules: Rows, *schemas: Schema, disk: dict[str, bytes] | None = None) -> None:
        self.disk = disk or {}
        self.steps = Steps([], Recipes(rules))
        self.steps.restore(self.disk)
        for schema in schemas or (OVEN,):
            self.steps[schema]

    def take(self, schema: Schema, at: float, stamps: Sequence[float] = (), **values: Value) -> Told:
        columns = [column for column, tag in enumerate(schema.tags) if tag.name in values]
        cells = tuple(values[schema.tags[column].name] for column in columns)
        quality = bytes(Quality.BAD_COMM if value is None else 0 for value in cells)
        sparse = None if len(columns) == len(schema.tags) else tuple(columns)
        times = tuple(NOON + round(stamp * SECOND) for stamp in stamps) or None
        now = round(at * SECOND)
        return told(self.steps[schema](Frame(schema, NOON + now, cells, quality, now + SECOND, sparse, times)))

    def oil(self, at: float, value: Value) -> Told:
        return self.take(OVEN, at, oil=value)

    def tick(self, at: float) -> Told:
        return told(self.steps.tick(NOON + round(at * SECOND), round(at * SECOND) + SECOND))

    def commit(self) -> None:
        for key, value in self.steps.kept(SECOND).items():
            if value is None:
                self.disk.pop(key, None)
            else:
                self.disk[key] = value


def told(frames: object) -> Told:
    assert not isinstance(frames, Frame)
    found: Told = []
    for frame in frames:  # type: ignore[attr-defined]
        if frame.schema.group == "alarm":
            assert frame.schema.made
            assert all(quality == 0 for quality in frame.quality)
            found.append((round((frame.ts - NOON) / SECOND), {tag.name: value for tag, value, _ in frame.rows()}))
    return found


def ons(told: Told) -> list[tuple[int, str, Value]]:
    """When, which alarm, and whether it is on."""
    return [(at, name, value) for at, values in told for name, value in values.items() if isinstance(value, bool)]


def test_an_alarm_that_was_told_before_a_crash_is_not_told_again_and_goes_once() -> None:
    plant = Plant(asked(HOT))
    assert ons(plant.oil(0, 90.0)) == [(0, "oil_h", True)]
    plant.commit()
    again = Plant(asked(HOT), disk=plant.disk)
    assert again.oil(5, 78.0) == []
    assert again.oil(6, 60.0) == [(6, {"oil_h": False, "oil_h_state": "normal", "oil_h_value": 60.0})]
    again.commit()
    assert Plant(asked(HOT), disk=again.disk).oil(7, 60.0) == []


def test_an_alarm_whose_frame_was_not_committed_is_told_by_the_next_run() -> None:
    plant = Plant(asked(HOT))
    plant.oil(0, 90.0)
    assert ons(Plant(asked(HOT), disk=plant.disk).oil(5, 90.0)) == [(5, "oil_h", True)]


def test_the_state_goes_with_the_frames_and_only_when_something_was_told() -> None:
    plant = Plant(asked(HOT))
    plant.oil(0, 50.0)
    assert plant.steps.kept(SECOND) == {}
    plant.oil(1, 90.0)
    assert list(plant.steps.kept(SECOND)) == [KEY]
    assert plant.steps.kept(SECOND) == {}


def test_an_alarm_that_was_taken_out_of_the_file_goes_after_ten_minutes() -> None:
    """Not at once: its tag may be one that is still to be found."""
    plant = Plant(asked(HOT, Alarm("ll", low=10.0)))
    plant.oil(0, 90.0)
    plant.commit()
    again = Plant(asked(Alarm("ll", low=10.0)), disk=plant.disk)
    assert [*again.tick(1), *again.oil(2, 90.0), *again.tick(600)] == []
    again.commit()
    assert again.tick(601) == [(601, {"oil_h": False, "oil_h_state": "normal"})]
    again.commit()
    assert Plant(asked(), disk=again.disk).tick(5000) == []


def test_a_change_of_its_limit_counts_from_the_next_value() -> None:
    plant = Plant(asked(HOT))
    plant.oil(0, 90.0)
    plant.commit()
    higher = Plant(asked(Alarm("h", high=100.0)), disk=plant.disk)
    assert ons(higher.oil(1, 90.0)) == [(1, "oil_h", False)]


def test_a_group_that_has_another_interval_keeps_its_alarms() -> None:
    plant = Plant(asked(HOT))
    plant.oil(0, 90.0)
    plant.commit()
    slower = Schema("oven", "5s", OVEN.tags, 5.0)
    assert Plant(asked(HOT), slower, disk=plant.disk).take(slower, 5, oil=90.0) == []


def test_two_alarms_of_one_moment_are_one_frame() -> None:
    plant = Plant(asked(HOT, Alarm("hh", high=85.0)))
    assert ons(plant.oil(0, 90.0)) == [(0, "oil_h", True), (0, "oil_hh", True)]
    assert len(plant.oil(1, 82.0)) == 1


def test_what_comes_and_goes_between_two_values_is_two_frames_in_order() -> None:
    plant = Plant(asked(Alarm("h", high=80.0, on_delay=5 * SECOND)))
    plant.oil(0, 90.0)
    assert ons(plant.oil(5, 70.0)) == [(5, "oil_h", True), (5, "oil_h", False)]
    plant.oil(10, 90.0)
    assert ons(plant.oil(20, 70.0)) == [(15, "oil_h", True), (20, "oil_h", False)]


def test_the_source_s_own_time_decides_and_is_told() -> None:
    """Its clock is an hour behind: delays are by it, and frames by ours."""
    plant = Plant(asked(Alarm("h", high=80.0, on_delay=5 * SECOND)))
    step = plant.steps[OVEN]
    early, late = NOON - 3600 * SECOND, NOON - 3594 * SECOND
    assert len(step(Frame(OVEN, NOON, (90.0,), b"\0", SECOND, (0,), (early,)))) == 1
    _, frame = step(Frame(OVEN, NOON + SECOND, (90.0,), b"\0", 2 * SECOND, (0,), (late,)))
    assert (frame.ts, set(frame.stamps or ())) == (NOON + SECOND, {early + 5 * SECOND})


def test_a_device_that_falls_silent_is_waited_for_by_our_clock() -> None:
    plant = Plant(asked(Alarm("bad", on_delay=30 * SECOND), Alarm("h", high=80.0, off_delay=5 * SECOND)))
    plant.oil(0, 90.0)
    plant.oil(1, None)
    assert plant.tick(30) == []
    assert ons(plant.tick(31)) == [(31, "oil_bad", True)]
    assert plant.tick(900) == []


def test_a_tag_that_is_read_elsewhere_is_measured_from_there() -> None:
    recipe, own = Schema("oven", "1m", (Tag("set"),), 60.0), Alarm("deviation", low=-5, high=5, other="set")
    plant = Plant(asked(own), OVEN, recipe)
    assert plant.oil(0, 90.0) == []
    assert ons(plant.take(recipe, 1, set=80.0)) == [(1, "oil_deviation", True)]
    assert plant.take(recipe, 2, set=None) == []
    assert ons(plant.take(recipe, 3, set=88.0)) == [(3, "oil_deviation", False)]


def test_a_new_tag_of_a_device_does_not_disturb_the_alarms_that_there_are() -> None:
    rules = asked(HOT) | asked(Alarm("h", high=1.0), tag="new")
    plant = Plant(rules)
    plant.oil(0, 90.0)
    grown = Schema("oven", "1s", (*OVEN.tags, Tag("new")), 1.0)
    assert ons(plant.take(grown, 1, oil=90.0, mode="", new=2.0)) == [(1, "new_h", True)]
    assert ons(plant.take(grown, 2, oil=10.0)) == [(2, "oil_h", False)]


def test_limits_on_a_text_that_was_found_do_no_harm() -> None:
    plant = Plant(asked(Alarm("h", high=1.0), Alarm("state", states=frozenset(["x"])), tag="mode"))
    assert ons(plant.take(OVEN, 0, mode="x")) == [(0, "mode_state", True)]
    assert ons(plant.take(OVEN, 1, mode="y")) == [(1, "mode_state", False)]


def test_a_flood_is_told_once_and_its_end() -> None:
    plant = Plant(asked(Alarm("h", high=80.0, chatter=4)))
    found = [each for at in range(1000) for each in plant.oil(at / 10, 90.0 if at % 2 else 70.0)]
    assert [values["oil_h_state"] for _, values in found] == ["active", "normal", "active", "normal", "chattering"]
    assert plant.tick(159.8) == []
    assert [values["oil_h_state"] for _, values in plant.tick(160)] == ["active"]


@pytest.mark.parametrize(("third", "state"), [(59.9, "chattering"), (60, "active")])
def test_a_flood_is_within_less_than_a_minute(third: float, state: str) -> None:
    plant = Plant(asked(Alarm("h", high=80.0, chatter=2)))
    plant.oil(0, 90.0)
    plant.oil(30, 70.0)
    ((_, values),) = plant.oil(third, 90.0)
    assert values["oil_h_state"] == state


def test_a_rate_is_from_the_newest_value_that_is_old_enough() -> None:
    plant = Plant(asked(Alarm("rate", low=-1.0, high=1.0, over=10 * SECOND)))
    assert [*plant.oil(0, 0.0), *plant.oil(10, 10.0)] == []
    assert ons(plant.oil(15, 40.0)) == [(15, "oil_rate", True)]  # 40 in 15 s
    assert ons(plant.oil(20, 20.0)) == [(20, "oil_rate", False)]  # 10 in 10 s, and not 20 in 20 s, or -20 in 5 s
    assert ons(plant.oil(30, 31.0)) == [(30, "oil_rate", True)]  # 11 in 10 s


def test_a_held_alarm_is_held_by_the_next_run_for_a_minute() -> None:
    plant = Plant(asked(Alarm("h", high=80.0, chatter=2)))
    for at in range(4):
        plant.oil(at, 70.0 if at % 2 else 90.0)
    plant.commit()
    again = Plant(asked(Alarm("h", high=80.0, chatter=2)), disk=plant.disk)
    assert [*again.tick(10), *again.oil(11, 70.0), *again.tick(69)] == []
    assert ons(again.tick(71)) == [(71, "oil_h", False)]


@pytest.mark.parametrize("value", [2**64, -(2**64), 10**400, 1.7e308, 5e-324, True])
def test_numbers_of_any_size_are_compared_exactly_and_kept(value: Value) -> None:
    schema = Schema("oven", "1s", (Tag("n", "uint64"), Tag("set")), 1.0)
    alarms = (
        Alarm("h", high=2**64 - 1),
        Alarm("l", low=-(2**64) + 1),
        Alarm("rate", low=-1.0, high=1.0, over=SECOND),
        Alarm("deviation", low=-1, high=1, other="set"),
    )
    plant = Plant(asked(*alarms, tag="n"), schema)
    plant.take(schema, 0, n=0, set=0.5)
    found = ons(plant.take(schema, 2, n=value, set=0.5))
    exact = {"n_h": value > 2**64 - 1, "n_l": value < -(2**64) + 1}  # type: ignore[operator]
    assert {name for _, name, on in found if on} & exact.keys() == {name for name, on in exact.items() if on}
    plant.commit()
    assert [
        on for _, name, on in ons(Plant(asked(*alarms, tag="n"), schema, disk=plant.disk).take(schema, 3, n=0)) if on
    ] == []


def test_a_whole_number_beside_a_limit_is_on_the_right_side() -> None:
    """A float would not tell them apart."""
    schema = Schema("oven", "1s", (Tag("n", "int64"),), 1.0)
    plant = Plant(asked(Alarm("h", high=2**53, hysteresis=1), tag="n"), schema)
    assert plant.take(schema, 0, n=2**53) == []
    assert ons(plant.take(schema, 1, n=2**53 + 1)) == [(1, "n_h", True)]
    assert plant.take(schema, 2, n=2**53) == []
    assert ons(plant.take(schema, 3, n=2**53 - 1)) == [(3, "n_h", False)]


junk = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(), st.binary())
states = st.tuples(junk, junk, junk, junk, junk) | st.tuples(
    st.booleans(), st.integers(-(2**63), 2**63), st.text(), junk, st.integers(-(2**63), 2**63)
)
blobs = st.binary() | st.builds(
    lambda *parts: msgspec.msgpack.encode(parts),
    st.sampled_from([1, 2, "1"]),
    st.dictionaries(st.sampled_from(["oil_h", "oil_x", ""]), states) | junk,
)


@given(blobs)
def test_a_state_that_is_junk_is_survived(blob: bytes) -> None:
    """The alarm works, and what it tells after that is what is so."""
    plant = Plant(asked(HOT))
    board = plant.steps.alarms
    board.panel("oven").load(blob)
    plant.tick(0)
    plant.oil(1, 90.0)
    board.shelve("oven", "oil_h", 0, NOON)
    plant.tick(2)
    (standing,) = board.standings()
    assert (standing.active, standing.state) in ((True, "active"), (True, "chattering"))
    board.panel("oven").load(board.panel("oven").dump())


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 255), st.floats() | st.text() | st.none())))
def test_whatever_comes_at_whatever_time_nothing_breaks(frames: list[tuple[int, int, Value]]) -> None:
    alarms = (HOT, Alarm("bad", on_delay=SECOND), Alarm("rate", low=-1.0, high=1.0, over=SECOND), Alarm("l", low=3))
    plant = Plant(asked(*alarms))
    for ts, quality, value in frames:
        for made in plant.steps[OVEN](Frame(OVEN, ts, (value,), bytes([quality]), 0, (0,))):
            assert made.schema is not OVEN or value is None or made.quality[0] >= FIRST_BAD or made.values[0] == value
        list(plant.steps.tick(ts, abs(ts)))


def test_ten_thousand_alarms_that_are_on_come_back() -> None:
    tags = tuple(Tag(f"t{at}") for at in range(10_000))
    schema = Schema("oven", "1s", tags, 1.0)
    rules = Rules(alarms=(Alarm("h", high=80.0),))
    plant = Plant({("oven", tag.name): rules for tag in tags}, schema)
    frame = Frame(schema, NOON, (90.0,) * len(tags), bytes(len(tags)), SECOND)
    assert sum(map(len, [made.values for made in plant.steps[schema](frame) if made.schema is not schema])) == 40_000
    plant.commit()
    assert len(plant.disk) > 1
    again = Plant({("oven", tag.name): rules for tag in tags}, schema, disk=plant.disk)
    assert again.steps[schema](frame) == (frame,)
    assert again.steps.alarms.counts() == {"oven": (10_000, 0)}


def test_text_that_comes_or_not_can_be_an_alarm_whatever_it_says() -> None:
    plant = Plant(asked(Alarm("bad"), tag="mode"))
    seen = [plant.take(OVEN, at, oil=1.0, mode=mode) for at, mode in enumerate(["auto", "hand", None, "auto", "zero"])]
    assert [ons(each) for each in seen] == [[], [], [(2, "mode_bad", True)], [(3, "mode_bad", False)], []]


def test_from_a_text_nothing_is_away() -> None:
    plant = Plant(asked(Alarm("deviation", other="mode", low=-5.0, high=5.0)))
    assert plant.take(OVEN, 0, oil=100.0, mode="auto") == []
