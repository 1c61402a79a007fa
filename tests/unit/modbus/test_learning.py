"""A device with holes is found out in a few scans, at a request or two more per scan; only what is refused is bad."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.modbus.cost import Cost
from drivers.modbus.driver import UNNAMED, _code
from drivers.modbus.faults import SaysNo
from drivers.modbus.learning import AGAIN, REST, Learning
from drivers.modbus.plan import Block, plan
from drivers.modbus.tag import Tag
from drivers.modbus.terrain import Hole, Seam, Terrain
from tests.unit.modbus.builders import tag

SECOND = 1_000_000_000
BRIDGING = Cost(request=16, register=1)


@dataclass
class World:
    """A device that refuses some registers, or long requests, and the learning of the one who reads it."""

    tags: Sequence[Tag]
    holes: set[int] = field(default_factory=set)
    seams: set[int] = field(default_factory=set)
    most: int = 125
    table: int = 3  # the function whose registers have holes
    deaf: bool = False  # it refuses everything
    learning: Learning = field(default_factory=Learning)
    now: int = 0
    asked: list[int] = field(default_factory=list)  # requests per scan
    planned: tuple[Block, ...] = ()

    def blocks(self) -> tuple[Block, ...]:
        self.planned = self.planned or plan(
            self.tags, order="ABCD", max_registers=125, cost=BRIDGING, known=self.learning.known
        )
        return self.planned

    def code(self, block: Block) -> int:
        if block.table.function != self.table:
            return 0
        inside = range(block.address, block.address + block.count)
        if self.deaf or self.holes & set(inside) or self.seams & set(inside[1:]):
            return 2
        return 3 if block.count > self.most else 0

    def scan(self, seconds: float = 1.0) -> set[str]:
        """The names of the tags that had a value."""
        outcomes: list[tuple[Block, int]] = []
        due = self.learning.due([block for block in self.blocks() if block.lost], self.now)
        for block in self.blocks():
            if block.lost and block is not due:
                continue
            outcomes.append((block, self.code(block)))
        self.asked.append(len(outcomes))
        if self.learning.after(outcomes, self.now):
            self.planned = ()
        self.now += round(seconds * SECOND)
        return {one.name for block, code in outcomes if not code for one in block.tags}

    def scans(self, count: int) -> set[str]:
        return [self.scan() for _ in range(count)][-1]


def words(*addresses: int) -> list[Tag]:
    return [tag(f"t{at}", at) for at in addresses]


def names(*addresses: int) -> set[str]:
    return {f"t{at}" for at in addresses}


def test_a_value_that_does_not_exist_is_found_and_all_others_are_read() -> None:
    world = World(words(*range(50)), holes={30})
    assert world.scans(20) == names(*range(50)) - names(30)
    assert world.learning.terrain.holes == {Hole("holding", 30, 30)}
    assert max(world.asked) <= 3
    assert world.asked[-1] == 2


def test_a_hole_between_values_is_found_and_not_bridged_any_more() -> None:
    world = World(words(*range(10), *range(14, 30)), holes={11})
    assert world.scans(20) == names(*range(10), *range(14, 30))
    assert world.learning.terrain.holes == {Hole("holding", 10, 13)}


def test_the_longest_request_is_found() -> None:
    world = World(words(*range(120)), most=64)
    assert world.scans(30) == names(*range(120))
    assert world.learning.terrain.limits == (("holding", 64),)
    assert len(world.blocks()) == 2


@pytest.mark.parametrize(("first", "last"), [(0, 39), (30, 89), (61, 99)])
def test_what_lies_around_a_long_hole_is_read_long_before_each_value_in_it_was_tried(first: int, last: int) -> None:
    hole = range(first, last + 1)
    world = World(words(*range(100)), holes=set(hole))
    assert world.scans(30) == names(*range(100)) - names(*hole)
    assert max(world.asked) <= 4


def test_sections_that_are_not_read_together_are_found() -> None:
    world = World(words(*range(40)), seams={17})
    assert world.scans(20) == names(*range(40))
    assert world.learning.terrain.seams == {Seam("holding", 17)}


def test_one_refusal_is_no_hole() -> None:
    world = World(words(*range(50)))
    for _ in range(5):
        world.deaf = True
        assert world.scan() == set()
        world.deaf = False
        assert len(world.scan()) == 50
    assert (world.learning.terrain, world.learning.search) == (Terrain(), None)


@pytest.mark.parametrize("refusals", range(2, 12))
def test_refusals_that_pass_leave_nothing_behind(refusals: int) -> None:
    """A PLC that is being loaded refuses for a while; afterwards the plan is what it was."""
    world = World(words(*range(50)), deaf=True)
    world.scans(refusals)
    world.deaf = False
    assert len(world.scans(20)) == 50
    assert world.learning.terrain == Terrain()
    assert len(world.blocks()) == 1


def test_nothing_is_learnt_of_a_device_that_refuses_everything_and_it_is_left_alone_for_a_while() -> None:
    world = World(words(*range(50)), deaf=True)
    world.scans(100)
    assert (world.learning.terrain, world.learning.search) == (Terrain(), None)
    assert max(world.asked) <= 3
    assert sum(world.asked[30:]) == 70
    world.scan(REST)
    world.scans(3)
    assert world.learning.search is not None


def test_a_refused_value_is_asked_for_less_and_less_often_and_heals() -> None:
    world = World(words(0, 1, 2), holes={1})
    world.scans(20)
    assert world.learning.terrain.holes
    asked_at = [at for at in range(4 * 3600) if [world.scan()] and world.asked[-1] == 3]
    waits = [after - before for before, after in pairwise(asked_at)]
    assert waits[0] >= AGAIN[0]
    assert waits == sorted(waits)
    assert waits[-1] <= AGAIN[1] + 1
    assert len(asked_at) < 10
    world.holes.clear()
    world.scans(3602)
    assert world.scan() == names(0, 1, 2)
    assert world.learning.terrain == Terrain()
    assert len(world.blocks()) == 1


def test_each_refused_value_has_its_turn_however_rare_the_scans_are() -> None:
    world = World(words(*range(10)), holes={2, 4, 6})
    world.scans(60)
    world.holes = {2, 4}
    for _ in range(4):
        world.scan(AGAIN[1])  # it is time for all of them each time
    assert "t6" in world.scan()


def test_a_value_that_comes_back_while_its_neighbours_are_refused_leaves_no_search_that_never_ends() -> None:
    """With it the requests are others than those that the search was about."""
    tags = [tag("all", 10, type="bytes", length=6), *words(0, 15, 16, 17, 18)]
    world = World(tags, holes={11}, learning=Learning(tags=tags))
    assert world.scans(30) == names(0, 15, 16, 17, 18)
    world.holes = {17}
    world.scan(AGAIN[1])
    world.scan()
    assert world.scans(40) == {"all"} | names(0, 15, 16, 18)
    assert world.learning.search is None


def test_what_another_group_reads_between_two_values_is_no_hole() -> None:
    """Neither is it asked for value by value, nor do the two groups take turns in unlearning what the other found."""
    fast, slow = words(0, 1, 4, 5), words(2, 3)
    one = World(fast, seams={4}, learning=Learning(tags=[*fast, *slow]))
    assert one.scans(20) == names(0, 1, 4, 5)
    assert one.learning.terrain == Terrain(seams=frozenset({Seam("holding", 4)}))
    other = World(slow, seams={4}, learning=one.learning)
    assert other.scans(3) == names(2, 3)
    assert one.learning.terrain.seams


def test_only_what_nobody_reads_between_two_values_is_a_hole() -> None:
    fast = words(0, 1, 7, 8)
    world = World(fast, holes={2, 6}, learning=Learning(tags=[*fast, *words(4)]))
    assert world.scans(20) == names(0, 1, 7, 8)
    assert world.learning.terrain.holes == {Hole("holding", 2, 3), Hole("holding", 5, 6)}


def test_what_was_learnt_is_told_once_and_recalled_after_a_restart() -> None:
    world = World(words(*range(50)), holes={30})
    world.scans(20)
    kept = world.learning.learnt()
    assert kept is not None
    assert world.learning.learnt() is None
    after = World(world.tags, holes={30})
    after.learning.recall(kept)
    assert after.learning.learnt() is None
    assert after.scan() == names(*range(50)) - names(30)
    assert after.asked == [3]  # what was refused is tried once after a restart


def test_values_within_a_refused_one_are_tried_by_themselves() -> None:
    whole = tag("all", 10, type="bytes", length=6)
    world = World([whole, *words(0, 12, 30)], holes={14})
    assert world.scans(30) == names(0, 12, 30)


def test_a_table_that_is_refused_as_a_whole_teaches_nothing() -> None:
    coils = [tag(f"c{at}", at, register="coil") for at in range(40)]
    world = World([*coils, *words(*range(10))], holes=set(range(100)), table=1)
    assert world.scans(100) == names(*range(10))
    assert (world.learning.terrain, len(world.blocks())) == (Terrain(), 2)


def test_when_one_value_is_back_the_others_are_tried_at_once() -> None:
    world = World(words(*range(10)), holes={2, 4, 6})
    world.scans(60)
    assert len(world.learning.terrain.holes) == 3
    world.holes.clear()
    world.scan(AGAIN[1])
    assert len(world.scans(6)) == 10


def test_holes_of_one_table_are_none_of_another() -> None:
    coils = [tag(f"c{at}", at, register="coil") for at in range(40)]
    world = World([*coils, *words(*range(10))])
    world.code = lambda block: (
        2 if block.table.function == 1 and 7 in range(block.address, block.address + block.count) else 0
    )  # type: ignore[method-assign]
    assert len(world.scans(20)) == 49
    assert world.learning.terrain.holes == {Hole("coil", 7, 7)}


@settings(deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4)), min_size=1, max_size=30),
    holes=st.sets(st.integers(0, 200), max_size=4),
    seams=st.sets(st.integers(1, 200), max_size=2),
    most=st.integers(8, 125),
)
def test_in_the_end_everything_that_can_be_read_is_read(
    lengths: list[tuple[int, int]], holes: set[int], seams: set[int], most: int
) -> None:
    """Whatever the device is like, as long as it answers something: and never more than a few requests are added."""
    at, tags = 0, []
    for gap, words_ in lengths:
        tags.append(tag(f"t{at + gap}", at + gap, type="bytes", length=words_))
        at += gap + words_
    tags.append(tag("alive", 900))
    world = World(tags, holes, seams, most)
    readable = {one.name for one in tags if not world.code(alone(one))}
    good = 0  # scans in a row
    for _ in range(600):
        good = good + 1 if world.scan() == readable and world.learning.search is None else 0
        if good == 10:
            break
    assert good == 10
    assert max(world.asked) <= len(world.blocks()) + 3


def alone(one: Tag) -> Block:
    (block,) = plan([one], order="ABCD", max_registers=125)
    return block


def test_a_refusal_that_says_nothing_is_no_answer() -> None:
    """Exception 0 is none of the standard's; to count it as an answer would say that the table is there."""
    assert [_code(SaysNo("no", code=number)) for number in (2, 3, 0)] == [2, 3, UNNAMED]
