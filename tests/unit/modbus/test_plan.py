"""Few requests, each within the limits, and each value in one of them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.config import Tag
from drivers.modbus.plan import Block, plan
from tests.unit.modbus.builders import tag
from tests.unit.modbus.oracle import tag_lists


def planned(tags: Sequence[Tag], *, most: int = 125, gap: int = 0) -> tuple[Block, ...]:
    return plan(tags, order="ABCD", max_registers=most, max_gap=gap)


def ranges(*blocks: Block) -> list[tuple[int, int, int]]:
    """(function, address, count)"""
    return [(block.table.function, block.address, block.count) for block in blocks]


def floats(*addresses: int) -> list[Tag]:
    return [tag(f"t{address}", address, type="float32") for address in addresses]


@pytest.mark.parametrize(
    ("addresses", "most", "gap", "expected"),
    [
        ((0,), 125, 0, [(3, 0, 2)]),
        ((0, 2, 4), 125, 0, [(3, 0, 6)]),
        ((4, 0, 2), 125, 0, [(3, 0, 6)]),
        ((0, 3), 125, 0, [(3, 0, 2), (3, 3, 2)]),
        ((0, 3), 125, 1, [(3, 0, 5)]),
        ((0, 18), 125, 16, [(3, 0, 20)]),
        ((0, 19), 125, 16, [(3, 0, 2), (3, 19, 2)]),
        ((0, 2, 4, 6), 5, 0, [(3, 0, 4), (3, 4, 4)]),
        ((0, 0, 1), 125, 0, [(3, 0, 3)]),
        ((65534,), 125, 0, [(3, 65534, 2)]),
        (tuple(range(0, 200, 2)), 125, 0, [(3, 0, 124), (3, 124, 76)]),
    ],
)
def test_neighbours_share_a_request(
    addresses: tuple[int, ...], most: int, gap: int, expected: list[tuple[int, int, int]]
) -> None:
    assert ranges(*planned(floats(*addresses), most=most, gap=gap)) == expected


def test_tables_are_asked_one_by_one() -> None:
    tables = ["holding", "input", "discrete", "coil"]
    blocks = planned([tag(register, 7, register=register) for register in tables])
    assert ranges(*blocks) == [(1, 7, 1), (2, 7, 1), (4, 7, 1), (3, 7, 1)]


@pytest.mark.parametrize(("most", "counts"), [(125, [2000, 100]), (10, [160] * 13 + [20])])
def test_sixteen_coils_count_as_one_register(most: int, counts: list[int]) -> None:
    coils = [tag(f"c{at}", at, register="coil") for at in range(2100)]
    assert [block.count for block in planned(coils, most=most)] == counts


def test_holes_between_coils_are_bridged_too() -> None:
    coils = [tag("a", 0, register="coil"), tag("b", 257, register="coil")]
    assert ranges(*planned(coils, gap=16)) == [(1, 0, 258)]
    assert len(planned(coils, gap=15)) == 2


def test_a_block_knows_whether_it_reads_what_nobody_asked_for() -> None:
    assert [block.bridges for block in planned(floats(0, 2))] == [False]
    assert [block.bridges for block in planned(floats(0, 4), gap=4)] == [True]
    assert [block.bridges for block in planned(floats(0, 1))] == [False]


@pytest.mark.parametrize(
    ("keys", "label"),
    [
        ({"address": 0}, "holding registers 0 (40001)"),
        ({"address": 99, "type": "float32"}, "holding registers 99-100 (40100-40101)"),
        ({"address": 0, "register": "input"}, "input registers 0 (30001)"),
        ({"address": 16, "register": "coil"}, "coils 16 (00017)"),
        ({"address": 16, "register": "discrete"}, "discrete inputs 16 (10017)"),
        ({"address": 9997, "type": "float32"}, "holding registers 9997-9998 (49998-49999)"),
        ({"address": 30000}, "holding registers 30000 (430001)"),
        ({"address": 9998, "type": "float32"}, "holding registers 9998-9999 (409999-410000)"),
    ],
)
def test_a_block_is_named_as_in_the_protocol_and_as_in_manuals(keys: dict[str, Any], label: str) -> None:
    (block,) = planned([tag(**keys)])
    assert str(block) == label


@given(tags=tag_lists(), most=st.integers(8, 125), gap=st.integers(0, 124))
def test_every_plan_keeps_the_limits_and_loses_no_tag(tags: list[Tag], most: int, gap: int) -> None:
    blocks = planned(tags, most=most, gap=gap)
    assert sorted(tag.name for block in blocks for tag in block.tags) == sorted(tag.name for tag in tags)
    for block in blocks:
        factor = 16 if block.table.function < 3 else 1
        assert 1 <= block.count <= most * factor
        assert block.size <= 250
        assert 0 <= block.address <= block.address + block.count <= 65536
        last = block.address
        for one in block.tags:
            end = one.address + one.words
            assert block.address <= one.address < end <= block.address + block.count
            assert one.address - last <= gap * factor
            last = max(last, end)
