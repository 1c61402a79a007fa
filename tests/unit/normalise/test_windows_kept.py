"""What windows remember: over a restart, with other tags, of damaged states, and never without bound."""

from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.api import Context
from agent.normalise.local import Local
from agent.normalise.parcels import join, parcels
from agent.normalise.windows.ask import Window
from agent.normalise.windows.grid import RUN, TOLD, WAITING, build
from tests.unit.normalise.test_windows import MINUTE, NOON, QUARTER, window
from tests.unit.normalise.window_oracle import OF, SECOND, World


def kept(world: World) -> dict[str, bytes]:
    return world.steps.kept(0, all_of_it=True)


def test_a_window_that_was_told_is_committed_with_what_comes_next() -> None:
    """Otherwise it would be told again after a crash."""
    world = World()
    world.read(NOON, 1.0)
    world.steps.kept(10**15)
    world.read(NOON + SECOND, 1.0)
    assert world.steps.kept(10**15 + 1) == {}
    world.read(NOON + QUARTER, 1.0)
    assert list(world.steps.kept(10**15 + 2)) == ["normal/d/1s/windows/0"]


def test_a_tag_that_was_not_there_before_begins_anew_and_the_others_go_on() -> None:
    world = World(("a", "b"))
    world.read(NOON, 1.0, 2.0)
    state, other = kept(world), World(("c", "b"))
    other.steps.restore(state)
    other.read(NOON + SECOND, 3.0, 4.0)
    other.read(NOON + QUARTER, 0.0, 0.0)
    assert [window(other, tag=tag)["sum"] for tag in ("c", "b")] == [3, 6]


def test_a_schema_that_grows_keeps_its_window_open() -> None:
    world = World(("a",))
    world.read(NOON, 1.0)
    rules = Rules(windows=(world.window,))
    steps = Steps([world.schema], Recipes({("d", "a"): rules, ("d", "b"): rules}))
    steps.restore(kept(world))
    grown = Schema("d", "1s", (*world.schema.tags, Tag("b")), 1.0)
    steps[grown](Frame(grown, NOON + SECOND, (2.0, 5.0), bytes(2)))
    (_, told) = steps[grown](Frame(grown, NOON + QUARTER, (0.0, 0.0), bytes(2)))
    said = {tag.name: value for tag, value, _ in told.rows()}
    assert (said["a_sum_15m"], said["b_sum_15m"]) == (3, 5)


def test_readings_that_wait_for_their_window_wait_on_after_a_restart() -> None:
    """By the names of their tags; what is damaged goes."""
    world = World(("a", "b"), interval=0.0)
    world.read(NOON, 1.0, 2.0, stamps=[NOON, NOON])
    world.read(NOON + QUARTER, 4.0, 8.0, stamps=[NOON + QUARTER, NOON + QUARTER])
    state, other = kept(world), World(("b", "a"), interval=0.0)
    ((key, blob),) = join(state).items()
    version, (grid,) = msgspec.msgpack.decode(blob)
    assert len(grid[-1]) == 2
    grid[-1] += [
        (NOON + QUARTER, 7, 1.0, 0),
        (NOON + QUARTER, 0, "junk", 0),
        (NOON + QUARTER, 0, 1.0, 256),
        (NOON, 0, 1.0, 0),
    ]
    other.steps.restore(parcels(key, msgspec.msgpack.encode((version, [grid]))))
    for end in (NOON + QUARTER, NOON + 2 * QUARTER):
        other.tick(end + 3 * SECOND)
    for tag, first, second in (("a", 1.0, 4.0), ("b", 2.0, 8.0)):
        assert other.said[f"{tag}_last_15m", NOON + QUARTER] == (first, 0)
        assert other.said[f"{tag}_last_15m", NOON + 2 * QUARTER] == (second, 0)
        assert other.said[f"{tag}_count_15m", NOON + 2 * QUARTER] == (1, 0)


def test_a_window_of_another_length_or_zone_does_not_go_on() -> None:
    world = World(window=Window(8 * 3600 * SECOND, OF))
    world.read(NOON, 1.0)
    for other in (
        World(window=Window(4 * 3600 * SECOND, OF)),
        World(window=Window(8 * 3600 * SECOND, OF), local=Local(ZoneInfo("Asia/Tokyo"))),
    ):
        other.steps.restore(kept(world))
        other.tick(NOON + 40 * 3600 * SECOND)
        assert other.frames == []


