"""What the values of a tag mean as states of a machine."""

from dataclasses import dataclass, field

from agent.model.frame import Value

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class States:
    """`names` in the order of the file; `values` has the place of its name for each that is listed, and `other` the
    one for all that are not (-1: unknown)."""

    names: tuple[str, ...]
    values: tuple[tuple[Value, int], ...]
    other: int = UNKNOWN
    _places: dict[Value, int] = field(default_factory=dict, init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        self._places.update(self.values)

    def place(self, value: Value) -> int:
        """1, 1.0 and true are the same."""
        return UNKNOWN if value is None else self._places.get(value, self.other)
