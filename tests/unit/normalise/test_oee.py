"""Shifts are judged as ISO 22400-2 says, over breaks, restarts, resets and jumps; against a plain way of counting."""

from collections.abc import Iterable, Mapping
from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality, quality_name
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.calculated import Calculated, Derived
from agent.normalise.calendar import Calendar, Days, Period
from agent.normalise.local import Local
from agent.normalise.oee import figures
from agent.normalise.shift import Oee
from agent.normalise.state import States
from tests.lengths import often

SECOND, MINUTE, HOUR = 10**9, 60 * 10**9, 3600 * 10**9
DAY = 1_772_409_600 * SECOND  # 2 March 2026, 00:00 UTC
PATTERN = (
    (6 * 60, Period("early")),
    (10 * 60, Period("early", planned=False)),
    (10 * 60 + 30, Period("early")),
    (14 * 60 + 30, Period("late")),
    (22 * 60, Period("night", planned=False)),
)
CALENDARS = {"shifts": Calendar(Local(), [Days(PATTERN)])}
STATES = States(("run", "setup", "idle"), ((1, 0), (2, 1), (3, 2)))
MODE, PIECES, GOOD, SCRAP = Tag("mode", "int32"), Tag("pieces", "int64"), Tag("good", "int64"), Tag("scrap", "int64")
ONE = (Schema("m", "events", (MODE, PIECES, GOOD, SCRAP)),)
APART = (Schema("m", "a", (Tag("x"), MODE)), Schema("m", "b", (SCRAP, PIECES, GOOD)))


def asked(run: tuple[str, ...] = ("run",), cycle: float = 30, *, rejects: bool = False) -> Recipes:
    other = {"rejects": "scrap"} if rejects else {"good": "good"}
    oee = Oee("mode", run, "pieces", round(cycle * SECOND), "shifts", **other)
    return Recipes({("m", "mode"): Rules(states=STATES)}, Local(), CALENDARS, oee={"m": oee})


