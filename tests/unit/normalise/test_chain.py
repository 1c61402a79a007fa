"""From the register of a meter to the alarm of a line: interval, carbon, a virtual total, windows, an alarm."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.normalise.test_readme import SECOND, Reading, World, site_of

SITE = """\
gateway: {id: gw, timezone: Asia/Shanghai}
factors: {grid: cn-east}
devices:
  - name: m1
    driver: sim
    tags: [{name: e, type: uint32, unit: kWh, kind: counter, counter: {intervals: 15m, total: false}}]
    energy: {co2: [{tag: e, factor: grid}]}
  - name: m2
    driver: sim
    tags: [{name: e, type: uint32, unit: Wh, as: kWh, kind: counter, counter: {intervals: 15m, total: false}}]
    energy: {co2: [{tag: e, factor: grid}]}
virtual:
  - name: line
    inputs: {a: m1/e_15m_co2, b: m2/e_15m_co2}
    derived:
      co2: {expr: a + b, unit: kg, aggregate: {every: 30m, of: [sum]}, alarms: {h: 30}}
"""
TABLE = [  # minutes, kWh and Wh of the registers; kg by 0.55 kg/kWh of 2023 (or none), alarm, kg of the last half hour
    (0, 1000, 500_000, None, None, None),
    (15, 1040, 510_000, 22.0 + 5.5, None, None),
    (30, 1070, 540_000, 16.5 + 16.5, True, 27.5),
    (45, 1070, 540_000, 0.0, False, None),
    (60, 1072, 540_500, 1.1 + 0.275, None, 33.0),
]
YEARS = [  # of the time that the year ends, and of the first hours of the next one, in Shanghai
    (datetime(2022, 12, 31, 15, 45, tzinfo=UTC), 100, None, None),
    (datetime(2022, 12, 31, 16, 0, tzinfo=UTC), 110, 10 * 0.5617, "grid_cn-east@2022"),
    (datetime(2022, 12, 31, 16, 15, tzinfo=UTC), 120, 10 * 0.55, "grid_cn-east@2023"),
]


def test_a_line_is_added_up_as_by_hand(tmp_path: Path) -> None:
    world, begin = World(site_of(SITE, tmp_path)), int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp())
    for minutes, kwh, wh, kg, alarm, half in TABLE:
        read = [Reading("m1/e", kwh, None, 0), Reading("m2/e", wh, None, 0)]
        found = {each.tag: each for each in world.at((begin + 60 * minutes) * SECOND, read)}
        told = {name: found[name].value if name in found else None for name in found.keys() | {"line/alarm/co2_h"}}
        assert told.get("line/derived/co2") == (None if kg is None else pytest.approx(kg))
        assert told["line/alarm/co2_h"] is alarm
        later = world.at((begin + 60 * minutes + 20) * SECOND, [])
        sums = [each.value for each in [*found.values(), *later] if each.tag == "line/window-30m/co2_sum_30m"]
        assert sums == ([] if half is None else [pytest.approx(half)])


def test_an_interval_belongs_to_the_year_in_which_it_lies(tmp_path: Path) -> None:
    world = World(site_of(SITE, tmp_path))
    for at, kwh, kg, factor in YEARS:
        found = world.at(int(at.timestamp()) * SECOND, [Reading("m1/e", kwh, None, 0)])
        told = {each.tag: (each.value, each.quality) for each in found}
        assert told.get("m1/carbon/e_15m_co2") == (None if kg is None else (pytest.approx(kg), 0))
        assert told.get("m1/carbon/e_15m_co2_factor") == (None if kg is None else (factor, 0))
