"""Cuts a frame whose message is too large into parts that each hold some of its columns; no I/O happens here."""

from collections.abc import Callable

from agent.model.frame import Entry
from agent.northbound.shapes.single import columns


def cut(
    entry: Entry, encode: Callable[[Entry, tuple[int, int]], bytes], fits: Callable[[bytes, bool], bool]
) -> list[bytes]:
    """The payloads of the parts in the order of the columns; none when a single column does not fit.

    `encode(entry, (number, count))` marks a part, `fits(payload, alone)` judges it; `alone` says that there is nothing
    left to cut in it. Halves that do not fit are halved again, so a large value does not make the parts of the others
    small.
    """
    width = len(entry.frame.values)
    waiting, pieces = [entry.frame], []
    while waiting:
        frame = waiting.pop()
        count = len(frame.values)
        if fits(encode(entry._replace(frame=frame), (width, width)), count < 2):
            pieces.append(entry._replace(frame=frame))
        elif count > 1:
            waiting += [columns(frame, count // 2, count), columns(frame, 0, count // 2)]
        else:
            return []
    return [encode(piece, (number, len(pieces))) for number, piece in enumerate(pieces, 1)]