class World:
    """A machine that says what has changed; `told` has the figures by time, `now` those that came last."""

    def __init__(
        self,
        recipes: Recipes | None = None,
        schemas: tuple[Schema, ...] = ONE,
        *,
        at: float = 6.0,
        kept: Mapping[str, bytes] | None = None,
    ) -> None:
        self.wall, self.mono, self.schemas = DAY + round(at * HOUR), SECOND, schemas
        self.steps = Steps(schemas, recipes or asked())
        self.steps.restore(kept or {})
        self.told: dict[int, dict[str, Value]] = {}
        self.trust: dict[str, str] = {}
        self.tick()

    @property
    def now(self) -> dict[str, Value]:
        return self.told[max(self.told)]

    def until(self, hours: float) -> None:
        """Time goes on to that time of the first day; it is looked at with every minute."""
        end = DAY + round(hours * HOUR)
        while self.wall < end:
            step = min(MINUTE - self.wall % MINUTE, end - self.wall)
            self.wall, self.mono = self.wall + step, self.mono + step
            self.tick()

    def say(self, quality: int = 0, **values: Value) -> None:
        for name, value in values.items():
            for schema in self.schemas:
                for column, tag in enumerate(schema.tags):
                    if tag.name == name:
                        frame = Frame(schema, self.wall, (value,), bytes((quality,)), self.mono, (column,))
                        self.take(self.steps[schema](frame))

    def tick(self) -> None:
        self.take(self.steps.tick(self.wall, self.mono))

    def take(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if frame.schema.group == "shift":
                self.told[frame.ts] = {tag.name: value for tag, value, _ in frame.rows()}
                self.trust = {tag.name: quality_name(code) for tag, _, code in frame.rows() if code}

    def kept(self) -> dict[str, bytes]:
        return {key: value for key, value in self.steps.kept(self.mono, all_of_it=True).items() if value is not None}

    def final(self, hours: float) -> dict[str, Value]:
        return self.told[DAY + round(hours * HOUR)]


def close(found: Mapping[str, Value], **wanted: float) -> bool:
    return all(isclose(found[name], value, abs_tol=1e-9) for name, value in wanted.items())  # type: ignore[arg-type]  # numbers


def test_the_figures_of_the_standard() -> None:
    oee, a, e, q = figures(480 * MINUTE, 420 * MINUTE, 780, 760, 30 * SECOND)
    assert [f"{value:.6f}" for value in (a, e, q, oee)] == ["0.875000", "0.928571", "0.974359", "0.791667"]
    assert figures(0, 0, 0, 0, SECOND) == (None, None, None, None)
    assert figures(MINUTE, 0, 0, 0, SECOND) == (0.0, 0.0, None, None)


@pytest.mark.parametrize("schemas", [ONE, APART], ids=["one group", "two groups"])
@pytest.mark.parametrize("rejects", [False, True])
def test_a_shift_with_a_break(schemas: tuple[Schema, ...], *, rejects: bool) -> None:
    """480 minutes are planned, 420 of them it runs; in the break it runs too, and that is not counted."""
    world = World(asked(rejects=rejects), schemas)
    world.say(mode=1, pieces=1000, good=900, scrap=100)
    for hour in range(7, 14):
        world.until(hour)
        world.say(pieces=1000 + 100 * (hour - 6), good=900 + 98 * (hour - 6), scrap=100 + 2 * (hour - 6))
    world.until(13.5)
    world.say(mode=3, pieces=1780, good=1660, scrap=120)
    world.until(14.6)
    found = world.final(14.5)
    assert close(found, oee_availability=0.875, oee_performance=390 / 420, oee_quality=760 / 780, oee=760 * 0.5 / 480)
    assert close(found, oee_pbt_s=28_800, oee_apt_s=25_200, oee_produced=780, oee_good=760)
    assert found["shift"] == "early"
    assert world.now["shift"] == "late"
    assert close(world.now, oee_pbt_s=360, oee_apt_s=0, oee_produced=0)
    assert world.trust == {"oee_performance": "bad_decode", "oee_quality": "bad_decode"}


def test_it_is_told_each_minute_how_it_stands() -> None:
    world = World()
    world.say(mode=1, pieces=0, good=0)
    world.until(6.5)
    world.say(pieces=120, good=60)
    world.until(7)
    assert [(ts - DAY) // MINUTE - 360 for ts in world.told] == list(range(1, 61))
    assert close(world.final(6.5), oee_pbt_s=1800, oee_apt_s=1800, oee_produced=0)
    assert close(world.final(7), oee=0.5, oee_availability=1, oee_performance=1, oee_quality=0.5)


def test_faster_than_the_cycle_is_more_than_one() -> None:
    world = World(asked(cycle=60))
    world.say(mode=1, pieces=0, good=0)
    world.until(7)
    world.say(pieces=120, good=120)
    world.until(7.1)
    assert close(world.final(7 + 1 / 60), oee=60 * 120 / 3660, oee_performance=60 * 120 / 3660)


def test_several_states_in_which_it_works() -> None:
    world = World(asked(run=("run", "setup")))
    for at, mode in ((6, 1), (7, 2), (8, 3), (9, 1)):
        world.until(at)
        world.say(mode=mode)
    world.until(9.5)
    assert close(world.now, oee_apt_s=2.5 * 3600)


@pytest.mark.parametrize("code", [Quality.BAD_COMM, Quality.STALE])
def test_what_is_not_known_is_not_run(code: Quality) -> None:
    world = World()
    world.say(mode=1)
    world.until(7)
    world.say(code, mode=None if code >= 64 else 1)
    world.until(8)
    world.say(mode=1)
    world.until(8.5)
    assert close(world.now, oee_apt_s=1.5 * 3600)


def test_a_restart_in_the_middle_goes_on() -> None:
    """What was made while the agent was down is known from the counter; whether it ran is not."""
    world = World()
    world.say(mode=1, pieces=500, good=500)
    world.until(8)
    world.say(pieces=600, good=590)
    again = World(at=9, kept=world.kept())
    again.say(mode=1, pieces=650, good=640)
    again.until(9.5)
    assert close(again.now, oee_apt_s=2.5 * 3600, oee_pbt_s=3.5 * 3600, oee_produced=150, oee_good=140)


def test_a_shift_that_ended_while_the_agent_was_down_is_told_at_the_start() -> None:
    world = World()
    world.say(mode=1, pieces=0, good=0)
    world.until(14)
    world.say(pieces=600, good=600)
    again = World(at=16, kept=world.kept())
    assert close(again.final(14.5), oee_produced=600, oee_apt_s=7.5 * 3600)
    again.say(mode=1, pieces=640, good=640)
    again.until(16.5)
    assert again.now["shift"] == "late"
    assert close(again.now, oee_produced=40, oee_apt_s=1800)


def test_a_counter_that_is_set_to_0_with_each_shift_goes_on() -> None:
    world = World()
    world.say(mode=1, pieces=600, good=600)
    for number, pieces in enumerate((0, 10, 20), start=1):
        world.until(6 + number / 6)
        world.say(pieces=pieces, good=pieces)
    world.until(7)
    assert close(world.now, oee_produced=20, oee_good=20)


def test_a_jump_after_an_outage_is_no_piece() -> None:
    """Another counter answers: it may count ten times as fast as the cycle, but not like that."""
    world = World()
    world.say(mode=1, pieces=10, good=10)
    world.until(7)
    world.say(Quality.BAD_COMM, pieces=None, good=None)
    world.until(7.5)
    for pieces in (70_000, 70_010, 70_020):
        world.say(pieces=pieces, good=pieces)
        world.until(7.5 + (pieces - 69_990) / 1000)
    world.until(7.6)
    assert close(world.now, oee_produced=20, oee_good=20)


def test_one_wild_reading_is_nothing() -> None:
    world = World()
    for at, pieces in ((6, 10), (6.1, 20), (6.2, 4_000_000_000), (6.3, 30), (6.4, 40)):
        world.until(at)
        world.say(pieces=pieces, good=pieces)
    world.until(6.5)
    assert close(world.now, oee_produced=30, oee_good=30)


def test_a_shift_that_is_not_planned_is_not_told_unless_something_is_made() -> None:
    world = World(at=22.5)
    world.say(mode=1, pieces=0, good=0)
    world.until(23)
    assert world.told == {}
    world.say(pieces=5, good=5)
    world.until(23.1)
    assert (world.now["oee_produced"], world.now["oee"], world.trust["oee"]) == (5, None, "bad_decode")


def test_what_comes_late_counts_for_the_next_shift() -> None:
    world = World()
    world.say(mode=1, pieces=0, good=0)
    world.until(14.6)
    late = Frame(ONE[0], world.wall, (50, 50), bytes(2), world.mono, (1, 2), (DAY + 14 * HOUR,) * 2)
    world.take(world.steps[ONE[0]](late))
    world.until(15)
    assert close(world.now, oee_produced=50)
    assert close(world.final(14.5), oee_produced=0)


@pytest.mark.parametrize("ahead", [10 * 365 * 24, 24])
def test_a_wall_clock_that_was_ahead_takes_no_shift_away(ahead: int) -> None:
    world = World(at=6 + ahead)
    world.say(mode=1, pieces=0, good=0)
    world.until(9 + ahead)
    world.wall = DAY + 7 * HOUR
    world.told.clear()
    world.say(mode=1, pieces=30, good=30)
    world.until(8)
    world.say(pieces=60, good=60)
    world.until(8.5)
    assert (max(world.told) - DAY) // MINUTE == 8 * 60 + 30
    assert close(world.now, oee_produced=60)


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x92\x01\x90", b"\x92\x07\x95\x00\x90\x80\x80\x92\x00\x00"])
def test_a_state_that_is_junk_begins_anew(junk: bytes) -> None:
    world = World()
    world.steps._context.shared["oee/m"].load(junk)
    world.say(mode=1, pieces=0, good=0)
    world.until(6.5)
    assert close(world.now, oee_apt_s=1800)


@settings(max_examples=often(10, 250), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 45), st.sampled_from([1, 2, 3, None]), st.integers(0, 20)), min_size=1, max_size=12
    ),
    st.sets(st.integers(0, 11), max_size=2),
)
def test_run_time_and_pieces_against_the_plain_way(
    events: list[tuple[int, int | None, int]], restarts: set[int]
) -> None:
    """Minute by minute: run and planned. Of pieces all count, when the reading that has them comes."""
    world, minute, mode, total = World(), 360, None, 0
    ran, made = 0, 0
    world.say(pieces=0, good=0)
    for number, (gap, value, pieces) in enumerate(events):
        for at in range(minute, min(minute + gap, 870)):
            ran += mode == 1 and not 600 <= at < 630
        minute += gap
        world.until(minute / 60)
        mode, total = value, total + pieces
        world.say(66 if value is None else 0, mode=value)
        world.say(pieces=total, good=total)
        made += pieces if minute < 870 else 0
        if number in restarts:
            told, world = world.told, World(at=minute / 60, kept=world.kept())
            world.told = told | world.told
            mode = None
    world.say(66, mode=None)
    world.until(15)
    assert close(world.final(14.5), oee_apt_s=60 * ran, oee_produced=made, oee_pbt_s=28_800)


