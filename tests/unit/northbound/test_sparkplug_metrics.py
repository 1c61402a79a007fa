"""Metrics of a frame: the short way says what the careful one says, and neither says what is not so."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.codec import Metric
from agent.northbound.sparkplug.metrics import TYPES, Plan, Told

NS = 1_700_000_000_123_456_789
MS = NS // 10**6
LIMITS: dict[str, tuple[int, int]] = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{dtype: st.integers(*limits) for dtype, limits in LIMITS.items()},
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.text(st.characters(exclude_categories=["Cs"])),
}
COLUMN = st.sampled_from(list(VALUES)).flatmap(lambda dtype: VALUES[dtype].map(lambda value: (dtype, value)))
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def told(*dtypes: str, first: int = 1) -> list[Told]:
    return [Told(Tag(f"t{n}", dtype, "V"), f"m{n}", first + n) for n, dtype in enumerate(dtypes)]  # type: ignore[arg-type]


def frame(values: Any, quality: bytes = b"", ts: int = NS, **more: Any) -> Frame:
    schema = Schema("d", "1s", tuple(Tag(f"t{n}") for n in range(len(values))))
    return Frame(schema, ts, tuple(values), quality or bytes(len(values)), **more)


def decoded(metrics: bytes | list[bytes] | None) -> list[Metric]:
    assert metrics is not None
    return list(codec.decode(metrics if isinstance(metrics, bytes) else b"".join(metrics), most=10_000).metrics)


def by_alias(metrics: list[Metric], plan: list[Told]) -> list[tuple[int, Any, int | None, bool]]:
    types = {one.alias: one.datatype for one in plan}
    return sorted(
        (m.alias or 0, m.raw and m.raw.typed(types[m.alias or 0]), m.timestamp, m.historical) for m in metrics
    )


@given(st.lists(COLUMN, min_size=1, max_size=30), st.booleans(), st.sampled_from([1, 100, 20_000]), st.booleans())
def test_both_ways_say_the_values(columns: list[tuple[str, Any]], historical: bool, first: int, old: bool) -> None:
    mine = told(*(dtype for dtype, _ in columns), first=first)
    plan = Plan(mine, codec.OLD_FIELDS if old else codec.FIELDS, typed=old)
    one = frame([value for _, value in columns])
    expected = [(first + n, value, MS, historical) for n, (_, value) in enumerate(columns)]
    assert by_alias(decoded(plan.careful(one, historical=historical)), mine) == expected
    short = plan.metrics(one, historical=historical)
    assert isinstance(short, bytes) or any(abs(v) > 1e300 for d, v in columns if d == "float64")
    assert by_alias(decoded(short), mine) == expected


@given(st.lists(st.tuples(st.sampled_from(list(VALUES)), ANYTHING), min_size=1, max_size=8))
def test_whatever_stands_there_is_the_value_or_null_and_bad(columns: list[tuple[str, Any]]) -> None:
    mine = told(*(dtype for dtype, _ in columns))
    plan = Plan(mine)
    one = frame([value for _, value in columns])
    found = {metric.alias: metric for metric in decoded(plan.metrics(one, historical=False))}
    careful = {metric.alias: metric for metric in decoded(plan.careful(one, historical=False))}
    for alias, (dtype, value) in enumerate(columns, 1):
        metric = found[alias]
        assert metric.null == careful[alias].null
        if metric.null:
            assert metric.raw is None
            assert metric.properties == {"Quality": (3, 0), "Reason": (12, "bad_decode")}
        else:
            assert metric.raw is not None
            back = metric.raw.typed(mine[alias - 1].datatype)
            if dtype == "str":
                assert back == value.encode("utf-8", "replace").decode()
            elif dtype == "bool":
                assert back is bool(value)
            else:
                assert back == pytest.approx(float(value), rel=1e-6, abs=1e-44)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *((dtype, value) for dtype in ("float32", "float64") for value in (math.nan, math.inf, "1", None, 10**400)),
        *((dtype, low - 1) for dtype, (low, _) in LIMITS.items()),
        *((dtype, high + 1) for dtype, (_, high) in LIMITS.items()),
        *((dtype, value) for dtype in LIMITS for value in (1.5, "1", None)),
        ("float32", 1e39),
        ("bool", "true"),
        ("bool", None),
        ("str", 1),
        ("str", None),
    ],
)
def test_what_a_type_cannot_hold_is_null_and_its_neighbours_are_not(dtype: DType, value: Any) -> None:
    plan = Plan(told(dtype, "float64"))
    bad, good = decoded(plan.metrics(frame([value, 2.5]), historical=False))
    assert bad.null
    assert bad.properties == {"Quality": (3, 0), "Reason": (12, "bad_decode")}
    assert (good.null, good.raw and good.raw.value) == (False, 2.5)


def test_a_whole_number_that_comes_as_a_float_is_one() -> None:
    (metric,) = decoded(Plan(told("int16")).metrics(frame([-5.0]), historical=False))
    assert metric.raw is not None and metric.raw.typed(codec.INT16) == -5


@pytest.mark.parametrize(
    ("quality", "said", "null"),
    [
        (Quality.CLAMPED, (192, "clamped"), False),
        (Quality.STALE, (500, "stale"), False),
        (Quality.BAD_COMM, (0, "bad_comm"), True),
        (Quality.BAD_RANGE, (0, "bad_range"), True),
        (200, (0, "bad_200"), True),
    ],
)
def test_doubt_is_told(quality: int, said: tuple[int, str], null: bool) -> None:
    (metric,) = decoded(Plan(told("float64")).metrics(frame([1.5], bytes((quality,))), historical=False))
    assert metric.null == null
    assert metric.properties == {"Quality": (3, said[0]), "Reason": (12, said[1])}


def test_a_clock_that_nobody_knows_is_a_doubt() -> None:
    plan = Plan(told("float64"))
    (metric,) = decoded(plan.metrics(frame([1.5]), historical=False, unsynced=True))
    assert metric.properties == {"Quality": (3, 192), "Reason": (12, "clock_unsynced")}
    assert metric.raw is not None and metric.raw.value == 1.5


def test_good_values_have_no_properties() -> None:
    (metric,) = decoded(Plan(told("float64")).metrics(frame([1.5]), historical=False))
    assert metric == Metric(alias=1, timestamp=MS, raw=codec.Raw(codec.TWICE, 1.5))


def test_some_columns_only() -> None:
    plan = Plan(told("float64", "bool", "int16"))
    found = decoded(plan.metrics(frame([7, 1.5], columns=(2, 0)), historical=False))
    assert [(metric.alias, metric.raw and metric.raw.value) for metric in found] == [(3, 7), (1, 1.5)]


def test_source_times_are_told_and_bring_the_metrics_into_their_order() -> None:
    """tck-id-operational-behavior-data-publish-dbirth-order"""
    stamps = (NS, NS - 5_000_000_000, NS - 1_000_000)
    plan = Plan(told("float64", "bool", "int16"))
    found = decoded(plan.metrics(frame([1.5, True, 7], stamps=stamps), historical=False))
    assert [(metric.alias, metric.timestamp) for metric in found] == [(2, MS - 5000), (3, MS - 1), (1, MS)]


@pytest.mark.parametrize("ts", [-1, 0, 1, 2**34 * 10**6, 2**42 * 10**6, 2**62])
def test_any_time_is_told(ts: int) -> None:
    (metric,) = decoded(Plan(told("float64")).metrics(frame([1.5], ts=ts), historical=False))
    assert metric.timestamp == max(0, ts // 10**6)


def test_a_birth_tells_name_type_unit_and_value() -> None:
    one = Told(Tag("t", "uint32", "kWh"), "energy", 300)
    (metric,) = decoded([one.born(2**32 - 1, 0, MS, codec.FIELDS, known=True)])
    raw = codec.Raw(codec.INT, 2**32 - 1)
    assert metric == Metric("energy", 300, MS, codec.UINT32, properties={"engUnit": (12, "kWh")}, raw=raw)


def test_before_3_0_uint32_was_a_long() -> None:
    one = Told(Tag("t", "uint32"), "energy", 300)
    (metric,) = decoded([one.born(7, 0, MS, codec.OLD_FIELDS, known=True)])
    assert metric.raw == codec.Raw(codec.LONG, 7)


def test_what_was_never_read_is_null_without_a_quality() -> None:
    (metric,) = decoded([Told(Tag("t", "str", "m"), "n", 1).born(None, 0, MS, codec.FIELDS, known=False)])
    assert (metric.null, metric.raw, dict(metric.properties)) == (True, None, {"engUnit": (12, "m")})


def test_every_type_of_a_tag_has_one_here() -> None:
    from typing import get_args

    assert set(TYPES) == set(get_args(DType))
    assert sorted(TYPES.values()) == list(range(1, 13))
