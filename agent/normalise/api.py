"""What the parts of a step are, and what they share.

A part is a module with `build(schema, rules, context)`: it makes what serves frames of one schema, or None where no tag
of it asks for anything. `rules` has one entry per tag of the schema, in their order. Frames may be sparse
(`frame.columns`), and a column that is bad has None as its value: every part copes with both.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from agent.model.frame import Frame, Value
from agent.model.tag import Schema, Tag
from agent.normalise.rules import Recipes, Rules

T = TypeVar("T")
LeftOut = tuple[str, str, bool]  # device, reason, whether it was made here
Latest = Callable[[Schema], Frame | None]


class Stage(Protocol):
    """Shapes values and qualities: gives a frame of `schema` with the columns of the frame that it took."""

    @property
    def schema(self) -> Schema: ...
    def __call__(self, frame: Frame) -> Frame: ...


class Tap(Protocol):
    """Sees every shaped frame, and makes frames of other schemas (`made`), which pass steps of their own, each before
    the next is asked for."""

    def __call__(self, frame: Frame) -> Iterable[Frame]: ...


class Report(Protocol):
    """Leaves out what is not worth a message: gives the frame, a sparse one of it, or nothing; before it, what was held
    until now. Where it is Timed or Ending, its frames pass no step again."""

    def __call__(self, frame: Frame) -> tuple[Frame, ...]: ...


@runtime_checkable
class Timed(Protocol):
    """A part that is also asked about once a second: `wall` and `mono` are ns, frames may be of any schema."""

    def tick(self, wall: int, mono: int) -> Sequence[Frame]: ...


@runtime_checkable
class Ending(Protocol):
    """A part that holds something back: `finish` gives it up when the agent stops in order, and no frame comes after
    that. `wall` and `mono` are ns, frames may be of any schema."""

    def finish(self, wall: int, mono: int) -> Sequence[Frame]: ...


@runtime_checkable
class Kept(Protocol):
    """A part with a state that survives a restart, a growing schema and a crash.

    `must` says that the frames it has just made go with the state that it has now: both are committed together. `may`
    says that something has changed that it can find out again from an older state: kept about once a minute. Whoever
    keeps it clears both. `load` gets what `dump` gave, of another set of tags perhaps, by any earlier version, or
    damaged: what it cannot use it leaves.
    """

    must: bool
    may: bool

    def dump(self) -> bytes: ...
    def load(self, kept: bytes) -> None: ...


@runtime_checkable
class Moving(Protocol):
    """A part whose tags take with them what is known of them, when they are moved to another scan group.

    It gets what is kept of its own group first, and that of all other groups of the device: of each tag the newest
    counts.
    """

    def load_newest(self, states: Sequence[bytes]) -> None: ...


class Sheet:
    """The tags that are made for one device in one group; it grows while steps are compiled."""

    def __init__(self, device: str, group: str, before: Schema | None = None) -> None:
        self._device, self._group, self._before = device, group, before
        self._tags: dict[str, tuple[int, Tag]] = {}
        self._schema: Schema | None = None
        self._whole: tuple[int, ...] = ()

    def add(self, tag: Tag) -> int:
        """The column of the tag; one that is there already keeps its column."""
        known = self._tags.get(tag.name)
        if known is not None and known[1] == tag:
            return known[0]
        column = len(self._tags) if known is None else known[0]
        self._tags[tag.name] = column, tag
        self._schema = None
        return column

    @property
    def schema(self) -> Schema:
        """All of its tags; another one after a tag was added, that of `before` where it has the same ones."""
        if self._schema is None:
            tags, before = tuple(tag for _, tag in self._tags.values()), self._before
            if before is None or before.tags != tags:
                before = Schema(self._device, self._group, tags, made=True)
            self._schema = before
            self._whole = tuple(range(len(self._tags)))
        return self._schema

    def frame(
        self,
        ts: int,
        mono: int,
        columns: tuple[int, ...],
        values: Sequence[Value],
        quality: bytes,
        stamps: tuple[int, ...] | None = None,
    ) -> Frame:
        """These columns at that time; a whole frame when it is all of them in order."""
        schema = self.schema
        return Frame(schema, ts, values, quality, mono, None if columns == self._whole else columns, stamps)


def _nothing(_schema: Schema) -> Frame | None:
    return None


@dataclass(slots=True)
class Context:
    """What all steps of a site share. `suppressed` counts samples until somebody takes it: see `suppress`.

    `latest` gives the newest frame that left as a schema, all columns of it: for who comes to it later than others.
    """

    recipes: Recipes
    suppressed: Counter[LeftOut] = field(default_factory=Counter)
    sheets: dict[tuple[str, str], Sheet] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    latest: Latest = _nothing
    _before: dict[tuple[str, str], Schema] = field(default_factory=dict)  # of sheets that are no more

    def sheet(self, device: str, group: str) -> Sheet:
        found = self.sheets.get((device, group))
        if found is None:
            found = self.sheets[device, group] = Sheet(device, group, self._before.pop((device, group), None))
        return found

    def drop(self, devices: Collection[str]) -> None:
        """The sheets of these devices are made anew, and what their schemas were is used again where it fits."""
        self._before.clear()
        for key in [key for key in self.sheets if key[0] in devices]:
            self._before[key] = self.sheets.pop(key).schema

    def suppress(self, schema: Schema, reason: str, samples: int) -> None:
        """So many samples of a frame of this schema are left out."""
        self.suppressed[schema.device, reason, schema.made] += samples

    def one(self, key: str, make: Callable[["Context"], T]) -> T:
        """The one object by this key that all steps use; it may be Timed and Kept as a part may."""
        if key not in self.shared:
            self.shared[key] = make(self)
        return cast(T, self.shared[key])


Build = Callable[[Schema, Sequence[Rules], Context], T | None]
