"""Finds what a sink refuses in a batch, with as few sends as possible."""

from collections.abc import Awaitable, Callable, Sequence

from agent.model.errors import Rejected
from agent.model.frame import Entry

Offer = Callable[[Sequence[Entry]], Awaitable[Rejected | None]]
Refused = tuple[Entry, Rejected]


async def sift(entries: Sequence[Entry], offer: Offer) -> list[Refused]:
    """Offer all of these; those that are refused alone come back with the reason.

    `offer` sends a batch and returns None when it was taken, or why it was not. The first frame that is refused is
    searched for by halves, what stands behind it goes on as one batch: one among 1,000 costs 12 sends instead of one.
    """
    taken: set[int] = set()

    async def attempt(batch: Sequence[Entry]) -> Rejected | None:
        rest = [entry for entry in batch if entry.seq not in taken]
        error = await offer(rest) if rest else None
        taken.update(entry.seq for entry in rest if error is None or _confirmed(entry, error))
        return error

    refused: list[Refused] = []
    left = list(entries)
    while left and (error := await attempt(left)):
        left = [entry for entry in left if entry.seq not in taken]
        at, error = await _first(left, error, attempt)
        refused += [(left[at], error)] if left else []
        left = left[at + 1 :]
    return refused


async def _first(entries: Sequence[Entry], error: Rejected, attempt: Offer) -> tuple[int, Rejected]:
    """Where the first frame stands that is refused; the frames before it have been taken then."""
    low, high = 0, len(entries)
    while high - low > 1:
        middle = (low + high) // 2
        if found := await attempt(entries[low:middle]):
            high, error = middle, found
        else:
            low = middle
    return low, error


def _confirmed(entry: Entry, error: Rejected) -> bool:
    return any(first <= entry.seq <= last for first, last in error.done)
