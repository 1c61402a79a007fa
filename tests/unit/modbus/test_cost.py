"""Where requests are cut: never in a value, never over what must not be read, and as cheaply as any plan could be."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.config import Tag
from drivers.modbus.cost import NETWORK, Cost, cost
from drivers.modbus.plan import Block, plan, spans
from drivers.modbus.terrain import Known, Terrain
from drivers.transport import parse_endpoint
from tests.unit.modbus.builders import tag

SCHEMES = {"tcp": 502, "rtu": 0, "ascii": 0, "rtu+tcp": 502}
CHEAP = Cost(request=8, register=1)


def on(endpoint: str, **keys: float) -> Cost:
    return cost(parse_endpoint(endpoint, SCHEMES), **keys)


def bridged(price: Cost) -> int:
    """The longest hole that is read along."""
    return price.request // price.register


@pytest.mark.parametrize(
    ("endpoint", "least", "most"),
    [
        ("rtu:///dev/ttyS0?baud=9600&parity=E", 10, 16),
        ("rtu:///dev/ttyS0?baud=1200&parity=E", 9, 11),
        ("rtu:///dev/ttyS0?baud=115200", 50, 100),
        ("ascii:///dev/ttyS0?baud=9600", 8, 12),
        ("rtu+tcp://gateway", 10, 16),
        ("tcp://plc", 30, 60),
    ],
)
def test_a_hole_is_worth_a_request_when_the_wire_is_slow(endpoint: str, least: int, most: int) -> None:
    assert least <= bridged(on(endpoint)) <= most


def test_a_pause_before_each_request_makes_requests_dearer() -> None:
    assert bridged(on("rtu:///dev/ttyS0", pause=0.1)) > bridged(on("rtu:///dev/ttyS0")) + 40


def planned(addresses: Sequence[int], price: Cost, **keys: object) -> list[tuple[int, int]]:
    tags = [tag(f"t{at}", at) for at in addresses]
    blocks = plan(tags, order="ABCD", cost=price, **{"max_registers": 125, **keys})  # type: ignore[arg-type]
    return [(block.address, block.count) for block in blocks]


def test_holes_are_bridged_up_to_what_a_request_costs() -> None:
    assert planned([0, 9, 19], CHEAP) == [(0, 10), (19, 1)]
    assert planned([0, 9, 19], Cost(9, 1)) == [(0, 20)]


def test_a_number_in_the_configuration_wins_over_the_cost() -> None:
    assert planned([0, 9, 19], CHEAP, max_gap=9) == [(0, 20)]
    assert planned([0, 9, 19], CHEAP, max_gap=7) == [(0, 1), (9, 1), (19, 1)]
    assert planned([0, 1, 3], CHEAP, max_gap=0) == [(0, 2), (3, 1)]


def test_the_cut_is_made_where_the_hole_is_when_a_request_is_full() -> None:
    """Greedy would read 0-9 and then have to bridge nothing; cutting at the hole saves its registers."""
    assert planned([*range(4), *range(8, 14)], CHEAP, max_registers=10) == [(0, 4), (8, 6)]


def declared(*addresses: int) -> list[Tag]:
    return [tag(f"d{at}", at, enabled=False) for at in addresses]


def test_strict_reads_only_what_the_map_declares_disabled_tags_included() -> None:
    all_of_them = [*declared(0, 1, 2, 4), tag("x", 1, type="uint32", enabled=False)]
    assert planned([0, 3, 5], CHEAP, declared=[*all_of_them, *declared(3, 5)]) == [(0, 6)]
    assert planned([0, 3, 5], CHEAP, declared=[*all_of_them[:3], *declared(3, 5)]) == [(0, 4), (5, 1)]
    assert planned([0, 2], CHEAP, declared=declared(0, 2)) == [(0, 1), (2, 1)]


def test_a_known_hole_is_not_bridged_and_a_value_in_one_stands_alone() -> None:
    known = Known(Terrain().with_hole("holding", 4, 5).with_hole("input", 2, 2))
    assert planned([0, 2, 4, 6, 8], CHEAP, known=known) == [(0, 3), (4, 1), (6, 3)]
    tags = [tag("a", 0), tag("b", 4, type="uint32"), tag("c", 4, type="uint32"), tag("d", 6)]
    blocks = plan(tags, order="ABCD", max_registers=125, known=known)
    assert [(block.address, block.lost, len(block.tags)) for block in blocks] == [
        (0, False, 1),
        (4, True, 2),
        (6, False, 1),
    ]


def test_no_request_crosses_a_seam_or_is_longer_than_the_device_takes() -> None:
    known = Known(Terrain().with_seam("holding", 3).with_limit("holding", 4))
    assert planned(range(12), CHEAP, known=known) == [(0, 3), (3, 4), (7, 4), (11, 1)]


def test_a_limit_that_is_shorter_than_a_value_does_not_tear_it() -> None:
    known = Known(Terrain().with_limit("holding", 1))
    blocks = plan([tag("a", 0, type="float32"), tag("b", 2)], order="ABCD", max_registers=125, known=known)
    assert [(block.address, block.count) for block in blocks] == [(0, 2), (2, 1)]


def partitions(items: Sequence[Tag]) -> Iterator[list[list[Tag]]]:
    """Every way to put tags into requests, neighbours or not."""
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for at, group in enumerate(rest):
            yield [*rest[:at], [items[0], *group], *rest[at + 1 :]]


def extent(tags: Sequence[Tag]) -> int:
    return max(one.address + one.words for one in tags) - min(one.address for one in tags)


def price_of(requests: Sequence[int], price: Cost) -> int:
    return sum(price.request + price.register * count for count in requests)


small = st.lists(
    st.builds(
        lambda address, length: tag("t", address, type="bytes", length=length),
        st.integers(0, 40),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=6,
)


@given(tags=small, most=st.integers(6, 20), price=st.builds(Cost, st.integers(1, 15), st.integers(1, 3)))
def test_no_other_plan_is_cheaper(tags: list[Tag], most: int, price: Cost) -> None:
    blocks = plan(tags, order="ABCD", max_registers=most, cost=price)
    ways = ([extent(group) for group in way] for way in partitions(tags))
    best = min(price_of(way, price) for way in ways if max(way) <= most)
    assert price_of([block.count for block in blocks], price) == best


@given(tags=small, most=st.integers(6, 20), gap=st.integers(0, 20))
def test_a_fixed_gap_makes_the_fewest_requests_that_keep_to_it(tags: list[Tag], most: int, gap: int) -> None:
    def keeps(group: Sequence[Tag]) -> bool:
        found = spans(sorted(group, key=lambda one: one.address))
        return extent(group) <= most and all(b.start - a.stop <= gap for a, b in pairwise(found))

    blocks = plan(tags, order="ABCD", max_registers=most, max_gap=gap)
    ways = (way for way in partitions(tags) if all(map(keeps, way)))
    cheapest = min(price_of([extent(group) for group in way], Cost(gap, 1)) for way in ways)
    assert price_of([block.count for block in blocks], Cost(gap, 1)) == cheapest


def test_ten_thousand_coils_are_planned_in_one_go() -> None:
    """Each has to be looked at a few times only: this would take minutes otherwise."""
    coils = [tag(f"c{at}", at * 3, register="coil") for at in range(10_000)]
    blocks: tuple[Block, ...] = plan(coils, order="ABCD", max_registers=125, cost=NETWORK)
    assert [block.count for block in blocks[:2]] == [1999, 1999]
    assert sum(len(block.tags) for block in blocks) == 10_000
