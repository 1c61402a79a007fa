"""Cuts a frame whose message is too large into parts that each hold some of its columns; no I/O happens here."""

from collections.abc import Callable
from dataclasses import replace

from agent.model.frame import Entry, Frame
from agent.northbound.encode import as_part


def cut(entry: Entry, encode: Callable[[Entry], bytes], fits: Callable[[bytes, bool], bool]) -> list[bytes]:
    """The envelopes of the parts in the order of the columns; none when a single column does not fit.

    `fits(envelope, alone)` judges an envelope; `alone` says that there is nothing left to cut in it. Halves that do not
    fit are halved again, so a large value does not make the parts of the others small.
    """
    columns = len(entry.frame.values)
    waiting, pieces = [entry.frame], []
    while waiting:
        frame = waiting.pop()
        envelope, count = encode(entry._replace(frame=frame)), len(frame.values)
        if fits(as_part(envelope, columns, columns), count < 2):
            pieces.append(envelope)
        elif count > 1:
            waiting += [_columns(frame, count // 2, count), _columns(frame, 0, count // 2)]
        else:
            return []
    return [as_part(piece, number, len(pieces)) for number, piece in enumerate(pieces, 1)]


def _columns(frame: Frame, first: int, end: int) -> Frame:
    columns = range(len(frame.values)) if frame.columns is None else frame.columns
    return replace(
        frame,
        values=frame.values[first:end],
        quality=frame.quality[first:end],
        columns=tuple(columns[first:end]),
        stamps=None if frame.stamps is None else frame.stamps[first:end],
    )
