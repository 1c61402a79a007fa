"""One compiled step for each schema: fit, shape, tap, report."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.normalise.alarms.board import Board
from agent.normalise.api import Context, Ending, Kept, Latest, LeftOut, Moving, Report, Stage, Tap, Timed
from agent.normalise.fit import fitting
from agent.normalise.leftovers import Leftovers
from agent.normalise.parcels import count, join, keys_of, parcels
from agent.normalise.parts import JOINING, REPORT, SHAPERS, TAPS, Shape, built, shaping
from agent.normalise.relations import derives, joined
from agent.normalise.report.stage import Reporter
from agent.normalise.rules import NOTHING, Recipes, Rules

Step = Callable[[Frame], tuple[Frame, ...]]
RulesOf = Callable[[str], Mapping[str, Rules]]  # of the tags that were found on a device, by name
T = TypeVar("T")
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
        self._before: dict[tuple[str, str], dict[str, bytes]] = {}  # by device and part: what the run before kept
        self._torn: list[str] = []  # keys of the store that are of no use to anybody
        self._owed: dict[str, bytes | None] = {}  # to whoever asks what is to be kept
        self._leftovers = self._context.one("leftovers", lambda _: Leftovers(self._kept))
        self._saved = 0
        self._sorts: _Sorted | None = None
        for schema in schemas:
            self[schema]

    def __missing__(self, schema: Schema) -> Step:
        group = schema.device, schema.group
        before = self._newest.get(group)
        if before is not None:
            self._forget(before)
        self._newest[group] = schema
        known = {name: part for name, part in self._parts.get(group, {}).items() if isinstance(part, Kept)}
        self._kept |= {_key(group, name): part.dump() for name, part in known.items()}
        step = self[schema] = self._compile(schema)
        for name, part in self._parts[group].items():
            if isinstance(part, Kept) and name in known:
                part.must, part.may = part.must or known[name].must, part.may or known[name].may
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

    def reporter(self, schema: Schema) -> Reporter | None:
        """What leaves out values of a group, if anything does; of its schema before or after its steps."""
        found = self._parts.get((schema.device, schema.group), {}).get("report")
        return found if isinstance(found, Reporter) else None

    @property
    def recipes(self) -> Recipes:
        return self._context.recipes

    @property
    def alarms(self) -> Board:
        """How the alarms of all devices stand."""
        return self._context.one("alarms", Board)

    def tick(self, wall: int, mono: int) -> Iterator[Frame]:
        """What time alone brings: to be called about once a second. A part that raises keeps no other from it."""
        return self._told(self._sorted().timed, lambda part: part.tick(wall, mono))

    def dismiss(self) -> None:
        """It is not used any more: the rings in which its parts are go at once, and are not left to the collector."""
        self.clear()
        self._parts.clear()
        self._context.recipes = Recipes()
        if (plans := self._context.shared.get("derived")) is not None:
            plans.renew(self._context, ())
        self._context.shared.clear()
        self._context.sheets.clear()

    def _told(self, parts: Sequence[tuple[str, T]], ask: Callable[[T], Sequence[Frame]]) -> Iterator[Frame]:
        """What all of them say, one after the other; those of a report pass no step again."""
        found: list[Frame] = []
        try:
            with ExitStack() as asked:
                for key, part in reversed(parts):
                    asked.callback(self._ask, key, part, ask, found)
        finally:
            yield from found

    def _ask(self, key: str, part: T, ask: Callable[[T], Sequence[Frame]], found: list[Frame]) -> None:
        frames = ask(part)
        if key.endswith("/report"):
            found += frames
        else:
            for frame in frames:
                found += self[frame.schema](frame)

    def finish(self, wall: int, mono: int) -> Iterator[Frame]:
        """What is held back, when no frame will come any more: reports last, for what others give up passes them. A
        part that raises keeps no other from it."""
        return self._ended(self._keys(), wall, mono)

    def _ended(self, keys: Iterable[tuple[str, object]], wall: int, mono: int) -> Iterator[Frame]:
        ending = [(key, part) for key, part in keys if isinstance(part, Ending)]
        ending.sort(key=lambda each: each[0].endswith("/report"))
        return self._told(ending, lambda part: part.finish(wall, mono))

    def suppressed(self) -> Counter[LeftOut]:
        """Samples that were left out since the last call, by (device, reason, whether they were made)."""
        found, self._context.suppressed = self._context.suppressed, Counter()
        return found

    def kept(self, mono: int, *, all_of_it: bool = False) -> dict[str, bytes | None]:
        """What is to be committed with the frames that have come out so far, by key, in values that are small.

        None: what was kept by this key is to be forgotten. What others have when a part raises comes with the next
        call.
        """
        minute = all_of_it or mono - self._saved >= MINUTE
        if minute:
            self._saved = mono
        self._owed |= self._forgotten()
        with ExitStack() as asked:
            for key, part in self._sorted().kept:
                if part.must or (minute and part.may):
                    asked.callback(self._keep, key, part)
        found, self._owed = self._owed, {}
        return found

    def _keep(self, key: str, part: Kept) -> None:
        part.must = part.may = False
        pieces = parcels(key, part.dump())
        self._owed |= dict.fromkeys(keys_of(key, self._pieces.get(key, 0))) | pieces
        self._pieces[key] = len(pieces)

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
        for key, state in self._kept.items():
            device, _, name = key.removeprefix(PREFIX).partition("/")
            self._before.setdefault((device, name.rpartition("/")[2]), {})[key] = state
        for key, part in self._keys():
            self._load(key, part)

    def renew(
        self,
        recipes: Recipes,
        schemas: Iterable[Schema],
        devices: Collection[str],
        latest: Latest,
        wall: int,
        mono: int,
    ) -> list[Frame]:
        """Go over to other recipes; what these devices had held back.

        `devices` are those of which anything else is asked, or that are read in another way: all of theirs is made
        anew, and goes on with what was known, as after a restart. `schemas` are all that are read now. Of the others
        only what they feed is looked at again. Nothing is to wait between this and the catalogue going over.
        """
        context = self._context
        groups = [group for group in self._newest if group[0] in devices]
        held = list(
            self._ended(
                ((_key(g, name), part) for g in groups for name, part in self._parts.get(g, {}).items()), wall, mono
            )
        )
        others = joined(context.recipes, recipes, devices)
        moved = repr(context.recipes.local) != repr(recipes.local)
        formulas = derives(context.recipes, devices) or derives(recipes, devices)
        for device in devices:
            self._hand_over(f"alarms/{device}", context.shared.pop(f"alarms/{device}", None))
            self._hand_over(f"oee/{device}", context.shared.pop(f"oee/{device}", None))
        for group in groups:
            self._drop(group)
        context.drop(devices)
        context.recipes, context.latest = recipes, latest
        for name in [name for name in context.shared if name == "oee" or (moved and name.startswith("window/"))]:
            del context.shared[name]
        self.alarms.renew(devices)
        if formulas and (plans := context.shared.get("derived")) is not None:
            plans.renew(context, devices)
        for schema in [schema for schema in self if schema.device in others and schema.tags]:
            self._join(schema, wall, mono)
        for schema in schemas:
            self[schema]
        self._gone(groups)
        self._sorts = None
        return held

    def _gone(self, groups: Iterable[tuple[str, str]]) -> None:
        """Those of the groups that are no more: nobody waits for them."""
        there = {(schema.device, schema.group) for schema in self.made} | self._newest.keys()
        plans = self._context.shared.get("derived")
        for group in groups:
            if group not in there and plans is not None:
                plans.forget(group)

    def _hand_over(self, name: str, part: object) -> None:
        """What a part knows goes on to the one that takes its place, and to the disk with the frames that it made."""
        if isinstance(part, Kept):
            key = f"{PREFIX}{name}"
            if part.must or part.may:
                self._keep(key, part)
            self._kept[key] = part.dump()

    def _drop(self, group: tuple[str, str]) -> None:
        schema = self._newest.pop(group)
        self._forget(schema)
        for name, part in self._parts.pop(group, {}).items():
            self._hand_over(f"{'/'.join(group)}/{name}", part)
            key = _key(group, name)
            if key in self._kept:
                self._before.setdefault((group[0], name), {})[key] = self._kept[key]
        self._context.shared.get("report", {}).pop(group, None)

    def _forget(self, schema: Schema) -> None:
        """It is not there at all when its compiling has failed."""
        for table in (self, self._outputs, self._shapes):
            table.pop(schema, None)

    def _join(self, schema: Schema, wall: int, mono: int) -> None:
        """Give what is worked out elsewhere another look at this group; all else of it stays as it is."""
        context, parts, leaving = self._context, self._parts[schema.device, schema.group], self._outputs[schema]
        known = set(context.shared)
        builders = {name: TAPS[name] for name in JOINING}
        for name in JOINING:
            parts.pop(name, None)
        parts |= built(builders, leaving, self.rules(schema), context)
        self._load_shared(known)
        taps: Any = [parts[name] for name in TAPS if name in parts]
        reporter: Any = parts.get("report")
        self[schema] = self._step(self._shapes[schema], taps, reporter)
        last = None if schema.interval else context.latest(leaving)
        machine: Any = parts.get("oee")
        if last is not None and machine is not None:  # who speaks of changes only does not say it again
            machine(replace(last, ts=wall, mono=mono, stamps=None))

    def _load(self, key: str, part: object) -> None:
        before = self._kept.pop(key, None)
        if isinstance(part, Moving):
            device, _, name = key.removeprefix(PREFIX).partition("/")
            known = self._before.get((device, name.rpartition("/")[2]), {})
            others = [state for other, state in known.items() if other != key]
            if before is not None or others:
                part.load_newest([before or b"", *others])
        elif before is not None and isinstance(part, Kept):
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
        known = set(context.shared)
        self._sorts = None
        rules = self.rules(schema)
        parts: dict[str, object] = {}
        shape: list[Stage] = []
        leaving = schema
        for name, shaper in SHAPERS.items():
            stage = shaper(leaving, rules, context)
            if stage is not None:
                parts[name], leaving = stage, stage.schema
                shape.append(stage)
        taps: dict[str, Tap] = built(TAPS, leaving, rules, context)
        parts |= taps
        reporter = REPORT(leaving, rules, context)
        if reporter is not None:
            parts["report"] = reporter
        self._outputs[schema] = leaving
        self._shapes[schema] = shaped = shaping(fitting(schema), shape)
        self._parts[group] = parts
        for name, part in parts.items():
            self._load(_key(group, name), part)
        self._load_shared(known)
        return self._step(shaped, list(taps.values()), reporter) if schema.tags else _nothing

    def _load_shared(self, known: AbstractSet[str]) -> None:
        """What is new among what all share."""
        for name in self._context.shared.keys() - known:
            self._load(f"{PREFIX}{name}", self._context.shared[name])

    def rules(self, schema: Schema) -> Sequence[Rules]:
        """What is asked of the tags of a group, in their order."""
        known, device = self._context.recipes.tags, schema.device
        found = self._found(device) if self._found and not schema.made else {}
        return tuple(known.get((device, tag.name)) or found.get(tag.name, NOTHING) for tag in schema.tags)

    def _step(self, shape: Shape, taps: Sequence[Tap], reporter: Report | None) -> Step:
        if not taps and reporter is None:
            return lambda frame: (shape(frame),)

        def step(frame: Frame) -> tuple[Frame, ...]:
            frame = shape(frame)
            out = reporter(frame) if reporter else (frame,)
            for tap in taps:
                for each in tap(frame):
                    out += self[each.schema](each)
            return out

        return step


def _nothing(_frame: Frame) -> tuple[Frame, ...]:
    """A frame of a schema without tags says nothing, and is left out."""
    return ()


def _key(group: tuple[str, str], part: str) -> str:
    return f"{PREFIX}{'/'.join(group)}/{part}"
