"""What is known of a device's registers: small, kept as text, and read back with mistrust."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.terrain import MOST, Hole, Seam, Terrain, dump, load

registers = st.sampled_from(["coil", "discrete", "input", "holding"])
addresses = st.integers(0, 65_535)
holes = st.builds(lambda r, a, n: Hole(r, a, min(a + n, 65_535)), registers, addresses, st.integers(0, 50))
terrains = st.builds(
    Terrain,
    st.frozensets(holes, max_size=20),
    st.frozensets(st.builds(Seam, registers, addresses), max_size=20),
    st.dictionaries(registers, st.integers(1, 2000)).map(lambda found: tuple(sorted(found.items()))),
)


@given(terrains)
def test_what_is_kept_comes_back(terrain: Terrain) -> None:
    assert load(dump(terrain)) == terrain


@given(st.binary())
def test_what_cannot_be_read_is_nothing(kept: bytes) -> None:
    assert isinstance(load(kept), Terrain)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["holes", "seams", "limits"]), inner),
)


@given(json_like)
def test_strange_rows_are_left_out(found: object) -> None:
    kept = {
        "version": 1,
        "holes": found,
        "seams": [found, ["holding", 3]],
        "limits": [["input", 0], ["input", True], found],
    }
    terrain = load(json.dumps(kept).encode())
    assert Seam("holding", 3) in terrain.seams
    assert all(limit > 0 for _, limit in terrain.limits)


@pytest.mark.parametrize(
    "kept",
    [b"", b"[]", b'{"version":2,"holes":[["holding",1,1]]}', b'{"version":1,"holes":[["x",1,1],["holding",2,1]]}'],
)
def test_another_version_and_impossible_holes_are_ignored(kept: bytes) -> None:
    assert load(kept) == Terrain()


def test_it_does_not_grow_without_bound() -> None:
    terrain = Terrain()
    for address in range(0, 4 * MOST, 2):
        terrain = terrain.with_hole("holding", address, address).with_seam("input", address)
    assert (len(terrain.holes), len(terrain.seams)) == (MOST, MOST)
    assert len(dump(terrain)) < 20_000


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        (10, 19, []),
        (0, 99, []),
        (10, 12, [(13, 19)]),
        (18, 19, [(10, 17)]),
        (12, 13, [(10, 11), (14, 19)]),
        (20, 29, [(10, 19)]),
    ],
)
def test_what_was_read_after_all_is_no_hole(first: int, last: int, left: list[tuple[int, int]]) -> None:
    terrain = Terrain().with_hole("holding", 10, 19).without("holding", first, last)
    assert sorted(terrain.holes) == [Hole("holding", *each) for each in left]
    assert Terrain().with_hole("input", 10, 19).without("holding", first, last).holes
