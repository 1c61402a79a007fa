"""A schema whose description is too large for the broker, as several that each describe some of its tags; pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.model.frame import Frame
from agent.model.tag import Schema

_SCHEMAS = 1024  # kept: after a reload the store hands out new instances


class Shares:
    """Remembers how schemas were divided, as long as that fits."""

    def __init__(self) -> None:
        self._known: dict[Schema, tuple[Schema, ...]] = {}

    def of(self, schema: Schema, fits: Callable[[Schema], bool]) -> tuple[Schema, ...]:
        """The schema itself if that fits, or else some that hold its tags in their order; none if one tag does not."""
        known = self._known.get(schema, (schema,))
        if all(map(fits, known)):
            return known
        if len(self._known) >= _SCHEMAS:
            del self._known[next(iter(self._known))]
        found: list[Schema] = []
        waiting = [schema]
        while waiting:
            each = waiting.pop()
            half = len(each.tags) // 2
            if fits(each):
                found.append(each)
            elif half:
                waiting += [replace(each, tags=each.tags[half:]), replace(each, tags=each.tags[:half])]
            else:
                return ()
        self._known[schema] = tuple(found)
        return tuple(found)


def divided(frame: Frame, shares: Sequence[Schema]) -> list[Frame]:
    """What the frame has of each share; a share of which it has nothing is left out."""
    frames, end = [], 0
    for share in shares:
        first, end = end, end + len(share.tags)
        if frame.columns is None:
            places: Sequence[int] = range(first, end)
            columns = None
        else:
            places = [place for place, column in enumerate(frame.columns) if first <= column < end]
            columns = tuple(frame.columns[place] - first for place in places)
        if places:
            values, quality = [frame.values[place] for place in places], bytes(frame.quality[place] for place in places)
            stamps = None if frame.stamps is None else tuple(frame.stamps[place] for place in places)
            frames.append(Frame(share, frame.ts, values, quality, frame.mono, columns, stamps))
    return frames
