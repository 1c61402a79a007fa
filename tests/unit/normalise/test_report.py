"""What has not changed is not told again, and nothing is left out without being counted."""

from collections.abc import Sequence

import pytest

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD
from agent.model.tag import DType, Kind, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.report.asked import Reporting

S = 10**9
CHANGES = Reporting(changes=True)


def schema_of(*dtypes: DType, interval: float = 1.0, kind: Kind = "gauge", made: bool = False) -> Schema:
    return Schema(
        "meter", "1s", tuple(Tag(f"t{i}", dtype, kind=kind) for i, dtype in enumerate(dtypes)), interval, made
    )


def steps_of(schema: Schema, *asked: Reporting | None) -> Steps:
    rules = {("meter", tag.name): Rules(report=each) for tag, each in zip(schema.tags, asked, strict=True) if each}
    return Steps([schema], Recipes(rules))


class Meter:
    """A schema whose frames are told by the same rule, at whole seconds."""

    def __init__(self, asked: Reporting, *dtypes: DType, interval: float = 1.0, kind: Kind = "gauge") -> None:
        self.schema = schema_of(*(dtypes or ("float64",)), interval=interval, kind=kind)
        self.steps = steps_of(self.schema, *[asked] * len(self.schema.tags))

    def reads(self, at: float, *values: Value, quality: int = 0, stamp: float | None = None) -> list[tuple]:
        """(seconds of its own, value) of what is told of the first tag; with all of them where there are several."""
        ts, codes = round(at * S), bytes(FIRST_BAD + 2 if value is None else quality for value in values)
        stamps = None if stamp is None else (round(stamp * S),) * len(values)
        columns = None if stamp is None else tuple(range(len(values)))
        return self._told(self.steps[self.schema](Frame(self.schema, ts, values, codes, ts, columns, stamps)))

    def waits(self, at: float) -> list[tuple]:
        return self._told(self.steps.tick(round(at * S), round(at * S)))

    def _told(self, frames: Sequence[Frame]) -> list[tuple]:
        return [((frame.stamps[0] if frame.stamps else frame.ts) / S, *frame.values) for frame in frames]

    @property
    def left_out(self) -> dict[str, int]:
        return {reason: count for (_, reason, _), count in self.steps.suppressed().items()}


def test_always_is_no_step_at_all() -> None:
    schema = schema_of("float64", "str")
    frame = Frame(schema, 1, (1.0, "x"), bytes(2))
    steps = steps_of(schema, Reporting(), None)
    assert steps[schema](frame)[0] is frame and steps[schema](frame)[0] is frame
    assert not steps.suppressed()


def test_only_what_has_changed_is_told() -> None:
    schema = schema_of("float64", "str", "int64", "bool")
    steps = steps_of(schema, *[CHANGES] * 4)
    first, second = (1.5, "run", 7, True), (1.5, "stop", 7, False)
    assert steps[schema](Frame(schema, 1, first, bytes(4)))[0].values == first
    assert steps[schema](Frame(schema, 2, list(first), bytes(4))) == ()
    (frame,) = steps[schema](Frame(schema, 3, second, bytes(4), 5))
    assert (frame.values, frame.columns, frame.ts, frame.mono) == (("stop", False), (1, 3), 3, 5)
    assert steps.suppressed() == {("meter", "unchanged", False): 6}


def test_a_frame_of_which_all_is_told_passes_without_a_copy() -> None:
    schema = schema_of("float64", "float64")
    step = steps_of(schema, CHANGES, None)[schema]
    frame = Frame(schema, 1, (1.0, 2.0), bytes(2))
    sparse = Frame(schema, 1, (3.0,), bytes(1), columns=(0,), stamps=(9,))
    assert step(frame)[0] is frame and step(sparse)[0] is sparse


def test_another_quality_is_told_at_once() -> None:
    meter = Meter(Reporting(changes=True, band=10.0, period=60 * S))
    told = [meter.reads(at, 5.0, quality=code) for at, code in enumerate([0, 0, 1, 1, 0])]
    assert told == [[(0, 5.0)], [], [(2, 5.0)], [], [(4, 5.0)]]
    assert [meter.reads(at, value) for at, value in [(5, None), (6, None), (7, 6.0)]] == [[(5, None)], [], [(7, 6.0)]]


def test_a_deadband_counts_from_what_was_told_last() -> None:
    """Not from what came last: slow drift would never be told."""
    meter = Meter(Reporting(changes=True, band=0.5))
    drift = [meter.reads(at, 20 + 0.25 * at) for at in range(5)]
    assert drift == [[(0, 20.0)], [], [], [(3, 20.75)], []]
    assert meter.left_out == {"deadband": 3}