def test_no_window_is_told_again_after_a_restart() -> None:
    world = World()
    world.read(NOON, 1.0)
    world.read(NOON + QUARTER, 1.0)
    world.again()
    world.read(NOON + 2 * QUARTER, 1.0)
    world.again()
    world.read(NOON + MINUTE, 1.0)
    world.tick(NOON + 4 * QUARTER)
    assert [frame.ts - NOON for frame in world.frames] == [QUARTER, 2 * QUARTER, 3 * QUARTER]


@given(st.one_of(st.binary(max_size=200), st.integers(0, 400).map(bytes)))
@example(b"\x92\x01\x91\x99\x01\x02\xc0\x01\x01\x01\x90\x91\xa1\xff\xc0")  # a name that is no UTF-8
def test_junk_is_left(junk: bytes) -> None:
    part = build(Schema("d", "1s", (Tag("a"),), 1.0), [Rules(windows=(Window(QUARTER, OF),))], Context(Recipes()))
    assert part is not None
    part.load(junk)


numbers = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=4))
ints = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.booleans(), max_size=3), st.lists(st.lists(ints, max_size=3), min_size=9, max_size=9), st.data())
def test_a_state_of_the_right_form_and_the_wrong_content_does_no_harm(
    seen: list[bool], plain: list[list[int]], data: st.DataObject
) -> None:
    values = [data.draw(st.lists(numbers, max_size=3)) for _ in range(8)]
    start, end = data.draw(st.sampled_from([(NOON, NOON + QUARTER), (0, 0), (NOON, NOON), (2**62, 1), (-1, 2**63 - 1)]))
    columns = [seen, *plain, *values]
    told = data.draw(st.lists(ints, max_size=300))
    state = [1, [[QUARTER, 2 * SECOND, 3 * SECOND, start, end, data.draw(ints), told, ["a", "b", "c"], columns]]]
    world = World(("b", "a"))
    part = build(world.schema, [Rules(windows=(world.window,))] * 2, Context(Recipes()))
    assert part is not None
    part.load(msgspec.msgpack.encode(state))
    made = [*part(Frame(world.schema, NOON + SECOND, (1.0, 2.0), bytes(2)))]
    made += part(Frame(world.schema, NOON + QUARTER, (1.0, 2.0), bytes(2)))
    part.load(part.dump())
    made += part(Frame(world.schema, NOON + 2 * QUARTER, (1.0, 2.0), bytes(2)))
    assert len(made) >= (NOON + 2 * QUARTER not in told[-TOLD:])


@pytest.mark.parametrize("field", [3, 4])  # doubt, bad
@pytest.mark.parametrize("quality", [-1, 256])
def test_what_is_no_quality_is_left(field: int, quality: int) -> None:
    world = World()
    world.read(NOON, 1.0)
    key, whole = next(iter(kept(world).items()))
    version, ((*head, columns, waiting),) = msgspec.msgpack.decode(join({key: whole})[key[:-2]])
    columns[field][0] = quality
    state = msgspec.msgpack.encode((version, [[*head, columns, waiting]]))
    other = World()
    other.steps.restore(parcels(key[:-2], state))
    other.read(NOON + MINUTE, 1.0)
    other.tick(NOON + 2 * QUARTER)
    assert window(other)["count"] == 1


def test_what_is_remembered_has_a_bound() -> None:
    world = World(window=Window(SECOND, ("count",), late=0), interval=0)
    for number in range(300):
        world.read(NOON + number * SECOND, 1.0)
    assert len(kept(world)["normal/d/1s/windows/0"]) < 20 * TOLD
    world = World(interval=0)
    world.read(NOON + QUARTER - SECOND, 1.0, stamps=[NOON])
    for number in range(WAITING + RUN):
        world.read(NOON + QUARTER + number, float(number), stamps=[NOON + QUARTER + number])
    assert window(world)["count"] == 1
    world.tick(NOON + 3 * QUARTER)
    assert window(world, NOON + 2 * QUARTER)["count"] == WAITING + RUN


@pytest.mark.parametrize("value", [1.5, 2**70, "text", True])
def test_every_kind_of_value_comes_back(value: float | str) -> None:
    dtype = {float: "float64", int: "uint64", str: "str", bool: "bool"}[type(value)]
    world = World(dtype=dtype)  # type: ignore[arg-type]
    world.read(NOON, value)
    world.again()
    world.read(NOON + QUARTER, value)
    assert window(world)["first"] == value
    assert type(window(world)["first"]) is type(value)
