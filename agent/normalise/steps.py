"""One compiled step for each schema: fit, shape, tap, report."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.normalise import carbon, convert, derived, oee, states
from agent.normalise.alarms import watch
from agent.normalise.alarms.board import Board
from agent.normalise.api import Build, Context, Ending, Kept, LeftOut, Report, Stage, Tap, Timed
from agent.normalise.counters import tap as counters
from agent.normalise.fit import fitting
from agent.normalise.leftovers import Leftovers
from agent.normalise.limits import stage as limits
from agent.normalise.parcels import count, join, keys_of, parcels
from agent.normalise.report import stage as report
from agent.normalise.rules import NOTHING, Recipes, Rules
from agent.normalise.windows import grid as windows

Step = Callable[[Frame], tuple[Frame, ...]]
Shape = Callable[[Frame], Frame]
RulesOf = Callable[[str], Mapping[str, Rules]]  # of the tags that were found on a device, by name
SHAPERS: dict[str, Build[Stage]] = {  # in this order
    "convert": convert.build,
    "limits": limits.build,
}
TAPS: dict[str, Build[Tap]] = {
    "carbon": carbon.build,
    "derived": derived.build,
    "counters": counters.build,
    "states": states.build,
    "oee": oee.build,
    "alarms": watch.build,
    "windows": windows.build,
}
REPORT: Build[Report] = report.build
MINUTE = 60 * 10**9
PREFIX = "normal/"  # of all keys under which state is kept


class _Sorted(NamedTuple):
    timed: list[tuple[str, Timed]]
    kept: list[tuple[str, Kept]]


class Steps(dict[Schema, Step]):
    """The step of each schema, compiled when it is first met: a device whose tags grow has a new schema then.

    One of each group is kept, so that nothing piles up; what its parts know goes on to those of the new one. `rules`
    says what is asked of a tag that the recipes do not know, because it was found on the device.
    """

    def __init__(
        self, schemas: Iterable[Schema] = (), recipes: Recipes | None = None, rules: RulesOf | None = None
    ) -> None:
        super().__init__()
        self._context = Context(recipes or Recipes())
        self._found = rules
        self._newest: dict[tuple[str, str], Schema] = {}
        self._outputs: dict[Schema, Schema] = {}
        self._shapes: dict[Schema, Shape] = {}
        self._parts: dict[tuple[str, str], dict[str, object]] = {}  # of each group
        self._kept: dict[str, bytes] = {}  # of the run before, until its part is built
        self._pieces: dict[str, int] = {}  # in which a state lies in the store
        self._torn: list[str] = []  # keys of the store that are of no use to anybody
        self._leftovers = self._context.one("leftovers", lambda _: Leftovers(self._kept))
        self._saved = 0
        self._sorts: _Sorted | None = None
        for schema in schemas:
            self[schema]

    def __missing__(self, schema: Schema) -> Step:
        group = schema.device, schema.group
        before = self._newest.get(group)
        if before is not None:
            del self[before]
            del self._outputs[before], self._shapes[before]
        self._newest[group] = schema
        parts = self._parts.get(group, {})
        self._kept |= {_key(group, name): part.dump() for name, part in parts.items() if isinstance(part, Kept)}
        step = self[schema] = self._compile(schema)
        return step

    def output(self, schema: Schema) -> Schema:
        """What frames of this schema leave as."""
        self[schema]
        return self._outputs[schema]

    def shaped(self, frame: Frame) -> Frame:
        """What a frame says that passes, whether it is worth a message or not; nothing is made of it."""
        self[frame.schema]
        return self._shapes[frame.schema](frame)

    @property
    def made(self) -> Sequence[Schema]:
        """The schemas of what is made here."""
        sheets, found = self._context.sheets, list[Schema]()
        while len(found) < len(sheets):  # what is made of one may be the source of another
            found = [self.output(sheet.schema) for sheet in list(sheets.values())]
        return found

    @property
    def alarms(self) -> Board:
        """How the alarms of all devices stand."""
        return self._context.one("alarms", Board)

    def tick(self, wall: int, mono: int) -> Iterator[Frame]:
        """What time alone brings: to be called about once a second."""
        for key, part in self._sorted().timed:
            frames = part.tick(wall, mono)
            if key.endswith("/report"):
                yield from frames
            else:
                for frame in frames:
                    yield from self[frame.schema](frame)

    def finish(self, wall: int, mono: int) -> Iterator[Frame]:
        """What is held back, when no frame will come any more: reports last, for what others give up passes them."""
        ending = [(key, part) for key, part in self._keys() if isinstance(part, Ending)]
        for key, part in ending:
            if not key.endswith("/report"):
                for frame in part.finish(wall, mono):
                    yield from self[frame.schema](frame)
        for key, part in ending:
            if key.endswith("/report"):
                yield from part.finish(wall, mono)

    def suppressed(self) -> Counter[LeftOut]:
        """Samples that were left out since the last call, by (device, reason, whether they were made)."""
        found, self._context.suppressed = self._context.suppressed, Counter()
        return found

    def kept(self, mono: int, *, all_of_it: bool = False) -> dict[str, bytes | None]:
        """What is to be committed with the frames that have come out so far, by key, in values that are small.

        None: what was kept by this key is to be forgotten.
        """
        minute = all_of_it or mono - self._saved >= MINUTE
        if minute:
            self._saved = mono
        found: dict[str, bytes | None] = self._forgotten()
        for key, part in self._sorted().kept:
            if part.must or (minute and part.may):
                pieces = parcels(key, part.dump())
                found |= dict.fromkeys(keys_of(key, self._pieces.get(key, 0))) | pieces
                self._pieces[key] = len(pieces)
                part.must = part.may = False
        return found

    def _forgotten(self) -> dict[str, bytes | None]:
        torn, self._torn = self._torn, []
        for key in self._leftovers.gone:
            torn += keys_of(key, self._pieces.pop(key, 0))
        self._leftovers.gone.clear()
        return dict.fromkeys(torn)

    def restore(self, kept: Mapping[str, bytes]) -> None:
        """What an earlier run kept; before the first frame. What nobody asks for goes after a while: `Leftovers`."""
        ours = {key: value for key, value in kept.items() if key.startswith(PREFIX)}
        self._kept |= join(ours)
        self._pieces = {key: count(state) for key, state in self._kept.items()}
        whole = {piece for key, pieces in self._pieces.items() for piece in keys_of(key, pieces)}
        self._torn = [key for key in ours if key not in whole]
        for key, part in self._keys():
            self._load(key, part)

    def _load(self, key: str, part: object) -> None:
        before = self._kept.pop(key, None)
        if before is not None and isinstance(part, Kept):
            part.load(before)

    def _sorted(self) -> "_Sorted":
        """The parts by what they can do: to find out takes longer than most of them do."""
        if self._sorts is None:
            parts = list(self._keys())
            timed = [(key, part) for key, part in parts if isinstance(part, Timed)]
            self._sorts = _Sorted(timed, [(key, part) for key, part in parts if isinstance(part, Kept)])
        return self._sorts

    def _keys(self) -> Iterator[tuple[str, object]]:
        for group, parts in self._parts.items():
            for name, part in parts.items():
                yield _key(group, name), part
        for name, part in self._context.shared.items():
            yield f"{PREFIX}{name}", part

    def _compile(self, schema: Schema) -> Step:
        context, group = self._context, (schema.device, schema.group)
        self._sorts = None
        rules = self._rules(schema)
        parts: dict[str, object] = {}
        shape: list[Stage] = []
        leaving = schema
        for name, shaper in SHAPERS.items():
            stage = shaper(leaving, rules, context)
            if stage is not None:
                parts[name], leaving = stage, stage.schema
                shape.append(stage)
        taps: list[Tap] = []
        for name, tapper in TAPS.items():
            tap = tapper(leaving, rules, context)
            if tap is not None:
                parts[name] = tap
                taps.append(tap)
        reporter = REPORT(leaving, rules, context)
        if reporter is not None:
            parts["report"] = reporter
        self._outputs[schema] = leaving
        self._shapes[schema] = shaped = _shape(fitting(schema), shape)
        self._parts[group] = parts
        for name, part in parts.items():
            self._load(_key(group, name), part)
        for name, part in context.shared.items():
            self._load(f"{PREFIX}{name}", part)
        return self._step(shaped, taps, reporter) if schema.tags else _nothing

    def _rules(self, schema: Schema) -> Sequence[Rules]:
        known, device = self._context.recipes.tags, schema.device
        found = self._found(device) if self._found and not schema.made else {}
        return tuple(known.get((device, tag.name)) or found.get(tag.name, NOTHING) for tag in schema.tags)

    def _step(self, shape: Shape, taps: Sequence[Tap], reporter: Report | None) -> Step:
        if not taps and reporter is None:
            return lambda frame: (shape(frame),)

        def step(frame: Frame) -> tuple[Frame, ...]:
            frame = shape(frame)
            made = list(chain.from_iterable([tap(frame) for tap in taps]))
            out = reporter(frame) if reporter else (frame,)
            for each in made:
                out += self[each.schema](each)
            return out

        return step


def _shape(fit: Shape, stages: Sequence[Stage]) -> Shape:
    if not stages:
        return fit

    def shape(frame: Frame) -> Frame:
        frame = fit(frame)
        for stage in stages:
            frame = stage(frame)
        return frame

    return shape


def _nothing(_frame: Frame) -> tuple[Frame, ...]:
    """A frame of a schema without tags says nothing, and is left out."""
    return ()


def _key(group: tuple[str, str], part: str) -> str:
    return f"{PREFIX}{'/'.join(group)}/{part}"
