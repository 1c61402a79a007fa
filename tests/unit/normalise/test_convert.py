"""Values leave in the unit that is asked for, exactly where they can, and with `bad_range` where they cannot."""

from fractions import Fraction
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import FLOATS, DType, Schema, Tag
from agent.model.units import exact
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.convert import Conversion

KILO, MILLI, TURNS = Fraction(1000), Fraction(1, 1000), Fraction(80)
NUMBERS: list[DType] = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def steps(schema: Schema, *asked: Conversion | None) -> Steps:
    rules = {("meter", tag.name): Rules(conversion=each) for tag, each in zip(schema.tags, asked, strict=True) if each}
    return Steps([schema], Recipes(rules))


def schema(*dtypes: DType) -> Schema:
    return Schema("meter", "1s", tuple(Tag(f"t{n}", dtype, "V", "counter") for n, dtype in enumerate(dtypes)), 1.0)


def to(unit: str, factor: Fraction | int = 1, offset: Fraction | int = 0) -> Conversion:
    return Conversion(Fraction(factor), Fraction(offset), unit)


def by(source: str, target: str, ratio: int = 1) -> Conversion:
    factor, offset = exact(source, target)
    return Conversion(factor * ratio, offset, target)


def one(dtype: DType, asked: Conversion, value: Value) -> tuple[Value, int]:
    of = schema(dtype)
    (frame,) = steps(of, asked)[of](Frame(of, 1, (value,), bytes(1)))
    return frame.values[0], frame.quality[0]


@pytest.mark.parametrize(
    ("dtype", "asked", "value", "wanted"),
    [
        ("uint64", by("Wh", "kWh"), 1234, 1.234),
        ("uint64", by("kWh", "Wh"), 2**53 + 1, 1000 * (2**53 + 1)),
        ("uint32", by("kWh", "kWh", 80), 4_000_000_000, 320_000_000_000),
        ("uint64", by("Wh", "kWh"), 2**63 + 1, (2**63 + 1) / 1000),
        ("int16", by("Cel", "[degF]"), -40, -40.0),
        ("int16", by("[degF]", "Cel"), 212, 100.0),
        ("float64", by("Cel", "K"), 25.3, 298.45),
        ("float64", by("W", "kW"), 3.3, 0.0033),
        ("float32", by("W", "kW", 80), 12.5, 1.0),
        ("int32", by("m3/h", "L/s"), 36, 10.0),
        ("int32", to("V", -2, 5), 10, -15),
    ],
)
def test_a_value_is_exact_or_rounded_once(dtype: DType, asked: Conversion, value: Value, wanted: Value) -> None:
    assert one(dtype, asked, value) == (wanted, 0)


@pytest.mark.parametrize(
    ("dtype", "asked", "after"),
    [
        ("uint16", by("kWh", "Wh"), "uint64"),
        ("int16", by("kWh", "Wh"), "int64"),
        ("uint16", to("V", 1, -5), "int64"),
        ("uint64", by("Wh", "kWh"), "float64"),
        ("float32", by("kW", "W"), "float64"),
        ("float32", by("kW.h", "kWh"), "float32"),
        ("uint16", by("kW.h", "kWh"), "uint16"),
    ],
)
def test_a_tag_says_what_it_has_become(dtype: DType, asked: Conversion, after: DType) -> None:
    of = schema(dtype, dtype)
    made = steps(of, asked, None).output(of)
    assert made.tags == (Tag("t0", after, asked.unit, "counter"), of.tags[1])
    assert (made.device, made.group, made.interval, made.made) == ("meter", "1s", 1.0, False)


def test_text_and_bool_are_left_as_they_are() -> None:
    of = schema("str", "bool")
    assert steps(of, by("V", "kV"), by("V", "kV")).output(of) is of


def test_a_schema_of_which_nothing_is_asked_is_left_alone() -> None:
    of = schema("float64")
    frame = Frame(of, 1, (1.5,), bytes(1))
    assert steps(of, None)[of](frame) == (frame,)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, 10**400])
def test_a_whole_number_that_no_longer_fits_is_bad(value: int) -> None:
    assert one("uint64", to("V", 80), value) == (None, Quality.BAD_RANGE)
    assert one("uint64", to("V", 1, -1), 2**64 - 1) == (None, Quality.BAD_RANGE)
    assert one("uint64", to("V", 2), 2**63 - 1) == (2**64 - 2, 0)


def test_a_float_that_no_longer_fits_is_bad_and_so_is_none_of_its_neighbours() -> None:
    of = schema("float64", "str", "bool", "int64")
    (frame,) = steps(of, to("mV", 1000), None, None, to("mV", 1000))[of](Frame(of, 7, (1e306, "x", True, 5), bytes(4)))
    assert (frame.values, list(frame.quality)) == ((None, "x", True, 5000), [Quality.BAD_RANGE, 0, 0, 0])


