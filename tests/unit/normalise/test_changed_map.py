"""What counters and states know when the file has changed, between two runs or under a running agent."""

from pathlib import Path

import pytest

from agent.config import load
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Steps
from drivers.sim.config import Config
from drivers.sim.driver import SimDriver
from tests.unit.normalise.meters import MIDNIGHT, MINUTE, SECOND

ESTIMATED = int(Quality.ESTIMATED)
Told = dict[str, tuple[Value, int]]
CALENDAR = "calendars: {tou: {days: [{times: {00:00: flat}}]}}"


class Run:
    """A site of simulated devices, from one file to the next, with all that was committed; `goes_on` in one run."""

    def __init__(self, folder: Path, *, goes_on: bool) -> None:
        self._path, self._goes_on = folder / "site.yaml", goes_on
        self._known: dict[str, bytes] = {}
        self._steps: Steps | None = None

    def start(self, devices: str) -> None:
        self._path.write_text(f"gateway: {{id: gw, timezone: UTC}}\n{CALENDAR}\n{devices}")
        site = load(self._path, {})
        drivers = [SimDriver(device) for device in site.devices if isinstance(device, Config)]
        self._schemas = [schema for driver in drivers for schema in driver.schemas]
        if self._steps is not None and self._goes_on:
            names = {driver.device for driver in drivers}
            assert not self._steps.renew(site.recipes, self._schemas, names, lambda _: None, MIDNIGHT, MINUTE)
            return
        self._steps = Steps(self._schemas, site.recipes)
        self._steps.restore(self._known)

    def meter(self, *tags: str, more: str = "") -> None:
        listed = "".join(f"\n      - {{{tag}}}" for tag in tags)
        self.start(f"devices:\n  - name: meter\n    driver: sim\n    {more or 'interval: 10s'}\n    tags:{listed}\n")

    def read(self, at: int, **values: Value) -> Told:
        """What is made of these readings, at `at` after midnight; all of it is committed."""
        assert self._steps is not None
        found: Told = {}
        for schema in self._schemas:
            for made in self._steps[schema](_frame(schema, at, values)):
                if made.schema.made:
                    found |= {f"{tag.name} {tag.unit}".strip(): (value, quality) for tag, value, quality in made.rows()}
        kept = self._known | self._steps.kept(at, all_of_it=True)
        self._known = {key: state for key, state in kept.items() if state is not None}
        return found


def _frame(schema: Schema, at: int, values: dict[str, Value]) -> Frame:
    columns = tuple(column for column, tag in enumerate(schema.tags) if tag.name in values)
    found = tuple(values[schema.tags[column].name] for column in columns)
    return Frame(schema, MIDNIGHT + at, found, bytes(len(columns)), at + MINUTE, columns)