LINE = (
    Schema("filler", "1s", (Tag("mode", "int32"), Tag("n", "int64")), 0.0),
    Schema("packer", "1s", (Tag("n", "int64"), Tag("x")), 0.0),
)


def line(state: str = "state") -> Recipes:
    """A line that runs when its filler does, of which the pieces are counted by two machines under the same name."""
    inputs = {"state": ("filler", "mode"), "all": ("filler", "n"), "out": ("packer", "n")}
    oee = Oee(state, ("run",), "all", 30 * SECOND, "shifts", good="out", inputs=tuple(inputs.items()))
    running = Derived(Tag("running", "bool"), "mode < 3", (("mode", inputs["state"]),))
    rules = {
        ("filler", "mode"): Rules(states=STATES),
        ("line", "running"): Rules(states=States(("run",), ((True, 0),))),
    }
    return Recipes(rules, Local(), CALENDARS, (Calculated("line", (running,)),), oee={"line": oee})


def of_line(world: World, filler: tuple[int, int], packer: int) -> None:
    for schema, values in zip(LINE, (filler, (packer, 0.0)), strict=True):
        frame = Frame(schema, world.wall, values, bytes(2), world.mono)
        world.take(world.steps[schema](frame))


def test_a_line_is_judged_by_tags_of_several_machines() -> None:
    """However these are called; setting up (2) is running for what is worked out, and not for the filler itself."""
    for state, ran in (("state", 2.0), ("running", 3.0)):
        world = World(line(state), LINE)
        of_line(world, (1, 1000), 500)
        world.until(8.0)
        of_line(world, (2, 1200), 690)
        kept = {key: value for key, value in world.steps.kept(0, all_of_it=True).items() if value is not None}
        world.until(9.0)
        of_line(world, (3, 1200), 690)
        world.until(9.5)
        assert world.now["oee_apt_s"] == ran * 3600
        assert (world.now["oee_produced"], world.now["oee_good"], world.now["oee_pbt_s"]) == (200, 190, 3.5 * 3600)
        again = World(line(state), LINE, at=8.5, kept=kept)
        of_line(again, (1, 1210), 700)
        again.until(9.0)
        assert (again.now["oee_produced"], again.now["oee_good"], again.now["oee_apt_s"]) == (210, 200, 2.5 * 3600)


