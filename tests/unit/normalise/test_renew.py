"""Steps go over to other recipes: what is not asked otherwise notices nothing of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import load
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm
from agent.normalise.calculated import Calculated, Derived
from agent.normalise.factors import Factor, Version, Weighed
from agent.normalise.relations import joined
from agent.runtime.latest import Latest
from drivers.sim.driver import SimDriver
from tests.lengths import often

SECOND = 10**9
A = Schema("a", "1s", (Tag("x"), Tag("n", "int64", "kWh", "counter")), 1.0)
QUIET = Schema("q", "events", (Tag("x"),))
CALM = {
    "name": "calm",
    "driver": "sim",
    "interval": "1s",
    "report": {"when": "on_change", "deadband": 2},
    "derived": {"twice": "2 * power"},
    "oee": {"state": "mode", "run": "run", "produced": "pieces", "good": "pieces", "cycle": "1s", "calendar": "day"},
    "tags": [
        {
            "name": "energy",
            "type": "uint32",
            "unit": "kWh",
            "kind": "counter",
            "counter": {"intervals": ["1m"], "tariff": "day"},
        },
        {"name": "power", "unit": "W", "as": "kW", "aggregate": {"every": "1m", "of": ["min", "mean"]}},
        {"name": "mode", "type": "int32", "state": {"run": 1, "idle": 2}, "report": "always"},
        {"name": "pieces", "type": "uint32", "kind": "counter"},
        {"name": "level", "limits": {"min": -50, "max": 50}, "alarms": [{"name": "high", "h": 30}]},
    ],
}
LEVEL: dict[str, Any] = {"name": "level"}
RESTLESS: Sequence[Mapping[str, Any]] = (  # what another device may be asked meanwhile
    {"tags": [LEVEL]},
    {"tags": [{**LEVEL, "alarms": [{"name": "high", "h": 10}]}], "interval": "2s"},
    {"tags": [{**LEVEL, "limits": {"max": 3}}, {"name": "more"}], "derived": {"both": "level + more"}},
    {"tags": [{**LEVEL, "aggregate": {"every": "1m", "of": ["max"]}}], "derived": {"lift": "2 * level"}},
)
WORKED_OUT: Sequence[Any] = (
    None,
    {"inputs": {"a": "calm/power", "b": "restless/level"}, "derived": {"sum": "a + b"}, "every": "0s"},
    {"inputs": {"a": "calm/twice"}, "derived": {"half": "a / 2", "own": "half + 1"}, "every": "0s"},
)
READING = st.tuples(*(st.integers(0, 60) for _ in range(5)))
CHANGE = st.tuples(st.sampled_from(RESTLESS), st.sampled_from(WORKED_OUT))


class World:
    """Steps of a site with a calm device; `told` is what came of that."""

    def __init__(self, folder: Path) -> None:
        self._path, self._now = folder / "site.yaml", 1_772_409_600 * SECOND
        self._drivers: dict[str, SimDriver] = {}
        self.steps, self.told = Steps(), list[Any]()
        self._said: Any = None

    def change(self, restless: Mapping[str, Any], worked_out: Any) -> None:
        devices = [CALM, {"name": "restless", "driver": "sim", "interval": "1s", **restless}]
        virtual = [{"name": "calm-too", "inputs": {"t": "calm/twice"}, "derived": {"less": "t - 1"}, "every": "0s"}]
        virtual += [{"name": "restless-too", **worked_out}] if worked_out else []
        said = {"gateway": {"id": "g", "timezone": "UTC"}, "devices": devices, "virtual": virtual}
        calendars = {"day": {"days": [{"times": {"00:00": "low", "08:00": "high"}}]}}
        self._path.write_text(yaml.safe_dump(said | {"calendars": calendars}), "utf-8")
        site = load(self._path, {})
        fresh = {"restless", "restless-too"} if self._drivers else {"calm", "restless", "calm-too", "restless-too"}
        self._drivers |= {device.name: SimDriver(device) for device in site.devices if device.name in fresh}  # type: ignore[arg-type]  # all are simulated
        schemas = [schema for name, driver in self._drivers.items() if name in fresh for schema in driver.schemas]
        self.steps.renew(site.recipes, schemas, fresh, lambda _: None, self._now, self._now)

    def read(self, values: Sequence[int]) -> None:
        self._now += 5 * SECOND
        for driver in self._drivers.values():
            for schema in driver.schemas:
                found = [values[column % 5] for column in range(len(schema.tags))]
                found = [
                    1 + found[2] % 3 if tag.name == "mode" else value
                    for tag, value in zip(schema.tags, found, strict=True)
                ]
                frame = Frame(schema, self._now, found, bytes(len(found)), self._now)
                self._hear(self.steps[schema](frame))
        self._hear(self.steps.tick(self._now, self._now))

    def _hear(self, frames: Any) -> None:
        for each in frames:
            if each.schema.device.startswith("calm"):
                rows = sorted((tag.name, tag.unit, value, quality) for tag, value, quality in each.rows())
                self.told.append((each.schema.device, each.schema.group, each.ts, rows))


@settings(max_examples=often(25, 400))
@given(st.lists(st.tuples(st.lists(READING, min_size=1, max_size=8), CHANGE), min_size=1, max_size=5))
def test_a_device_notices_nothing_of_what_is_asked_of_others(
    tmp_path_factory: pytest.TempPathFactory, plays: list[tuple[list[tuple[int, ...]], tuple[Mapping[str, Any], Any]]]
) -> None:
    folder = tmp_path_factory.mktemp("sites")
    calm, restless = World(folder), World(folder)
    for world in (calm, restless):
        world.change(RESTLESS[0], None)
    for readings, change in plays:
        for reading in readings:
            calm.read(reading)
            restless.read(reading)
        restless.change(*change)
    for _ in range(3):
        calm.read((1, 2, 3, 4, 5))
        restless.read((1, 2, 3, 4, 5))
    assert sorted(restless.told, key=repr) == sorted(calm.told, key=repr)


def formula(device: str, text: str, every: float = 0.0, **inputs: tuple[str, str]) -> Recipes:
    return Recipes(derived=(Calculated(device, (Derived(Tag("y"), text, tuple(inputs.items())),), every),))


def test_who_comes_later_hears_what_a_quiet_source_has_said() -> None:
    """A device that tells changes only says nothing more for hours, perhaps."""
    steps, latest = Steps([A, QUIET]), Latest()
    told = Frame(QUIET, 5, (7.0,), bytes(1), 5)
    latest.add(steps[QUIET](told))
    steps.renew(formula("v", "a + b", a=("q", "x"), b=("a", "x")), (), {"v"}, latest.get, 10, 10)
    made = steps[A](Frame(A, 20, (1.0, 0), bytes(2), 20))
    (v,) = (each for each in made if each.schema.made)
    assert (v.schema.device, [*v.values], v.quality) == ("v", [8.0], b"\0")
    steps.renew(formula("v", "10 * a", 1.0, a=("q", "x")), (), {"v"}, latest.get, 30, 30)
    assert [[*each.values] for each in steps.tick(SECOND, 40)] == [[70.0]]


def test_of_a_group_that_is_no_more_nothing_is_waited_for() -> None:
    """Its age would make stale what another group gives now."""
    asked = formula("v", "a + 0", a=("a", "x"))
    steps = Steps([A], asked)
    steps[A](Frame(A, 0, (1.0, 0), bytes(2), 0))
    moved = Schema("a", "1m", A.tags, 60.0)
    steps.renew(asked, [moved], {"a"}, lambda _: None, SECOND, SECOND)
    (*_, made) = steps[moved](Frame(moved, 50 * SECOND, (2.0, 0), bytes(2), 50 * SECOND))
    assert ([*made.values], made.quality) == ([2.0], b"\0")
    list(steps.tick(100 * SECOND, 100 * SECOND))
    other = Schema("b", "1s", (Tag("z"),), 1.0)
    steps.renew(formula("v", "a + 0 * z", a=("a", "x"), z=("b", "z")), [other], {"b", "v"}, lambda _: None, 1, 1)
    steps[moved](Frame(moved, 110 * SECOND, (3.0, 0), bytes(2), 110 * SECOND))
    (*_, made) = steps[other](Frame(other, 111 * SECOND, (0.0,), bytes(1), 111 * SECOND))
    assert ([*made.values], made.quality) == ([3.0], b"\0")


def test_made_groups_that_have_the_same_tags_are_the_same() -> None:
    rules = {("a", "x"): Rules(alarms=(Alarm("h", high=5.0),)), ("a", "n"): Rules()}
    steps = Steps([A], Recipes(rules))
    before = steps.made
    again = Schema("a", "1s", A.tags, 1.0)
    steps.renew(Recipes(rules), [again], {"a"}, lambda _: None, 1, 1)
    assert [id(schema) for schema in steps.made] == [id(schema) for schema in before]
    assert set(steps) == {again, *before}
    steps.renew(Recipes(), [], {"a"}, lambda _: None, 1, 1)
    assert not steps and not steps.made


def test_an_alarm_that_is_on_and_one_that_is_shelved_stay_so() -> None:
    rules = {("a", "x"): Rules(alarms=(Alarm("h", high=5.0),))}
    steps = Steps([A], Recipes(rules))
    steps[A](Frame(A, 1, (9.0, 0), bytes(2), 1))
    (standing,) = steps.alarms.standings()
    steps.alarms.shelve("a", standing.name, 1000 * SECOND, 2)
    again = Schema("a", "1s", A.tags, 1.0)
    steps.renew(Recipes(rules), [again], {"a"}, lambda _: None, 3, 3)
    (after,) = steps.alarms.standings()
    assert (after.active, after.state, after.since) == (True, "shelved", standing.since)
    assert not [each for each in steps[again](Frame(again, 4, (9.0, 0), bytes(2), 4)) if each.schema.made]


def test_energy_of_a_device_that_is_made_anew_goes_to_its_sheet() -> None:
    factor = Factor("grid", "kWh", (Version("2025", 0.5),))
    weighed = {("a", "n"): (Weighed("hall", "n_co2", "kg", factor),)}
    steps = Steps([A], Recipes(weighed=weighed))
    more = {("a", "n"): (Weighed("hall", "n_co2", "kg", factor), Weighed("hall", "n_coal", "kg", factor))}
    steps.renew(Recipes(weighed=more), (), {"hall"}, lambda _: None, 1, 1)
    (*_, made) = steps[A](Frame(A, 1, (0.0, 10), bytes(2), 1))
    assert [tag.name for tag in made.tags()] == ["n_co2", "n_co2_factor", "n_coal", "n_coal_factor"]
    assert [schema.device for schema in steps.made] == ["hall"]


def test_what_was_held_back_is_told_when_it_goes(tmp_path: Path) -> None:
    door = {"when": "on_change", "door": 5}
    said = {
        "gateway": {"id": "g"},
        "devices": [{"name": "d", "driver": "sim", "tags": [{"name": "a", "report": door}]}],
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(said), "utf-8")
    site = load(tmp_path / "site.yaml", {})
    (schema,) = SimDriver(site.devices[0]).schemas  # type: ignore[arg-type]  # it is simulated
    steps = Steps([schema], site.recipes)
    for at in range(3):
        steps[schema](Frame(schema, at, (float(at),), bytes(1), at))
    (held,) = steps.renew(Recipes(), (), {"d"}, lambda _: None, 9, 9)
    assert (held.stamps or (held.ts,))[0] == 2 and tuple(held.values) == (2.0,)
    assert steps.suppressed() == {("d", "door", False): 1}


def test_whom_a_device_feeds_is_known_from_both_files() -> None:
    before, after = formula("v", "a", a=("a", "x")), formula("w", "a", a=("b", "x"))
    assert joined(before, after, {"v", "w"}) == {"a", "b"}
    assert joined(before, before, {"a"}) == set()
    assert joined(before, after, {"w", "b"}) == set()


def test_a_bad_quality_is_no_reason_to_forget() -> None:
    steps = Steps([A, QUIET])
    latest = Latest()
    latest.add(steps[QUIET](Frame(QUIET, 5, (None,), bytes((Quality.BAD_COMM,)), 5)))
    steps.renew(formula("v", "a", 1.0, a=("q", "x")), (), {"v"}, latest.get, 10, 10)
    made: list[tuple[Value, int]] = [(value, code) for each in steps.tick(SECOND, 40) for _, value, code in each.rows()]
    assert made == [(None, Quality.BAD_COMM)]