def test_a_deadband_in_percent_is_of_what_was_told_last() -> None:
    meter = Meter(Reporting(changes=True, share=0.01))
    assert [meter.reads(0, 200.0), meter.reads(1, 202.0), meter.reads(2, 202.1), meter.reads(3, 204.12)] == [
        [(0, 200.0)], [], [(2, 202.1)], [],
    ]  # fmt: skip


def test_near_zero_a_percentage_is_nothing_so_there_is_a_least_one() -> None:
    bare, with_least = Meter(Reporting(changes=True, share=0.01)), Meter(Reporting(changes=True, share=0.01, band=0.05))
    for meter, told in ((bare, [(1, 0.04)]), (with_least, [])):
        assert meter.reads(0, 0.0) == [(0, 0.0)] and meter.reads(1, 0.04) == told


def test_all_digits_of_a_counter_count() -> None:
    meter = Meter(Reporting(changes=True, band=1.5), "uint64")
    big = 2**63
    assert [meter.reads(at, big + more) for at, more in enumerate([0, 1, 2])] == [[(0, big)], [], [(2, big + 2)]]


@pytest.mark.parametrize(
    ("dtype", "kind"), [("str", "gauge"), ("bool", "gauge"), ("int16", "state"), ("int16", "event")]
)
def test_of_what_is_no_quantity_every_change_counts(dtype: DType, kind: Kind) -> None:
    values = {"str": ("a", "b"), "bool": (False, True), "int16": (4, 5)}[dtype]
    for asked in (Reporting(changes=True, band=100.0), Reporting(changes=True, door=100.0)):
        meter = Meter(asked, dtype, kind=kind)
        assert [meter.reads(at, value) for at, value in enumerate(values)] == [[(0, values[0])], [(1, values[1])]]


def test_one_value_of_each_period_is_told() -> None:
    meter = Meter(Reporting(period=10 * S))
    assert [at for at in range(5, 35) if meter.reads(at, float(at))] == [5, 10, 20, 30]
    assert meter.left_out == {"period": 26}


def test_and_what_has_changed_besides_when_it_is_asked() -> None:
    meter = Meter(Reporting(changes=True, period=10 * S))
    assert [at for at in range(5, 35) if meter.reads(at, float(at >= 13))] == [5, 10, 13, 20, 30]


@pytest.mark.parametrize("step", [-3600, 86400 * 365 * 3])
def test_a_clock_that_is_set_begins_a_period_and_no_more(step: int) -> None:
    meter = Meter(Reporting(period=10 * S))
    assert [at for at in [1, 2, step + 3, step + 4] if meter.reads(at, 1.0)] == [1, step + 3]


def test_what_a_quiet_source_said_last_is_told_when_its_time_has_come() -> None:
    """A subscription brings changes only: the last one before it is quiet must not be left out for ever."""
    meter = Meter(Reporting(period=10 * S), interval=0.0)
    assert [meter.reads(at, float(at), stamp=at - 0.5) for at in (1, 2, 3)] == [[(0.5, 1.0)], [], []]
    assert meter.left_out == {"period": 1}
    assert [meter.waits(9), meter.waits(10), meter.waits(20)] == [[], [(2.5, 3.0)], []]
    assert meter.left_out == {}


def test_a_heartbeat_repeats_the_last_value_with_the_time_that_it_had() -> None:
    meter = Meter(Reporting(changes=True, max_time=60 * S))
    assert meter.reads(1, 5.0) == [(1, 5.0)]
    for at in range(2, 61):
        assert meter.reads(at, 5.0) == meter.waits(at) == []
    assert [meter.waits(62), meter.waits(63), meter.reads(64, 5.0)] == [[(1, 5.0)], [], []]
    assert [meter.waits(122), meter.reads(123, 6.0), meter.waits(124)] == [[(1, 5.0)], [(123, 6.0)], []]
    assert [meter.waits(183), meter.waits(184)] == [[], [(123, 6.0)]]
    assert meter.left_out == {"unchanged": 60}


