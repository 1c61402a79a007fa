"""What a file asks of the windows of a tag, and which tags are made of it."""

from dataclasses import dataclass

from agent.model.tag import FLOATS, DType, Tag
from agent.model.text import duration_text

NUMBERS = frozenset({"min", "max", "mean", "time_mean", "sum"})  # what there is not of text
SIGNED = frozenset({"int8", "int16", "int32", "int64"})


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked of a tag: `every`, `late` and `hold` in ns. Without `hold` a value holds three times the interval
    of its group, and for ever where it has none, because a subscription speaks up when something changes."""

    every: int
    of: tuple[str, ...]
    late: int = 2 * 10**9
    hold: int | None = None

    @property
    def text(self) -> str:
        return duration_text(self.every / 10**9)

    @property
    def group(self) -> str:
        return f"window-{self.text}"

    def named(self, tag: str) -> list[str]:
        """The names of all that is made of a tag."""
        return [f"{tag}_{what}_{self.text}" for what in self.of]

    def tags(self, tag: Tag) -> dict[str, Tag]:
        """What is made of a tag, by aggregate."""
        asked = zip(self.of, self.named(tag.name), strict=True)
        return {what: _made(tag, what, name) for what, name in asked if not (tag.dtype == "str" and what in NUMBERS)}


def _made(tag: Tag, what: str, name: str) -> Tag:
    if what in {"first", "last"}:
        return Tag(name, tag.dtype, tag.unit, tag.kind)
    if what in {"count", "late"}:
        return Tag(name, "uint32", "1")
    if what in {"min", "max"}:
        return Tag(name, "uint8" if tag.dtype == "bool" else tag.dtype, tag.unit)
    if what == "sum" and tag.dtype not in FLOATS:
        return Tag(name, whole(tag), tag.unit)
    return Tag(name, "float64", "1" if what == "good" else tag.unit)


def whole(tag: Tag) -> DType:
    """The type of sums of a tag of whole numbers."""
    return "int64" if tag.dtype in SIGNED else "uint64"
