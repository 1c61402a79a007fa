"""Cuts a frame whose message is too large into parts that each hold some of its columns; no I/O happens here."""

from collections.abc import Callable, Sequence

from agent.model.frame import Entry, Frame
from agent.northbound.shapes.single import columns


def cut(
    entry: Entry,
    encode: Callable[[Entry, tuple[int, int]], bytes],
    fits: Callable[[bytes, bool], bool],
    beginning: Sequence[Frame] = (),
) -> list[bytes]:
    """The payloads of the parts in the order of the columns; none when a single column does not fit.

    `encode(entry, (number, count))` marks a part, `fits(payload, alone)` judges it; `alone` says that there is nothing
    left to cut in it. Halves that do not fit are halved again, so a large value does not make the parts of the others
    small. What is compressed may grow by some bytes with other numbers on it: then it is halved once more. `beginning`
    are the frames into which it is cut already.
    """
    width = len(entry.frame.values)
    waiting, pieces = [*reversed(beginning or [entry.frame])], []
    while waiting:
        frame = waiting.pop()
        count = len(frame.values)
        if fits(encode(entry._replace(frame=frame), (width, width)), count < 2):
            pieces.append(frame)
        elif count > 1:
            waiting += reversed(_halves(frame))
        else:
            return []
    while True:
        payloads = [encode(entry._replace(frame=frame), (n, len(pieces))) for n, frame in enumerate(pieces, 1)]
        fine = [fits(payload, len(frame.values) < 2) for payload, frame in zip(payloads, pieces, strict=True)]
        if all(fine):
            return payloads
        if any(len(frame.values) < 2 for frame, fit in zip(pieces, fine, strict=True) if not fit):
            return []
        halved = [[frame] if fit else _halves(frame) for frame, fit in zip(pieces, fine, strict=True)]
        pieces = [frame for frames in halved for frame in frames]


def _halves(frame: Frame) -> list[Frame]:
    count = len(frame.values)
    return [columns(frame, 0, count // 2), columns(frame, count // 2, count)]
