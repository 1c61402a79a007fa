"""Some columns of a schema, picked out of its frames."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from agent.model.frame import Frame, Value

Pick = Callable[[Sequence[Value]], Sequence[Value]]


class Columns:
    """`pick` gives their values from those of a whole frame, `index` the number among them of a schema's column."""

    def __init__(self, columns: Sequence[int], width: int) -> None:
        self.columns = tuple(columns)
        self.index = {column: number for number, column in enumerate(self.columns)}
        self.pick = _picker(self.columns, width)

    def __len__(self) -> int:
        return len(self.columns)

    def places(self, frame: Frame) -> list[tuple[int, int]]:
        """(place in the frame, number among these) for those of them that the frame has."""
        if frame.columns is None:
            return [(column, number) for number, column in enumerate(self.columns)]
        index = self.index
        return [(place, index[column]) for place, column in enumerate(frame.columns) if column in index]


def _picker(columns: tuple[int, ...], width: int) -> Pick:
    if columns == tuple(range(width)):
        return lambda values: values
    if len(columns) == 1:
        (column,) = columns
        return lambda values: (values[column],)
    picked: Any = itemgetter(*columns)
    return picked  # type: ignore[no-any-return]  # of several columns it gives a tuple
