"""Time in each state adds up, whatever the clocks do; what nobody knows is unknown and never anything else."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.api import Kept
from agent.normalise.state import States
from agent.normalise.timeline import LONGEST
from tests.lengths import often

SECOND, MINUTE = 10**9, 60 * 10**9
NOON = 1_700_000_000 * SECOND // MINUTE * MINUTE
STATES = States(("run", "idle", "fault"), ((1, 0), ("auto", 0), (2, 1)), 2)
RULES = Recipes({("m", "a"): Rules(states=STATES), ("m", "b"): Rules(states=STATES)})
TAGS = Tag("a", "int32"), Tag("x"), Tag("b", "int32")
SCANNED, SILENT = Schema("m", "1s", TAGS, 1.0), Schema("m", "events", TAGS)
BAD = bytes((0, 0, Quality.BAD_COMM))


class World:
    """A step with two clocks; what was told last of each tag that is made."""

    def __init__(self, schema: Schema, kept: dict[str, bytes] | None = None, wall: int = NOON) -> None:
        self.schema, self.wall, self.mono = schema, wall, 5 * SECOND
        self.steps = Steps([schema], RULES)
        self.steps.restore(kept or {})
        self.told: dict[str, Value] = {}
        self.frames: list[Frame] = []
        self.tick()

    def move(self, seconds: float) -> None:
        """Time passes, and is looked at once a second."""
        left = round(seconds * SECOND)
        while left > 0:
            step = min(left, SECOND)
            self.wall, self.mono, left = self.wall + step, self.mono + step, left - step
            self.tick()

    def read(self, a: Value, b: Value = 1, quality: bytes = bytes(3), stamps: Any = None) -> None:
        self.take(self.steps[self.schema](Frame(self.schema, self.wall, (a, 0.5, b), quality, self.mono, None, stamps)))

    def change(self, column: int, value: Value, quality: int = 0, stamp: int | None = None) -> None:
        stamps = None if stamp is None else (stamp,)
        one = Frame(self.schema, self.wall, (value,), bytes((quality,)), self.mono, (column,), stamps)
        self.take(self.steps[self.schema](one))

    def tick(self) -> None:
        self.take(self.steps.tick(self.wall, self.mono))

    def take(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if frame.schema.group == "state":
                self.frames.append(frame)
                self.told |= {tag.name: value for tag, value, _ in frame.rows()}

    def kept(self) -> dict[str, bytes]:
        return {key: value for key, value in self.steps.kept(self.mono, all_of_it=True).items() if value is not None}

    def times(self, tag: str = "a") -> list[Value]:
        return [self.told.get(f"{tag}_{name}_s") for name in ("run", "idle", "fault", "unknown")]

    def counts(self, tag: str = "a") -> list[Value]:
        return [self.told.get(f"{tag}_{name}_count") for name in ("run", "idle", "fault")]


def test_a_scanned_machine() -> None:
    world = World(SCANNED)
    for value, seconds in ((1, 10), (True, 5), (2, 7), (9, 3), (1, 5)):
        for _ in range(seconds):
            world.read(value)
            world.move(1)
    world.read(1)
    world.move(30)
    assert (world.times(), world.counts()) == ([20.0, 7.0, 3.0, 30.0], [1, 1, 1])
    assert (world.times("b"), world.told["b_state"]) == ([30.0, 0.0, 0.0, 30.0], "unknown")


def test_nothing_is_told_of_a_frame_that_says_the_same() -> None:
    world = World(SCANNED)
    world.read(1)
    told = len(world.frames)
    for _ in range(20):
        world.move(1)
        world.read(1)
    assert len(world.frames) == told
    world.move(1)
    world.read(2)
    assert world.frames[-1].columns == tuple(range(8))
    assert world.times() == [21.0, 0.0, 0.0, 0.0]


def test_what_speaks_only_of_changes_holds() -> None:
    world = World(SILENT)
    world.change(0, 1)
    world.move(600)
    assert world.times() == [600.0, 0.0, 0.0, 0.0]
    world.change(0, None, Quality.BAD_COMM)
    world.move(60)
    world.change(0, 2)
    assert world.times() == [600.0, 0.0, 0.0, 60.0]
    assert world.counts() == [0, 1, 0]
    assert world.times("b") == [None] * 4


def test_a_scanned_machine_of_which_nothing_is_heard_is_unknown() -> None:
    world = World(SCANNED)
    world.read(1)
    world.move(10)
    world.read(1)
    world.read(2)
    assert world.times() == [0.0, 0.0, 0.0, 10.0]


@pytest.mark.parametrize("trust", [Quality.BAD_COMM, Quality.STALE, Quality.BAD_RANGE])
def test_a_value_that_is_not_of_now_is_unknown(trust: Quality) -> None:
    world = World(SCANNED)
    world.read(1)
    world.move(2)
    world.read(1, 1, bytes((trust, 0, 0)))
    world.move(3)
    world.read(1)
    world.move(1)
    world.read(2)
    assert (world.times(), world.counts()) == ([3.0, 0.0, 0.0, 3.0], [0, 1, 0])
    assert world.times("b") == [None] * 4 or world.times("b")[3] == 0.0


@pytest.mark.parametrize("step", [3600, -3600, 86400 * 365, -86400 * 365])
@pytest.mark.parametrize("schema", [SCANNED, SILENT], ids=["scanned", "silent"])
def test_a_step_of_the_wall_clock_is_no_time(schema: Schema, step: int) -> None:
    world = World(schema)
    world.read(1)
    for second in range(4):
        world.move(1)
        world.wall += (second == 1) * step * SECOND
        world.read(1)
    world.read(2)
    assert world.times() == [4.0, 0.0, 0.0, 0.0]


def test_times_of_the_source_count_up_to_a_minute_ahead() -> None:
    world = World(SILENT)
    world.change(0, 1, stamp=NOON)
    world.change(0, 2, stamp=NOON + 30 * SECOND)
    world.move(2)
    world.change(0, 1, stamp=NOON + 3600 * SECOND)
    world.move(2)
    world.change(0, 2, stamp=NOON - 3600 * SECOND)
    assert world.times() == [32.0, 62.0, 0.0, 3600.0 - 30 - 62]


def test_a_restart_goes_on_and_the_time_between_is_unknown() -> None:
    world = World(SCANNED)
    for value in (1, 1, 2, 1, 1):
        world.read(value)
        world.move(1)
    again = World(SCANNED, world.kept(), world.wall + 100 * SECOND)
    again.read(1)
    again.move(1)
    again.read(9)
    assert (again.times(), again.counts()) == ([4.0, 1.0, 0.0, 101.0], [1, 1, 1])
    assert world.times("b")[3] in (None, 0.0)


def test_a_restart_under_a_wrong_clock_adds_no_years() -> None:
    world = World(SCANNED)
    world.read(1)
    for wall in (0, NOON + 2 * LONGEST):
        again = World(SCANNED, world.kept(), wall)
        again.read(1)
        again.read(2)
        assert again.times() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x92\x01\x80", b"\x92\x02\x80", b"\x92\x01\x81\xa1a\x93\x00\xa0\x90"])
def test_a_state_that_is_junk_begins_anew(junk: bytes) -> None:
    world = World(SCANNED)
    part = world.steps._parts["m", "1s"]["states"]
    assert isinstance(part, Kept)
    part.load(junk)
    world.read(1)
    world.move(1)
    world.read(2)
    assert world.times() == [1.0, 0.0, 0.0, 0.0]


def test_states_that_are_no_longer_in_the_file_are_left() -> None:
    world = World(SCANNED)
    world.read(1)
    world.move(3)
    world.read(2)
    world.move(1)
    world.read(2)
    kept = world.kept()
    fewer = Recipes({("m", "a"): Rules(states=States(("idle", "stop"), ((2, 0),), 1))})
    again = Steps([SCANNED], fewer)
    again.restore(kept)
    (made,) = again[SCANNED](Frame(SCANNED, world.wall, (2, 0.5, 1), bytes(3), world.mono))[1:]
    told = {tag.name: value for tag, value, _ in made.rows()}
    assert told == {
        "a_idle_s": 1.0,
        "a_stop_s": 0.0,
        "a_unknown_s": 0.0,
        "a_idle_count": 1,
        "a_stop_count": 0,
        "a_state": "idle",
    }


def test_it_is_told_once_a_second_at_most_and_nothing_is_left_untold() -> None:
    world = World(SCANNED)
    for number in range(500):
        world.read(1 + number % 2)
        world.wall += SECOND // 100
        world.mono += SECOND // 100
    assert len(world.frames) <= 6
    world.move(2)
    assert world.told["a_state"] == "idle"
    assert world.counts() == [249, 250, 0]


def test_figures_are_those_of_the_minute() -> None:
    world = World(SCANNED, wall=NOON + 58 * SECOND + SECOND // 2)
    for _ in range(2):
        world.read(1)
        world.wall, world.mono = world.wall + SECOND, world.mono + SECOND
    world.read(1)
    world.tick()
    minute = world.frames[-1]
    assert (minute.ts, world.times()) == (NOON + MINUTE, [1.5, 0.0, 0.0, 0.0])


def test_its_own_tags_are_made_and_have_units() -> None:
    world = World(SCANNED)
    world.read(1)
    schema = world.frames[-1].schema
    assert (schema.made, schema.group, schema.device) == (True, "state", "m")
    assert [(tag.name, tag.dtype, tag.unit, tag.kind) for tag in schema.tags][:8] == [
        *((f"a_{name}_s", "float64", "s", "counter") for name in ("run", "idle", "fault", "unknown")),
        *((f"a_{name}_count", "int64", "", "counter") for name in ("run", "idle", "fault")),
        ("a_state", "str", "", "state"),
    ]


Event = tuple[int, Value, int]  # seconds after the one before, value, quality


def plain(events: Sequence[Event], restarts: set[int]) -> tuple[list[float], list[int]]:
    """The slow way, of a tag that holds; nobody knows what it was between a restart and the next event."""
    names = ["run", "idle", "fault", "unknown"]
    spent, entered, state, known = dict.fromkeys(names, 0.0), dict.fromkeys(names[:3], 0), "", ""
    for number, (gap, value, quality) in enumerate(events):
        if state:
            spent[state] += gap
        state = "unknown" if quality else {1: "run", 2: "idle"}.get(value, "fault")  # type: ignore[call-overload]  # True is 1
        if state not in ("unknown", known):
            entered[state] += known != ""
            known = state
        if number in restarts:
            state = "unknown"
    return list(spent.values()), list(entered.values())


@settings(max_examples=often(40, 400), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([1, 2, 3, True, 1.0]), st.sampled_from([0, 0, 0, 66])),
        min_size=1,
        max_size=12,
    ),
    st.sets(st.integers(0, 11), max_size=3),
)
def test_time_adds_up(events: list[Event], restarts: set[int]) -> None:
    """Of a tag that holds, against the plain way, with restarts in between."""
    world = World(SILENT)
    events = [*events, (5, None, Quality.BAD_COMM)]
    for number, (gap, value, quality) in enumerate(events):
        world.move(gap)
        world.change(0, value, quality)
        if number in restarts:
            world = World(SILENT, world.kept(), world.wall)
    spent, entered = plain(events, restarts)
    world.move(MINUTE / SECOND)
    told = world.told
    assert [told[f"a_{name}_s"] for name in ("run", "idle", "fault")] == spent[:3]
    assert told["a_unknown_s"] >= spent[3]  # type: ignore[operator]  # it is a number
    assert world.counts() == entered


def test_a_source_whose_clock_jumps_by_centuries_keeps_nothing_from_being_kept() -> None:
    world = World(SILENT)
    for _ in range(4):
        world.change(0, 1, stamp=1)
        world.change(0, 2, stamp=(1 << 63) - 1)
    again = World(SILENT, world.kept())
    again.change(0, 1)
    assert again.counts() == [4, 4, 0]
