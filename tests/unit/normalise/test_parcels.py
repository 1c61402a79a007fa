"""A state comes back whole or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from agent.normalise.parcels import PIECE, join, parcels


@given(st.sampled_from([0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]))
def test_it_comes_back_whatever_its_size(size: int) -> None:
    state = bytes(index % 251 for index in range(size))
    found = parcels("a/b", state)
    assert max(map(len, found.values())) <= PIECE + 8
    assert join(found) == {"a/b": state}


def test_pieces_of_two_times_are_none() -> None:
    old, new = parcels("k", b"a" * (PIECE + 1)), parcels("k", b"b" * (PIECE + 1))
    assert join({**new, "k/1": old["k/1"]}) == {}
    assert join({"k/0": new["k/0"]}) == {}


def test_a_shorter_state_leaves_a_piece_behind_and_is_whole() -> None:
    assert join(parcels("k", b"a" * (PIECE + 1)) | parcels("k", b"b")) == {"k": b"b"}


@given(st.dictionaries(st.sampled_from(["k/0", "k/1", "k", "/0", "k/x"]), st.binary(max_size=20)))
def test_junk_is_nothing(values: dict[str, bytes]) -> None:
    assert set(join(values)) <= {"k", ""}
