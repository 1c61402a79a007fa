"""What a sink refuses is found among the rest, and costs few sends."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.errors import Rejected
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.runtime.bisect import sift

FRAME = Frame(Schema("meter", "1s", (Tag("a"),)), 0, (1.0,), bytes(1))


class Platform:
    """Refuses a batch with a bad frame in it; `partial`: and takes the good ones before the first bad one."""

    def __init__(self, bad: set[int], *, partial: bool = False) -> None:
        self.bad, self.partial, self.taken, self.calls = bad, partial, list[int](), 0

    async def offer(self, batch: Sequence[Entry]) -> Rejected | None:
        self.calls += 1
        seqs = [entry.seq for entry in batch]
        found = [seq for seq in seqs if seq in self.bad]
        if not found:
            self.taken += seqs
            return None
        done = [seq for seq in seqs if seq < found[0]] if self.partial else []
        self.taken += done
        return Rejected(f"{found[0]} is strange", done=tuple((seq, seq) for seq in done))


def batch(count: int) -> list[Entry]:
    return [Entry("e", seq, False, FRAME) for seq in range(1, count + 1)]


@given(count=st.integers(1, 60), bad=st.sets(st.integers(1, 60), max_size=8), partial=st.booleans())
async def test_exactly_the_bad_ones_are_found_and_each_other_frame_is_taken_once(
    count: int, bad: set[int], partial: bool
) -> None:
    platform = Platform(bad, partial=partial)
    refused = await sift(batch(count), platform.offer)
    assert [entry.seq for entry, _ in refused] == sorted(seq for seq in bad if seq <= count)
    assert sorted(platform.taken) == [seq for seq in range(1, count + 1) if seq not in bad]
    assert all(str(entry.seq) in str(error) for entry, error in refused)


@pytest.mark.parametrize("bad", [1, 2, 333, 500, 512, 999, 1000])
async def test_one_among_a_thousand_costs_at_most_eleven_sends_more(bad: int) -> None:
    platform = Platform({bad})
    refused = await sift(batch(1000), platform.offer)
    assert [entry.seq for entry, _ in refused] == [bad]
    assert platform.calls <= 1 + 11
    assert len(platform.taken) == 999
