"""Alarms of every kind tell what the slow, plain version of them tells: dense and sparse frames, bad values, ticks,
clocks that step, restarts."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm
from tests.lengths import often
from tests.unit.normalise.alarm_oracle import SECOND, Slow

FAST = Schema("press", "1s", (Tag("plain"), Tag("oil"), Tag("mode", "str"), Tag("count", "int32")), 1.0)
SLOW = Schema("press", "1m", (Tag("set"), Tag("flag", "bool")), 60.0)
DTYPES = {tag.name: tag.dtype for schema in (FAST, SLOW) for tag in schema.tags}
START, BOOT = 1_700_000_000 * SECOND, 50 * SECOND

delays = st.sampled_from([0, 0, 1, 3, 10]).map(lambda seconds: seconds * SECOND)
common = {"on_delay": delays, "off_delay": delays, "chatter": st.integers(2, 6)}
bands = st.sampled_from([(8.0, float("inf")), (-float("inf"), 4.0), (4.0, 8.0)])


def alarm(kind: Any, **more: Any) -> Any:
    """`low` here is above what `low` means: a value below it is an alarm."""
    return st.builds(Alarm, st.just(kind), **common, **more)


def banded(kind: Any, **more: Any) -> Any:
    limits = st.sampled_from([{"high": 8.0}, {"low": 3.0}, {"low": 3.0, "high": 8.0}])
    return st.builds(
        lambda made, ends, hysteresis: Alarm(
            kind, "", 500, "", **{"low": -1e300, "high": 1e300, **ends}, hysteresis=hysteresis, **made
        ),
        st.fixed_dictionaries({**common, **more}),
        limits,
        st.sampled_from([0.0, 1.0, 2.5]),
    )


number = st.integers(0, 11)
values = {
    "plain": number.map(float),
    "oil": number.map(float),
    "mode": st.sampled_from(["run", "fault", "jam", ""]),
    "count": number,
    "set": number.map(float),
    "flag": st.booleans(),
}
frames = st.one_of(
    *(
        st.tuples(
            st.just(schema),
            st.fixed_dictionaries({}, optional={tag.name: values[tag.name] | st.none() for tag in schema.tags}),
        )
        for schema in (FAST, SLOW)
    ),
    st.tuples(st.just(FAST), st.fixed_dictionaries({tag.name: values[tag.name] for tag in FAST.tags})),
)
moves = st.tuples(st.sampled_from([0, 1, 1, 2, 5, 12, 40, -1, -7]), st.sampled_from([0, 1, 2, 5, 30, 61]))
events = st.lists(st.tuples(moves, frames | st.sampled_from(["tick", "tick", "restart"])), max_size=often(30, 80))
rules = st.fixed_dictionaries(
    {
        "plain": st.tuples(banded("h")),
        "oil": st.tuples(
            banded("ll"),
            banded("deviation", other=st.just("set")),
            alarm("bad"),
            banded("rate", over=st.just(32 * SECOND)),
        ),
        "mode": st.tuples(alarm("state", states=st.just(frozenset(["fault", "jam"]))), alarm("bad")),
        "count": st.tuples(alarm("state", states=st.just(frozenset([3, 4]))), banded("h")),
        "flag": st.tuples(alarm("state", states=st.just(frozenset([True])))),
    }
)


class Bench:
    """The steps, and beside them a slow alarm for each."""

    def __init__(self, asked: Mapping[str, tuple[Alarm, ...]]) -> None:
        self.recipes = Recipes({("press", tag): Rules(alarms=alarms) for tag, alarms in asked.items()})
        self.steps = Steps([FAST, SLOW], self.recipes)
        self.slow = {each.called(tag): (tag, Slow(each)) for tag, alarms in asked.items() for each in alarms}
        self.disk: dict[str, bytes] = {}
        self.known: dict[str, Value] = {}
        self.found: dict[str, list[tuple[int, bool, str]]] = {name: [] for name in self.slow}

    def take(self, schema: Schema, given: Mapping[str, Value], t: int, mono: int) -> None:
        columns = [at for at, tag in enumerate(schema.tags) if tag.name in given]
        cells = [given[schema.tags[at].name] for at in columns]
        quality = bytes(Quality.BAD_DEVICE if value is None else Quality.GOOD for value in cells)
        sparse = None if len(columns) == len(schema.tags) else tuple(columns)
        self.see(self.steps[schema](Frame(schema, t, tuple(cells), quality, mono, sparse)))
        self.known |= given
        for tag, slow in self.slow.values():
            if slow.alarm.kind == "deviation" and {tag, "set"} & given.keys():
                own, other = self.known.get(tag), self.known.get("set")
                slow.value(None if own is None or other is None else own - other, t, mono)  # type: ignore[operator]
            elif tag in given and slow.alarm.kind != "deviation":
                slow.value(given[tag] is None if slow.alarm.kind == "bad" else given[tag], t, mono)

    def tick(self, wall: int, mono: int) -> None:
        self.see(tuple(self.steps.tick(wall, mono)))
        for _, slow in self.slow.values():
            slow.tick(wall, mono)

    def restart(self, mono: int) -> None:
        self.disk |= self.steps.kept(mono, all_of_it=True)
        self.steps = Steps([], self.recipes)
        self.steps.restore(self.disk)
        self.known.clear()
        for _, slow in self.slow.values():
            slow.restart()

    def see(self, frames: tuple[Frame, ...]) -> None:
        for frame in frames:
            if frame.schema.group == "alarm":
                told = {tag.name: value for tag, value, quality in frame.rows() if quality == 0}
                for name in told.keys() & self.found.keys():
                    self.found[name].append((frame.ts, bool(told[name]), str(told[f"{name}_state"])))


@settings(max_examples=often(150, 3000), deadline=None)
@given(rules, events)
def test_alarms_tell_what_the_plain_version_tells(asked: Mapping[str, tuple[Alarm, ...]], said: list[Any]) -> None:
    bench, t, mono = Bench(asked), START, BOOT
    for (step, passed), event in said:
        t, mono = t + step * SECOND, mono + passed * SECOND
        if event == "tick":
            bench.tick(t, mono)
        elif event == "restart":
            bench.restart(mono)
        else:
            bench.take(*event, t, mono)
    assert bench.found == {name: slow.told for name, (_, slow) in bench.slow.items()}