@pytest.fixture(params=[False, True], ids=["restarted", "goes-on"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    return Run(tmp_path, goes_on=request.param)


ENERGY = "name: energy, type: uint32, unit: kWh, kind: counter"
WATER = "name: water, type: uint32, unit: m3, kind: counter, counter: {}"
COUNTER = "counter: {intervals: 15m, tariff: tou, max_rate: 1000}"


def reset(run: Run) -> None:
    """The register has begun anew at 5 within the first minutes: the total is 1005 since."""
    run.read(0, energy=1000, water=3)
    run.read(10 * SECOND, energy=3, water=3)
    assert run.read(20 * SECOND, energy=5, water=3)["energy_total kWh"][0] == 1005


@pytest.mark.parametrize("more", ["interval: 20s", "groups: {slow: {interval: 10s}}"])
def test_a_total_goes_on_in_another_scan_group(run: Run, more: str) -> None:
    moved = f"{ENERGY}, {COUNTER}" + (", group: slow" if "groups" in more else "")
    run.meter(f"{ENERGY}, {COUNTER}", WATER)
    reset(run)
    run.meter(moved, WATER, more=more)
    assert run.read(MINUTE, energy=6)["energy_total kWh"] == (1006, 0)
    run.read(2 * MINUTE, energy=7)
    run.meter(f"{ENERGY}, {COUNTER}", WATER)  # and back again: what it knew there is older
    assert run.read(3 * MINUTE, energy=8)["energy_total kWh"] == (1008, 0)
    told = run.read(15 * MINUTE, energy=9)
    assert told["energy_15m kWh"] == (9, ESTIMATED)
    assert told["energy_flat kWh"][0] == 9


def test_a_counter_that_was_taken_out_for_a_while_goes_on(run: Run) -> None:
    run.meter(f"{ENERGY}, {COUNTER}", WATER)
    reset(run)
    for at in (1, 2):
        run.meter(ENERGY, WATER)
        assert run.read(at * MINUTE, energy=6, water=4) == {"water_total m3": (4, 0)}
    run.meter(f"{ENERGY}, {COUNTER}", WATER)
    told = run.read(15 * MINUTE, energy=9, water=5)
    assert (told["energy_total kWh"], told["water_total m3"]) == ((1009, 0), (5, 0))
    assert told["energy_flat kWh"][0] == 9
    run.meter(WATER)
    run.read(16 * MINUTE, water=6)
    run.meter(f"{ENERGY}, {COUNTER}", WATER)
    assert run.read(17 * MINUTE, energy=9)["energy_total kWh"] == (1009, 0)


@pytest.mark.parametrize("other", ["unit: kWh, as: Wh", "unit: kWh, ratio: ct"])
def test_other_numbers_are_not_counted_from_those_before(run: Run, other: str) -> None:
    """1000 kWh are a million Wh: that is no consumption."""
    run.meter(f"{ENERGY}, {COUNTER}", more="ct: 400/5")
    run.read(0, energy=1000)
    run.read(MINUTE, energy=1001)
    run.meter(f"{ENERGY}, counter: {{intervals: 15m}}".replace("unit: kWh", other), more="ct: 400/5")
    times, unit = (1000, "Wh") if "Wh, as" in other else (80, "kWh")
    assert run.read(2 * MINUTE, energy=1002)[f"energy_total {unit}"] == (1002 * times, 0)
    assert run.read(15 * MINUTE, energy=1003)[f"energy_15m {unit}"] == (times, ESTIMATED)


def test_another_formula_is_another_meter(run: Run) -> None:
    def start(expr: str) -> None:
        made = f"{{expr: {expr}, unit: kWh, kind: counter, counter: {{intervals: 15m}}}}"
        run.meter("name: a", "name: b", more=f"derived: {{sum: {made}}}")

    start("a")
    run.read(0, a=10.0, b=5000.0)
    run.read(MINUTE, a=11.0, b=5001.0)
    start("a + b")
    run.read(2 * MINUTE, a=12.0, b=5002.0)
    assert run.read(15 * MINUTE, a=13.0, b=5003.0)["sum_15m kWh"] == (2, ESTIMATED)


def test_the_time_in_a_state_goes_on_in_another_scan_group(run: Run) -> None:
    mode = "name: mode, type: int32, state: {run: 1, idle: 2}"
    run.meter(mode)
    run.read(0, mode=1)
    run.read(10 * SECOND, mode=2)
    run.meter(mode, more="interval: 20s")
    run.read(20 * SECOND, mode=1)
    assert run.read(30 * SECOND, mode=2)["mode_run_s s"] == (20.0, 0)


def test_a_window_has_values_of_one_unit_only(run: Run) -> None:
    power = "name: power, unit: W, aggregate: {every: 15m, of: [max, count]}"
    run.meter(power)
    run.read(0, power=900.0)
    run.meter(power.replace("unit: W", "unit: W, as: kW"))
    run.read(MINUTE, power=1000.0)
    assert run.read(15 * MINUTE, power=0.0) == {"power_max_15m kW": (1.0, 0), "power_count_15m 1": (1, 0)}