def test_bad_values_stay_what_they_are_and_the_others_are_converted() -> None:
    of = schema("float64", "int32", "bool")
    step = steps(of, to("mV", 1000), to("kV", MILLI), None)[of]
    (frame,) = step(Frame(of, 7, (None, 2500, True), bytes((66, 3, 0)), 9))
    assert (frame.values, list(frame.quality), frame.ts, frame.mono) == ((None, 2.5, True), [66, 3, 0], 7, 9)
    assert frame.values[2] is True


def test_sparse_frames_are_converted_by_their_own_columns() -> None:
    of = schema("float64", "int32", "str")
    step = steps(of, to("mV", 1000), to("kV", MILLI), None)[of]
    (frame,) = step(Frame(of, 7, ("x", 2500), bytes(2), 9, (2, 1), (5, 6)))
    assert (frame.values, frame.columns, frame.stamps) == (("x", 2.5), (2, 1), (5, 6))


def test_a_schema_of_many_tags_is_compiled() -> None:
    of = schema(*["uint64", "float32"] * 2000)
    (frame,) = steps(of, *[to("V", 80)] * 4000)[of](Frame(of, 1, (3, 0.5) * 2000, bytes(4000)))
    assert frame.values == (240, 40.0) * 2000


def plainly(tag: Tag, asked: Conversion | None, value: Value, quality: int) -> tuple[Value, int]:
    """What a value becomes, slowly."""
    if quality >= FIRST_BAD:
        return None, quality
    if isinstance(value, str) != (tag.dtype == "str") or value is None or not fits(tag, value):
        return None, int(Quality.BAD_DECODE)
    if asked is None or isinstance(value, str) or tag.dtype == "bool":
        return value, quality
    wanted = Fraction(value) * asked.factor + asked.offset
    if tag.dtype not in FLOATS and asked.factor.denominator == asked.offset.denominator == 1:
        unsigned = tag.dtype.startswith("uint") and asked.offset >= 0
        low, high = (0, 2**64 - 1) if unsigned else (-(2**63), 2**63 - 1)
        return (
            (int(wanted) if wanted.denominator == 1 else float(wanted), quality)
            if low <= wanted <= high
            else (
                None,
                int(Quality.BAD_RANGE),
            )
        )
    return (float(wanted), quality) if finite(wanted) else (None, int(Quality.BAD_RANGE))


def fits(tag: Tag, value: Value) -> bool:
    return finite(value) or (isinstance(value, int) and tag.dtype not in FLOATS)


def finite(value: object) -> bool:
    try:
        return isinstance(value, str) or isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        return False


ASKED = st.sampled_from([None, to("V", KILO), to("V", MILLI), by("Cel", "[degF]"), to("V", TURNS), to("V", 1, -3)])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**65),
    st.floats(),
    st.sampled_from([nan, inf, -inf, 10**400, 1.7e308, -0.0]),
    st.text(max_size=3),
)
COLUMN = st.tuples(st.sampled_from([*NUMBERS, "str", "bool"]), ASKED, VALUES, st.sampled_from([0, 0, 0, 3, 66]))


def held(dtype: DType, value: Value) -> Value:
    """A register of 32 bits holds no more, so nothing of it can leave 64 bits by a factor of 1000."""
    narrow = dtype not in FLOATS and dtype.endswith(("8", "16", "32"))
    return value % 100 if narrow and not isinstance(value, str | None) and finite(value) else value


@given(st.lists(COLUMN, min_size=1, max_size=8), st.data())
def test_any_frame_becomes_what_it_becomes_slowly(
    columns: list[tuple[DType, Conversion | None, Value, int]], data: st.DataObject
) -> None:
    columns = [(dtype, asked, held(dtype, value), trust) for dtype, asked, value, trust in columns]
    of = schema(*(dtype for dtype, _, _, _ in columns))
    step = steps(of, *(asked for _, asked, _, _ in columns))[of]
    places = data.draw(st.none() | st.permutations(range(len(columns))).map(tuple))
    order = range(len(columns)) if places is None else places
    values = tuple(columns[place][2] for place in order)
    (frame,) = step(Frame(of, 1, values, bytes(columns[place][3] for place in order), columns=places))
    for place, value, quality in zip(order, frame.values, frame.quality, strict=True):
        _, asked, was, trust = columns[place]
        wanted, said = plainly(of.tags[place], asked, was, trust)
        assert quality == said
        assert value == wanted or value == pytest.approx(wanted, rel=1e-15)
        assert type(value) is type(wanted) or isinstance(was, bool | float)
