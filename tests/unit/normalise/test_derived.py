"""Derived tags: once for each frame, with the newest of all others, and no better than what they are made of."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.calculated import Calculated, Derived
from agent.normalise.expression import parse
from agent.normalise.limits.asked import Limits
from tests.lengths import often
from tests.unit.normalise import formulas
from tests.unit.normalise.formulas import NEVER, Columns, Result, Tree

SECOND = 10**9
FAST = Schema("m", "1s", (Tag("a"), Tag("b"), Tag("mode", "str")), 1.0)
SLOW = Schema("m", "1m", (Tag("c"), Tag("n", "int64")), 60.0)
EVENTS = Schema("m", "events", (Tag("d"), Tag("e")))
OTHER = Schema("o", "1s", (Tag("a"), Tag("b")), 1.0)
SCHEMAS = (FAST, SLOW, EVENTS, OTHER)


def derived(name: str, text: str, dtype: DType = "float64", device: str = "m", age: float | None = None) -> Derived:
    """Each name in the formula is a tag of the device; `o_a` is `a` of the device `o`."""
    names = [(name, ("o", name[2:]) if name.startswith("o_") else (device, name)) for name in parse(text).names]
    return Derived(Tag(name, dtype), text, tuple(names), age)


class Site:
    """What comes out for each frame that is read, but that frame."""

    def __init__(self, *asked: Derived, device: str = "m", every: float = 0.0) -> None:
        self.steps = Steps(SCHEMAS, Recipes(derived=(Calculated(device, asked, every),)))

    def reads(self, schema: Schema, *values: Value, quality: bytes = b"", at: float = 0, **more: object) -> list[Frame]:
        ns = int(at * SECOND)
        frame = Frame(schema, ns + 5, values, quality or bytes(len(values)), ns, **more)  # type: ignore[arg-type]
        return list(self.steps[schema](frame)[1:])

    def ticks(self, at: float) -> list[Frame]:
        return list(self.steps.tick(int(at * SECOND), int(at * SECOND)))


def told(frames: list[Frame]) -> dict[str, tuple[Value, int]]:
    return {tag.name: (value, quality) for frame in frames for tag, value, quality in frame.rows()}


def test_what_depends_on_a_frame_comes_in_one_frame_after_it() -> None:
    site = Site(derived("x", "a + b"), derived("y", "a > b", "bool"), derived("z", "n * 2", "int64"))
    (made,) = site.reads(FAST, 1.5, 1, "run", at=7)
    assert (made.schema.device, made.schema.group, made.schema.made) == ("m", "derived", True)
    assert (made.ts, made.mono, made.columns) == (7 * SECOND + 5, 7 * SECOND, (0, 1))
    assert told([made]) == {"x": (2.5, 0), "y": (True, 0)}
    assert told(site.reads(SLOW, 1.0, 2**60)) == {"z": (2**61, 0)}


def test_a_frame_with_all_of_them_is_whole() -> None:
    (made,) = Site(derived("x", "a + b"), derived("y", "a - b")).reads(FAST, 3, 1, "")
    assert (list(made.values), made.columns) == ([4.0, 2.0], None)


def test_other_groups_give_their_newest_value() -> None:
    site = Site(derived("x", "a + c"))
    assert site.reads(FAST, 1, 0, "") == []
    assert told(site.reads(SLOW, 10, 0)) == {"x": (11, 0)}
    assert told(site.reads(FAST, 2, 0, "")) == {"x": (12, 0)}


def test_a_derived_tag_may_use_others_wherever_they_stand() -> None:
    site = Site(derived("z", "y * x"), derived("y", "x + 1"), derived("x", "a + c"))
    site.reads(SLOW, 1, 0)
    assert told(site.reads(FAST, 2, 0, "")) == {"x": (3, 0), "y": (4, 0), "z": (12, 0)}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((1.0, 0), (2.0, Quality.ESTIMATED), (3.0, Quality.ESTIMATED)),
        ((1.0, Quality.CLAMPED), (2.0, Quality.STALE), (3.0, Quality.STALE)),
        ((None, Quality.BAD_COMM), (2.0, 0), (None, Quality.BAD_COMM)),
        ((1.0, 0), (None, Quality.BAD_STUCK), (None, Quality.BAD_STUCK)),
        ((math.nan, 0), (2.0, 0), (None, Quality.BAD_DECODE)),
    ],
)
def test_it_is_no_better_than_what_it_is_made_of(
    a: tuple[Value, int], b: tuple[Value, int], expected: tuple[Value, int]
) -> None:
    site = Site(derived("x", "a + b"), derived("fine", "1 if mode == 'run' else 0"), derived("y", "x * 1"))
    made = site.reads(FAST, a[0], b[0], "run", quality=bytes((a[1], b[1], 0)))
    assert told(made) == {"x": expected, "fine": (1.0, 0), "y": expected}


def test_what_was_not_looked_at_does_not_count() -> None:
    site = Site(derived("x", "a if good(a) else b"), derived("y", "1 if usable(a) and a > 0 else 0"))
    assert told(site.reads(FAST, 1, 2, "", quality=bytes((0, 66, 0)))) == {"x": (1, 0), "y": (1, 0)}
    assert told(site.reads(FAST, None, 2, "", quality=bytes((66, 0, 0)))) == {"x": (2, 0), "y": (0, 0)}
    assert told(site.reads(FAST, 1, 2, "", quality=bytes((2, 0, 0)))) == {"x": (2, 0), "y": (1, 2)}


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("b / a", "float64"),
        ("b // a", "int64"),
        ("b % a", "bool"),
        ("sqrt(a - 1)", "float64"),
        ("(b * 1e308) * 1e10", "float64"),
        ("(b * 1e308) * 1e10 > 0 and 1 / a", "bool"),
        ("b + 0.5", "int64"),
        ("b * 9223372036854775807", "int64"),
        ("(b * 1e300) ** 8", "float64"),
    ],
)
def test_what_has_no_result_is_bad_and_harms_nothing_else(text: str, dtype: DType) -> None:
    site = Site(derived("x", text, dtype), derived("y", "a + b"))
    found = told(site.reads(FAST, 0, 4, ""))
    assert found["y"] == (4.0, 0)
    assert found["x"] == (None, Quality.BAD_DECODE)


def test_a_result_that_is_bad_is_bad_for_whoever_uses_it() -> None:
    site = Site(derived("x", "b * 1e308 * 1e308"), derived("y", "1 / x"))
    assert told(site.reads(FAST, 0, 4, "")) == {"x": (None, 64), "y": (None, 64)}
    assert told(site.reads(FAST, 0, 0, "")) == {"x": (0.0, 0), "y": (None, 64)}


def test_text_for_a_number_is_a_mistake_of_the_file() -> None:
    site = Site(derived("x", "mode + 1"), derived("y", "a == 'x'", "bool"), derived("z", "mode == 'run'", "bool"))
    bad = (None, Quality.BAD_CONFIG)
    assert told(site.reads(FAST, 1, 1, "run")) == {"x": bad, "y": bad, "z": (True, 0)}
    assert told(site.reads(FAST, 1, columns=(0,))) == {"y": bad}


def test_sparse_frames_trigger_what_they_have() -> None:
    site = Site(derived("x", "d + e"), derived("y", "e * 2"))
    assert site.reads(EVENTS, 1.0, columns=(0,)) == []
    assert told(site.reads(EVENTS, 2.0, columns=(1,))) == {"x": (3, 0), "y": (4, 0)}
    assert told(site.reads(EVENTS, 5.0, columns=(0,))) == {"x": (7, 0)}
    assert told(site.reads(EVENTS, 6.0, 1.0, columns=(1, 0))) == {"x": (7, 0), "y": (12, 0)}
    assert site.reads(EVENTS, columns=()) == []


def test_the_source_s_time_goes_on() -> None:
    site = Site(derived("x", "d + a"), derived("y", "e * 2"), derived("z", "x + y"))
    site.reads(FAST, 1, 0, "")
    (made,) = site.reads(EVENTS, 1.0, 2.0, at=9, stamps=(70, 60))
    assert (made.stamps, [tag.name for tag in made.tags()]) == ((70, 60, 70), ["x", "y", "z"])


def test_a_value_of_before_does_not_take_the_place_of_a_newer_one() -> None:
    """As when a server hands in what it kept while the line was down."""
    site = Site(derived("x", "d + e"))
    site.reads(EVENTS, 1.0, 1.0, columns=(0, 1), stamps=(1000, 1000))
    assert site.reads(EVENTS, 50.0, columns=(0,), stamps=(900,)) == []
    assert told(site.reads(EVENTS, 2.0, columns=(1,), stamps=(1001,))) == {"x": (3.0, 0)}
    later = site.reads(EVENTS, 7.0, columns=(0,), stamps=(800,), at=301)
    assert told(later) == {"x": (9.0, 0)}, "a clock that was put back is believed after five minutes"


def test_an_input_that_is_not_heard_of_is_stale() -> None:
    site = Site(derived("x", "a + o_a"), derived("z", "d + a"))
    site.reads(OTHER, 1, 0, at=0)
    site.reads(EVENTS, 1, 0, at=0)
    site.ticks(9)
    assert told(site.reads(FAST, 1, 0, "", at=9)) == {"x": (2, 0), "z": (2, 0)}
    site.ticks(11)
    assert told(site.reads(FAST, 1, 0, "", at=11)) == {"x": (2, Quality.STALE), "z": (2, 0)}
    assert told(site.reads(OTHER, 5, 0, at=12)) == {"x": (6, 0)}


def test_how_old_an_input_may_be_can_be_said() -> None:
    site = Site(derived("x", "a + d", age=2.0), derived("y", "a + d"))
    site.reads(EVENTS, 1, columns=(0,), at=0)
    site.ticks(3)
    assert told(site.reads(FAST, 1, 0, "", at=3)) == {"x": (2, Quality.STALE), "y": (2, 0)}


def test_a_device_by_calculation_speaks_once_in_its_time() -> None:
    site = Site(derived("sum", "a + o_a", device="m"), device="line", every=1.0)
    assert site.reads(FAST, 1, 0, "", at=0.1) == []
    assert site.ticks(1) == []
    assert site.reads(OTHER, 2, 0, at=1.5) == []
    assert site.reads(FAST, 3, 0, "", at=1.6) == []
    (made,) = site.ticks(2)
    assert (made.schema.device, made.ts, made.mono) == ("line", 1_600_000_005, 1_600_000_000)
    assert told([made]) == {"sum": (5, 0)}
    assert site.ticks(3) == []
    assert told(site.ticks(20)) == {"sum": (5, Quality.STALE)}


def test_a_device_by_calculation_may_use_another() -> None:
    plans = (
        Calculated("v2", (Derived(Tag("y"), "x * 2", (("x", ("v1", "x")),)),)),
        Calculated("v1", (Derived(Tag("x"), "a + 1", (("a", ("m", "a")),)),)),
    )
    steps = Steps(SCHEMAS, Recipes(derived=plans))
    assert told(list(steps[FAST](Frame(FAST, 1, (1, 0, ""), bytes(3))))[1:]) == {"x": (2, 0), "y": (4, 0)}
    assert {(schema.device, schema.group) for schema in steps.made} == {("v1", "derived"), ("v2", "derived")}


def test_who_uses_a_tag_with_rules_takes_what_they_have_made_of_it_and_only_once() -> None:
    asked = (derived("r", "a * 10"), derived("x", "r + b"), derived("y", "x + a + d"), derived("z", "b + d"))
    rules = {("m", "r"): Rules(limits=Limits(max=50, clamp=True))}
    steps = Steps(SCHEMAS, Recipes(rules, derived=(Calculated("m", asked),)))

    def reads(schema: Schema, *values: Value) -> list[dict[str, tuple[Value, int]]]:
        return [told([frame]) for frame in steps[schema](Frame(schema, 1, values, bytes(len(values)), 1))[1:]]

    reads(EVENTS, 100, 0)
    assert reads(FAST, 2, 1, "") == [{"r": (20, 0), "z": (101, 0)}, {"x": (21, 0), "y": (123, 0)}]
    clamped = Quality.CLAMPED
    assert reads(FAST, 9, 1, "") == [{"r": (50, clamped), "z": (101, 0)}, {"x": (51, clamped), "y": (160, clamped)}]
    assert reads(EVENTS, 0, 0) == [{"y": (60, clamped), "z": (1, 0)}]


def test_a_device_that_grows_goes_on_with_what_was_known() -> None:
    site = Site(derived("x", "a + d"), derived("y", "late + d"))
    site.reads(EVENTS, 1, 0, at=0)
    site.reads(FAST, 1, 0, "", at=0)
    grown = Schema("m", "1s", (*FAST.tags, Tag("late")), 1.0)
    assert told(site.reads(grown, 5, columns=(3,), at=1)) == {"y": (6, 0)}
    assert told(site.reads(grown, 2, 0, "", 7, at=2)) == {"x": (3, 0), "y": (8, 0)}
    assert told(site.reads(EVENTS, 2, 0, at=3)) == {"x": (4, 0), "y": (9, 0)}


def test_who_asks_for_nothing_pays_nothing() -> None:
    frame = Frame(FAST, 1, (1, 0, ""), bytes(3))
    assert Steps(SCHEMAS)[FAST](frame) == (frame,)
    assert Site(derived("x", "c")).steps[FAST](frame) == (frame,)


def quality() -> st.SearchStrategy[int]:
    return st.sampled_from([0, 0, 0, 0, 1, 2, 64, 66])


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Tree], list[tuple[Schema, tuple[int, ...], Columns]]]:
    """Formulas over a and b of one group and c and d of another, and frames with some of them."""
    groups = (Schema("m", "x", (Tag("a"), Tag("b"))), Schema("m", "y", (Tag("c"), Tag("d"))))
    trees = draw(st.lists(formulas.trees().filter(lambda tree: not formulas.is_large(tree)), min_size=1, max_size=3))
    frames = []
    for _ in range(draw(st.integers(1, 6))):
        group = draw(st.sampled_from(groups))
        columns = draw(st.sampled_from([(0, 1), (0,), (1,), (1, 0)]))
        values = draw(formulas.columns())
        frames.append((group, columns, {name: (value, draw(quality())) for name, (value, _) in values.items()}))
    return trees, frames


@settings(max_examples=often(60, 3000), deadline=None)
@given(stories())
def test_frames_give_what_a_plain_calculation_gives(
    story: tuple[list[Tree], list[tuple[Schema, tuple[int, ...], Columns]]],
) -> None:
    trees, frames = story
    asked = [derived(f"t{n}", formulas.text(tree)) for n, tree in enumerate(trees)]
    steps = Steps((), Recipes(derived=(Calculated("m", tuple(asked)),)))
    newest: Columns = {}
    for group, columns, read in frames:
        names = [group.tags[column].name for column in columns]
        newest |= {name: (None if read[name][1] >= 64 else read[name][0], read[name][1]) for name in names}
        trust = bytes(newest[name][1] for name in names)
        values = [newest[name][0] for name in names]
        made = steps[group](Frame(group, 1, values, trust, 1, None if columns == (0, 1) else columns))[1:]
        expected = {
            f"t{n}": result
            for n, tree in enumerate(trees)
            if set(parse(formulas.text(tree)).names) & set(names)
            and (result := formulas.plain(tree, newest)).quality != NEVER
        }
        assert {name: Result(*found) for name, found in told(list(made)).items()} == expected


def of(device: str, name: str, text: str, **sources: str) -> Calculated:
    """A device with one tag, each name in whose formula is DEVICE/TAG."""
    inputs = tuple((each, (source.split("/")[0], source.split("/")[1])) for each, source in sources.items())
    return Calculated(device, (Derived(Tag(name), text, inputs),))


DIAMOND = (
    of("last", "z", "x + y + a", x="n/x", y="v/y", a="m/a"),
    of("n", "x", "a * 10", a="m/a"),
    of("v", "y", "x + a", x="n/x", a="m/a"),
)


@pytest.mark.parametrize("plans", [DIAMOND, DIAMOND[::-1]], ids=["users first", "users last"])
@pytest.mark.parametrize("stamps", [None, (7, 8, 9)])
def test_what_devices_make_of_a_frame_of_each_other_is_made_once(
    plans: tuple[Calculated, ...], stamps: tuple[int, ...] | None
) -> None:
    """Never of what is new and what was made of the value before."""
    steps = Steps(SCHEMAS, Recipes(derived=plans))
    for a in (1, 5):
        made = steps[FAST](Frame(FAST, 7, (a, 0, ""), bytes(3), a, stamps=stamps))[1:]
        assert [(told([frame]), frame.stamps) for frame in made] == [
            ({name: (a * times, 0)}, stamps and (7,)) for name, times in (("x", 10), ("y", 11), ("z", 22))
        ]


@pytest.mark.parametrize("plans", [DIAMOND, DIAMOND[::-1]], ids=["users first", "users last"])
def test_in_their_own_time_devices_take_what_was_made_in_the_same(plans: tuple[Calculated, ...]) -> None:
    steps = Steps(SCHEMAS, Recipes(derived=tuple(Calculated(each.device, each.tags, 1.0) for each in plans)))
    for a in (1, 5):
        steps[FAST](Frame(FAST, a * SECOND, (a, 0, ""), bytes(3), a * SECOND))
        made = list(steps.tick(a * SECOND, a * SECOND))
        assert [told([frame]) for frame in made] == [{"x": (a * 10, 0)}, {"y": (a * 11, 0)}, {"z": (a * 22, 0)}]


def test_devices_may_use_each_other_where_no_tag_uses_itself() -> None:
    one = Calculated("v", (*of("v", "y", "a + 1", a="m/a").tags, *of("v", "w", "x * 2", x="n/x").tags))
    steps = Steps(SCHEMAS, Recipes(derived=(one, of("n", "x", "y * 10", y="v/y"))))
    assert told(list(steps[FAST](Frame(FAST, 7, (1, 0, ""), bytes(3)))[1:])) == {
        "y": (2, 0),
        "x": (20, 0),
        "w": (40, 0),
    }


@pytest.mark.parametrize("every", [0.0, 1.0])
def test_what_was_made_elsewhere_of_what_is_stale_is_so_too(every: float) -> None:
    plans = (
        of("w", "z", "y + d", y="v/y", d="m/d"),
        of("v", "y", "x * 2", x="n/x"),
        of("n", "x", "a * 10", a="m/a"),
    )
    steps = Steps(SCHEMAS, Recipes(derived=tuple(Calculated(each.device, each.tags, every) for each in plans)))

    def reads(schema: Schema, at: int, *values: Value) -> dict[str, tuple[Value, int]]:
        made = list(steps[schema](Frame(schema, at * SECOND, values, bytes(len(values)), at * SECOND))[1:])
        return told([*made, *steps.tick(at * SECOND, at * SECOND)])

    reads(FAST, 1, 1, 0, "")
    assert reads(EVENTS, 2, 5, 0)["z"] == (25, 0)
    assert reads(EVENTS, 12, 6, 0)["z"] == (26, Quality.STALE if every else 0)
    assert reads(EVENTS, 13, 7, 0)["z"] == (27, Quality.STALE)
    assert reads(FAST, 14, 2, 0, "")["z"] == (47, 0)


def test_who_joins_two_others_waits_for_both() -> None:
    """Be it fed by the frame itself or not, and with rules of theirs in between."""
    plans = (of("z", "z", "x - y", x="n/x", y="v/y"), of("n", "x", "a * 3", a="m/a"), of("v", "y", "a * 2", a="m/a"))
    rules = {("n", "x"): Rules(limits=Limits(max=50)), ("v", "y"): Rules(limits=Limits(max=60))}
    steps = Steps(SCHEMAS, Recipes(rules, derived=plans))
    for a in (1, 5):
        made = steps[FAST](Frame(FAST, 7, (a, 0, ""), bytes(3)))[1:]
        assert [told([frame]) for frame in made] == [{"x": (3 * a, 0)}, {"y": (2 * a, 0)}, {"z": (a, 0)}]


def test_after_a_step_that_raises_it_goes_on() -> None:
    def raises(_frame: Frame) -> tuple[Frame, ...]:
        raise RuntimeError

    steps = Steps(SCHEMAS, Recipes(derived=DIAMOND))
    frame = Frame(FAST, 7, (1, 0, ""), bytes(3))
    schema = next(made for made in steps.made if made.device == "n")
    steps[schema], step = raises, steps[schema]
    with pytest.raises(RuntimeError) as seen:
        steps[FAST](frame)
    steps[schema] = step
    assert told(list(steps[FAST](frame)[1:])) == {"x": (10, 0), "y": (11, 0), "z": (22, 0)}
    assert seen.tb is not None, "it holds what was going on"
