"""Whatever a file asks of values: it is refused, or its steps take any frame, and editors take the file."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import Invalid, Site, load
from agent.config import schema as schema_of_sites
from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD
from agent.model.tag import Schema
from agent.normalise import Steps
from drivers.sim.config import Config
from drivers.sim.driver import SimDriver
from tests.lengths import often
from tests.unit.config.test_schema import errors

Place = tuple[str | int, ...]
SCHEMA = schema_of_sites()
ROUNDS = 8  # of taking out what is wrong
SECOND = 10**9
START = 1_772_000_000 * SECOND
NUMBERS = [0, 1, -1, 5, 2.5, 1e-9, 1e300, -1e300, 2**63, 2**64 - 1, 65535, 300]
DURATIONS = ["1s", "1500ms", "15m", "90m", "1h", "8h", "1d", "0s", "7m", "10ms"]
NAMES = [
    "a",
    "b",
    "c",
    "a_total",
    "a_15m",
    "a_h",
    "b_state",
    "x",
    "y",
    "x_total",
    "x_h",
    "a_kgce",
    "oee",
    "v",
    "电",
    "a-1",
]
FORMULAS = [
    *("a + 1", "a / b", "x + a", "y", "a > b", "a_total - 1", "a_h or x_h", "good(a) and usable(b)", "1 / (a - a)"),
    *("c == 'run'", "c + 1", "a ** 8", "a % b", "sqrt(a)", "sum(a, b, 2)", "x if x > 0 else a", "a_15m + x_total"),
    *("round(a, 2) + floor(b)", "oee", "a_kgce", "q", "q + r", "电 * 2", "clamp(a, 0, b)", "-a", "a and b", "a ="),
]


def maybe(**parts: Any) -> Any:
    """A mapping with some of these keys."""
    return st.fixed_dictionaries({}, optional=parts)


def one(*values: Any) -> Any:
    return st.sampled_from(values)


NUMBER = st.sampled_from(NUMBERS)
DURATION = st.sampled_from(DURATIONS)
UNIT = one("kWh", "Wh", "MJ", "kW", "W", "Cel", "[degF]", "K", "m3", "", "%", "kwh", "1")
DTYPE = one(*(["float64"] * 4), "float32", "int8", "uint8", "int16", "uint16", "int64", "uint64", "bool", "str")
LIMITS = maybe(min=NUMBER, max=NUMBER, outside=one("bad", "clamp"), rate=NUMBER, stuck=DURATION, stuck_band=NUMBER)
REPORT = one("always", "on_change", "period", "on_change_or_period") | maybe(
    when=one("always", "on_change", "period", "on_change_or_period"),
    deadband=NUMBER | one("1%", "0.5%"),
    deadband_min=NUMBER,
    door=NUMBER,
    period=DURATION,
    max_time=DURATION,
)
COUNTER = maybe(
    rollover=NUMBER | one("auto", "none"),
    max_rate=NUMBER,
    confirm=one(1, 2, 10),
    total=st.booleans(),
    intervals=DURATION | st.lists(DURATION, max_size=2),
    demand=DURATION | st.fixed_dictionaries({"every": DURATION}, optional={"sliding": DURATION}),
    tariff=one("tou", "none"),
)
OF = st.lists(one("first", "last", "min", "max", "mean", "time_mean", "sum", "count", "good", "late"), max_size=4)
WINDOW = st.fixed_dictionaries({"every": DURATION, "of": OF}, optional={"late": DURATION, "hold": DURATION})
ALARM = maybe(
    name=one("x_h", "alarm", "a"),
    hh=NUMBER,
    h=NUMBER,
    l=NUMBER,
    ll=NUMBER,
    deviation=st.fixed_dictionaries({"from": NUMBER | st.sampled_from(NAMES), "by": NUMBER}),
    rate=st.fixed_dictionaries({"above": one("1 per second", "3 per hour", "0 per minute"), "over": DURATION}),
    state=one(1, True, "run", [0, 1], ["run", "jam"]),
    on_bad=st.booleans(),
    hysteresis=NUMBER,
    on_delay=DURATION,
    off_delay=DURATION,
    severity=one("low", "urgent", 1, 1000),
    text=one("", "hot"),
    chatter=one(2, 10),
)
STATE = st.dictionaries(one("run", "idle", "other"), one(1, 0, True, [1, 5], "run", "fault", 300), max_size=3)
VALUE = {
    "unit": UNIT,
    "as": UNIT,
    "kind": one("gauge", "counter", "state", "event"),
    "limits": LIMITS,
    "report": REPORT,
    "counter": COUNTER,
    "aggregate": WINDOW | st.lists(WINDOW, max_size=2),
    "alarms": ALARM | st.lists(ALARM, max_size=2),
    "state": STATE,
}


def some(parts: dict[str, Any], most: int) -> Any:
    """At most so many of these keys, so that not every file is wrong somewhere."""
    picked = st.lists(st.sampled_from(sorted(parts)), max_size=most, unique=True)
    return picked.flatmap(lambda keys: st.fixed_dictionaries({key: parts[key] for key in keys}))


TAG = st.tuples(DTYPE, some(VALUE | {"ratio": one("ct", "ct*pt"), "enabled": st.booleans()}, 3))
OF_ENERGY = {"intervals": ["15m", "1h"], "total": False}
CONVERTED = {"Wh": "kWh", "MJ": "kWh", "W": "kW", "Cel": "[degF]", "K": "Cel", "%": "1"}  # by `as`, what `unit` may be
INPUTS = st.fixed_dictionaries(
    {"a": one("m/a"), "b": one("m/b")}, optional={"q": one("m/a_total", "v/x", "w/x", "a-1")}
)
DERIVED_PARTS = VALUE | {"dtype": one("int64", "bool", "float64"), "max_age": DURATION, "inputs": INPUTS}
DERIVED = st.tuples(st.sampled_from(FORMULAS), some(DERIVED_PARTS, 3)).map(lambda it: {"expr": it[0], **it[1]})
DERIVEDS = st.dictionaries(one("x", "y", "z", "a_total"), DERIVED | st.sampled_from(FORMULAS), max_size=3)
WEIGHED = st.lists(
    st.fixed_dictionaries(
        {"tag": one("b", "m/b", "b", "v/x", "b_15m"), "factor": one("grid_cn-national", "electricity", "grid")},
        optional={"name": one("ce", "a_total")},
    ),
    max_size=2,
)
OEE = st.tuples(one("good", "rejects"), one("b", "x"), one("b", "c"), one("1s", "1h"), one("run", ["run", "idle"])).map(
    lambda it: {"state": "a", "produced": it[1], it[0]: it[2], "cycle": it[3], "run": it[4], "calendar": "tou"}
)
DEVICE = {
    "report": REPORT,
    "derived": DERIVEDS,
    "energy": maybe(co2=WEIGHED, coal_equivalent=WEIGHED),
    "oee": OEE,
    "ct": one(2, "400/5", 1e6, "1/3"),
    "pt": one(100, "10000/100"),
    "place": one([], ["l1"]),
}
VIRTUAL = st.tuples(DERIVEDS, INPUTS, one("0s", "1s", "1h")).map(
    lambda it: {"name": "v", "derived": it[0], "inputs": it[1], "every": it[2]}
)


def mended(value: dict[str, Any]) -> dict[str, Any]:
    """What would be refused nearly always says something that may be right."""
    found = dict(value)
    if "as" in found:
        found["unit"] = CONVERTED.get(found["as"], found.get("unit", "kWh"))
    if "counter" in found:
        found |= {"kind": "counter"}
    return found


def whole(parts: tuple[list[tuple[str, dict[str, Any]]], dict[str, Any], list[Any], str]) -> dict[str, Any]:
    listed, device, virtual, zone = parts
    tags = [{"name": name, "type": dtype, **mended(more)} for name, (dtype, more) in zip(NAMES, listed, strict=False)]
    if "derived" in device:
        derived = {name: mended(said) if isinstance(said, dict) else said for name, said in device["derived"].items()}
        device = {**device, "derived": derived}
    if "oee" in device:
        tags[:2] = [
            {"name": "a", "type": "int32", "state": {"run": 1, "idle": [2, 5]}},
            {"name": "b", "kind": "counter"},
        ]
    if "energy" in device:
        tags[1] = {"name": "b", "unit": "MWh", **({} if "ct" in device else {"kind": "counter", "counter": OF_ENERGY})}
    times = {"00:00": "valley", "08:00": {"name": "peak", "planned": False}, "17:30": "total"}
    return {
        "gateway": {"id": "g", "timezone": zone},
        "calendars": {"tou": {"days": [{"dates": "2026-02-28", "times": {"00:00": "valley"}}, {"times": times}]}},
        "factors": {"grid": "cn-national"},
        "devices": [{"name": "m", "driver": "sim", "tags": tags, **device}],
        "virtual": virtual,
    }


SITE = st.tuples(
    st.lists(TAG, min_size=2, max_size=3), some(DEVICE, 3), st.lists(VIRTUAL, max_size=1), one("UTC", "Asia/Shanghai")
).map(whole)
VALUES: dict[str, list[Value]] = {
    "str": ["run", "jam", "", "x" * 5000, 5],
    "bool": [True, False, 1, "x"],
}
ANY: list[Value] = [
    0,
    1,
    5,
    7,
    300,
    65535,
    2**63,
    2**64 - 1,
    -1,
    1.5,
    1e300,
    -1e300,
    float("nan"),
    float("inf"),
    None,
    "run",
    True,
]
MOMENT = st.tuples(
    one(0, 1, 59, 900, 86400, 400 * 86400, -3600),  # seconds until then, by the clock on the wall
    st.lists(st.tuples(st.integers(0, 16), one(0, 0, 0, 2, 3, 4, FIRST_BAD, 255)), min_size=3, max_size=3),
    st.booleans(),
    st.booleans(),
)


def written(node: Any, path: Place = ()) -> Iterator[tuple[str, Place]]:
    """Lines of YAML, each with the place of what stands there."""
    if not isinstance(node, dict | list):
        yield json.dumps(node, ensure_ascii=False), path
        return
    yield "{" if isinstance(node, dict) else "[", path
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(node, dict):
            yield f"{json.dumps(key, ensure_ascii=False)}:", (*path, key)
        yield from written(inner, (*path, key))
        yield ",", (*path, key)
    yield "}" if isinstance(node, dict) else "]", path


def without(tree: Any, path: Place) -> None:
    """Take out what stands there, unless it is gone."""
    node = tree
    for part in path[:-1]:
        node = node[part] if part in (node if isinstance(node, dict) else range(len(node))) else {}
    if path and path[-1] in (node if isinstance(node, dict) else range(len(node))):
        del node[path[-1]]


def accepted(path: Path, tree: Any) -> Site | None:
    """The site, without what is refused of it; None where nothing useful is left."""
    for _ in range(ROUNDS):
        lines = list(written(tree))
        path.write_text("\n".join(line for line, _ in lines), "utf-8")
        try:
            return load(path, {})
        except Invalid as error:
            found = [(each.line, each.column, each.message) for each in error.problems]
        assert found
        assert len(set(found)) == len(found)
        for place in sorted(
            {lines[line - 1][1] for line, _, _ in found}, key=lambda it: (len(it), str(it)), reverse=True
        ):
            without(tree, place)
    return None


def frame_of(schema: Schema, moment: Any, ts: int, mono: int) -> Frame:
    _, picked, sparse, stamped = moment
    columns = tuple(range(len(schema.tags)))[1:] if sparse else tuple(range(len(schema.tags)))
    values, quality = list[Value](), bytearray()
    for column, (which, trust) in zip(columns, picked, strict=False):
        known = VALUES.get(schema.tags[column].dtype, ANY)
        value = None if trust >= FIRST_BAD else known[which % len(known)]
        values.append(value)
        quality.append(trust if value is not None else max(trust, FIRST_BAD))
    stamps = tuple(ts - 10 * SECOND * column for column in columns) if stamped else None
    return Frame(schema, ts, tuple(values), bytes(quality), mono, columns if sparse else None, stamps)


@settings(
    deadline=None,
    max_examples=often(100, 2000),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tree=SITE, moments=st.lists(MOMENT, min_size=2, max_size=6))
def test_what_is_accepted_runs(tmp_path: Path, tree: Any, moments: list[Any]) -> None:
    tree = deepcopy(tree)
    site = accepted(tmp_path / "site.yaml", tree)
    if site is None:
        return
    assert list(errors(tree, SCHEMA, SCHEMA)) == []
    (driver,) = [SimDriver(device) for device in site.devices if isinstance(device, Config)]
    steps = Steps(driver.schemas, site.recipes)
    ts = mono = START
    for moment in moments:
        ts, mono = ts + moment[0] * SECOND, mono + max(moment[0], 1) * SECOND
        for schema in driver.schemas:
            frames = [*steps[schema](frame_of(schema, moment, ts, mono)), *steps.tick(ts, mono)]
            for frame in frames:
                columns = len(frame.schema.tags) if frame.columns is None else len(frame.columns)
                assert len(frame.values) == len(frame.quality) == columns
    kept = {key: state for key, state in steps.kept(mono, all_of_it=True).items() if state is not None}
    again = Steps(driver.schemas, site.recipes)
    again.restore(kept)
    for schema in driver.schemas:
        again[schema](frame_of(schema, moments[0], ts + SECOND, mono + SECOND))
