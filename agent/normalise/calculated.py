"""What a site asks to be worked out from its tags."""

from dataclasses import dataclass

from agent.model.tag import Tag

Source = tuple[str, str]  # device, tag


@dataclass(frozen=True, slots=True)
class Derived:
    """A tag by a formula. `inputs` has the source of each name in it; `max_age` is seconds after which one is stale,
    where it is not what its scan group says."""

    tag: Tag
    formula: str
    inputs: tuple[tuple[str, Source], ...]
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class Calculated:
    """The derived tags of a device. `every` is seconds, 0 to evaluate with each frame that has an input."""

    device: str
    tags: tuple[Derived, ...]
    every: float = 0.0
