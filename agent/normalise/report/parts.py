"""Some columns of a frame as a frame of its own."""

from collections.abc import Sequence

from agent.model.frame import Frame

Sample = tuple[Frame, int]  # one column of a frame: `place` counts the columns that the frame has


def part_of(frame: Frame, places: Sequence[int]) -> Frame:
    """The frame with these of its columns alone; itself when that is all of them."""
    if len(places) == len(frame.values):
        return frame
    values, quality, columns, stamps = frame.values, frame.quality, frame.columns, frame.stamps
    return Frame(
        frame.schema,
        frame.ts,
        tuple([values[place] for place in places]),
        bytes([quality[place] for place in places]),
        frame.mono,
        tuple(places) if columns is None else tuple([columns[place] for place in places]),
        None if stamps is None else tuple([stamps[place] for place in places]),
    )


def column_of(sample: Sample) -> int:
    frame, place = sample
    return place if frame.columns is None else frame.columns[place]


def stamp_of(frame: Frame, place: int) -> int:
    return frame.ts if frame.stamps is None else frame.stamps[place]


def late(samples: Sequence[Sample], ts: int, mono: int) -> Frame:
    """The samples as one frame of that time, each stamped with the time that it had."""
    first = samples[0][0]
    return Frame(
        first.schema,
        ts,
        tuple([frame.values[place] for frame, place in samples]),
        bytes([frame.quality[place] for frame, place in samples]),
        mono,
        tuple([column_of(sample) for sample in samples]),
        tuple([stamp_of(frame, place) for frame, place in samples]),
    )