def test_one_tag_may_serve_several_lines_and_count_for_both_kinds_of_pieces() -> None:
    one, recipes = Oee("mode", ("run",), "n", 30 * SECOND, "shifts", good="n"), line()
    world = World(Recipes(recipes.tags, Local(), CALENDARS, oee={**recipes.oee, "filler": one}), LINE)
    schemas = [schema.device for schema in world.steps.made if schema.group == "shift"]
    assert sorted(schemas) == ["filler", "line"]
    told: list[Frame] = []
    for n in (0, 20):
        told += world.steps[LINE[0]](Frame(LINE[0], world.wall, (1, n), bytes(2), world.mono))
        world.wall, world.mono = world.wall + MINUTE, world.mono + MINUTE
        told += world.steps.tick(world.wall, world.mono)
    last = {frame.schema.device: frame for frame in told if frame.schema.group == "shift"}
    found = {name: {tag.name: value for tag, value, _ in frame.rows()} for name, frame in last.items()}
    assert [(found[name]["oee_produced"], found[name]["oee_good"]) for name in ("filler", "line")] == [
        (20, 20),
        (20, 0),
    ]


def test_a_reading_between_the_minute_and_the_look_at_it_makes_no_more_than_all() -> None:
    world = World()
    world.say(mode=1)
    world.wall, world.mono = world.wall + MINUTE + SECOND // 2, world.mono + MINUTE + SECOND // 2
    world.say(mode=1)
    world.tick()
    assert close(world.now, oee_availability=1, oee_apt_s=60.5, oee_pbt_s=60.5)
    assert max(world.told) == DAY + 6 * HOUR + MINUTE