def test_heartbeats_of_several_tags_are_one_frame() -> None:
    schema = schema_of("float64", "float64", "float64")
    steps = steps_of(schema, Reporting(max_time=5 * S), None, Reporting(changes=True, max_time=5 * S))
    steps[schema](Frame(schema, 1 * S, (1.0, 2.0, 3.0), bytes((0, 0, 1)), 1 * S))
    steps[schema](Frame(schema, 2 * S, (4.0,), bytes(1), 2 * S, (0,), (7,)))
    assert list(steps.tick(2 * S, 2 * S)) == []
    (frame,) = steps.tick(9 * S, 9 * S)
    assert (frame.schema, frame.ts, frame.mono) == (schema, 9 * S, 9 * S)
    told = {
        frame.schema.tags[c].name: (v, q, at)
        for c, v, q, at in zip(*[frame.columns, frame.values, frame.quality, frame.stamps], strict=True)
    }
    assert told == {"t0": (4.0, 0, 7), "t2": (3.0, 1, 1 * S)}


def test_a_straight_line_is_told_by_its_ends() -> None:
    meter = Meter(Reporting(changes=True, door=0.1))
    line = [meter.reads(at, 2.0 * at) for at in range(50)]
    bend = [meter.reads(at, 100.0) for at in range(50, 100)]
    assert line == [[(0, 0.0)], *[[]] * 49]
    assert bend == [[], [(50, 100.0)], *[[]] * 48]
    assert meter.left_out == {"door": 97}  # the last one is held
    assert meter.reads(100, None) == [(99, 100.0), (100, None)]


def test_what_a_door_holds_is_told_when_nothing_follows() -> None:
    meter = Meter(Reporting(changes=True, door=0.1), interval=0.0)
    assert [meter.reads(at, float(at), stamp=at - 0.5) for at in (1, 2, 3)] == [[(0.5, 1.0)], [], []]
    assert [meter.waits(60), meter.waits(63), meter.waits(200)] == [[], [(2.5, 3.0)], []]
    assert meter.left_out == {"door": 1}


def test_a_heartbeat_tells_what_a_door_holds_instead_of_repeating() -> None:
    meter = Meter(Reporting(changes=True, door=0.1, max_time=20 * S))
    told = [(at, *out) for at in range(45) for out in meter.reads(at, float(at)) + meter.waits(at)]
    assert told == [(0, 0, 0.0), (20, 20, 20.0), (40, 40, 40.0)]


def test_what_a_source_says_twice_is_told_once() -> None:
    meter = Meter(Reporting(changes=True, door=0.1), interval=0.0)
    assert [meter.reads(at, 7.0, stamp=1) for at in range(1, 5)] == [[(1, 7.0)], [], [], []]
    assert meter.left_out == {"door": 3}


def test_events_are_told_though_a_tag_of_their_name_is_told_by_its_changes() -> None:
    schema = schema_of("str", "int32", interval=0.0, kind="event")
    steps = steps_of(schema, CHANGES, CHANGES)
    frames = [Frame(schema, at, ("door open", 500), bytes(2)) for at in (1, 2)]
    assert [steps[schema](frame) for frame in frames] == [(frame,) for frame in frames]


def test_what_was_made_here_is_counted_as_such() -> None:
    schema = schema_of("float64", made=True)
    steps = steps_of(schema, CHANGES)
    frames = [steps[schema](Frame(schema, at, (1.0,), bytes(1))) for at in (1, 2, 3)]
    assert list(map(len, frames)) == [1, 0, 0]
    assert steps.suppressed() == {("meter", "unchanged", True): 2}


def test_a_group_that_grows_is_told_anew_and_what_was_held_is_counted() -> None:
    old, new = schema_of("float64", interval=0.0), schema_of("float64", "float64", interval=0.0)
    asked = Reporting(period=60 * S)
    steps = Steps([], Recipes({("meter", f"t{i}"): Rules(report=asked) for i in range(2)}))
    assert [len(steps[old](Frame(old, at * S, (1.0,), bytes(1)))) for at in (1, 2)] == [1, 0]
    assert len(steps[new](Frame(new, 3 * S, (1.0, 2.0), bytes(2)))) == 1
    assert steps.suppressed() == {("meter", "period", False): 1}


def test_what_is_held_is_told_when_the_agent_stops() -> None:
    """The end of a line, and what a quiet source said last in a period; both once, and nothing else."""
    door = Meter(Reporting(changes=True, door=1.0))
    quiet = Meter(Reporting(period=60 * S), interval=0.0)
    for meter in (door, quiet):
        assert [meter.reads(at, float(at)) for at in (1, 2, 3)] == [[(1.0, 1.0)], [], []]
        assert meter._told(list(meter.steps.finish(9 * S, 9 * S))) == [(3.0, 3.0)]
        assert list(meter.steps.finish(9 * S, 9 * S)) == []
    assert (door.left_out, quiet.left_out) == ({"door": 1}, {"period": 1})
