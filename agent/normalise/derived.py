"""Tags that are worked out from others: of one device, or of several (a device that only exists by calculation).

A `Plan` has the newest value of every input in a list, and evaluates what depends on a frame once for that frame, in
an order in which a derived tag comes after those that it uses. Where nothing is asked of such a tag itself it is used
as it was worked out; where its own steps may change it (limits, a unit), those that use it wait for its frame.

Most frames are good and take the short way: values in, values out. Only where something is bad, doubtful or was never
seen, or a result is no finite number, each formula asks for its inputs one by one.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from math import isfinite
from operator import itemgetter

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema
from agent.normalise.api import Context, Tap
from agent.normalise.calculated import Calculated, Derived, Source
from agent.normalise.compiled import Careful, Fast, careful, fast
from agent.normalise.expression import Formula, parse
from agent.normalise.feeds import LATE, NEVER, Feed, Newest, Several, Slots, Stamps, Turns
from agent.normalise.rules import NOTHING, Rules

GROUP = "derived"
PERIODS = 3  # of its scan group, after which an input is stale
LEAST_AGE = 10.0  # seconds
MOST_DUES = 256  # sets of inputs of which is known what depends on them
_WRONG = (ArithmeticError, TypeError, ValueError)


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> Tap | None:
    """What looks at frames of this schema, or None where nothing is worked out from its tags."""
    del rules
    return context.one(GROUP, Plans).tap(schema) if context.recipes.derived else None


class Plans:
    """Of all devices that have derived tags."""

    def __init__(self, context: Context) -> None:
        self._turns = Turns()
        self._plans: list[Plan] = []
        self.renew(context, ())

    def renew(self, context: Context, devices: Collection[str]) -> None:
        """Other recipes hold now; the plans of these devices are made anew. What feeds a plan is to be built again."""
        known = {plan.device: plan for plan in self._plans if plan.device not in devices}
        before = self._plans
        self._plans = [
            known.get(each.device) or Plan(each, context, self._turns) for each in users_last(context.recipes.derived)
        ]
        for rank, plan in enumerate(self._plans):
            plan.rank = rank
        for plan in before:
            if plan not in self._plans:
                plan.dismiss()

    def forget(self, group: tuple[str, str]) -> None:
        """No frame of this group of a device will come any more."""
        for plan in self._plans:
            plan.forget("/".join(group))

    def tap(self, schema: Schema) -> Tap | None:
        feeds = [feed for feed in (plan.feed(schema) for plan in self._plans) if feed is not None]
        return Several(feeds, self._turns) if len(feeds) > 1 else feeds[0] if feeds else None

    def tick(self, wall: int, mono: int) -> Iterator[Frame]:
        stale = set[Source]()
        for plan in self._plans:
            yield from plan.tick(wall, mono, stale)


class _Unusable(Exception):
    """An input that is bad, by its quality."""


@dataclass(frozen=True, slots=True)
class _Input:
    """A tag as formulas with this `max_age` use it: as text, as a number, or (None) as either."""

    source: Source
    max_age: float | None
    words: bool | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A derived tag: its slot, its column among what is made, and the slots that it needs.

    `asked`: something is asked of it, so who uses it waits for its frame.
    """

    slot: int
    column: int
    needs: tuple[int, ...]
    asked: bool
    fast: Fast
    careful: Careful


@dataclass(frozen=True, slots=True)
class _Due:
    """What depends on some slots, in order.

    `doubts` has the qualities of all that is needed, `used` are slots of which others make use.
    """

    rows: tuple[_Row, ...]
    calls: tuple[Fast, ...]
    columns: tuple[int, ...]
    good: bytes
    doubts: Callable[[bytearray], Iterable[int]]
    used: tuple[int, ...]


class Plan:
    """The derived tags of one device. Their slots come after those of their inputs."""

    rank = 0

    def __init__(self, ask: Calculated, context: Context, turns: Turns) -> None:
        self._turns, self._context = turns, context
        self.device, self._every = ask.device, int(ask.every * 1e9)
        self._sheet = context.sheet(ask.device, GROUP)
        rules = context.recipes.tags
        self._asked = {each.tag.name for each in ask.tags if rules.get((ask.device, each.tag.name), NOTHING) != NOTHING}
        tags = [(each, parse(each.formula)) for each in in_order(ask)]
        names = {each.tag.name: None for each, _ in tags}
        self._inputs: dict[_Input, int] = {}
        for each, formula in tags:
            for name, source in each.inputs:
                if name in formula.names and not self._inside(source, names):
                    self._inputs.setdefault(_input(each, formula, name, source), len(self._inputs))
        self._sources = {each.source[0] for each in self._inputs}
        self._own = {name: len(self._inputs) + place for place, name in enumerate(names)}
        self._newest = Newest(len(self._inputs) + len(names))
        self._rows = [self._row(each, formula) for each, formula in tags]
        self._used = set(chain.from_iterable(row.needs for row in self._rows))
        self._makers = self._who_makes()
        self._places: dict[int, list[int]] = {row.slot: [] for row in self._rows}  # where others find what a row makes
        for slot, maker in self._makers.items():
            self._places[maker.slot].append(slot)
        self._dues: dict[Slots, _Due | None] = {}
        self._feeds: dict[str, Feed] = {}  # by the group of which device they are
        self._waiting: Slots = frozenset()
        self._when, self._period, self._doubt = (0, 0), -1, 0

    def _inside(self, source: Source, names: Container[str]) -> bool:
        """Whether it is a tag of this plan that is used as it was worked out."""
        return source[0] == self.device and source[1] in names and source[1] not in self._asked

    def _row(self, ask: Derived, formula: Formula) -> _Row:
        tag, slots = ask.tag, dict[str, int]()
        for name, source in ask.inputs:
            if name in formula.names:
                inside = self._inside(source, self._own)
                slots[name] = self._own[source[1]] if inside else self._inputs[_input(ask, formula, name, source)]
        short, long = fast(formula, slots, tag.dtype), careful(formula, slots, tag.dtype)
        needs = tuple(dict.fromkeys(slots.values()))
        return _Row(self._own[tag.name], self._sheet.add(tag), needs, tag.name in self._asked, short, long)

    def _who_makes(self) -> dict[int, _Row]:
        """By the slot where others find it."""
        rows = {row.slot: row for row in self._rows}
        outside = {
            slot: rows[self._own[asking.source[1]]]
            for asking, slot in self._inputs.items()
            if asking.source[0] == self.device and asking.source[1] in self._own
        }
        return rows | outside

    def feed(self, schema: Schema) -> Feed | None:
        """What takes the inputs in frames of this schema; None where there are none."""
        if schema.device not in self._sources:
            return None
        columns: dict[tuple[str, str], list[int]] = {}
        for column, tag in enumerate(schema.tags):
            columns.setdefault((schema.device, tag.name), []).append(column)
        found: dict[int, list[int]] = {}
        misfits, ages = set[int](), dict[int, int]()
        for asking, slot in self._inputs.items():
            for column in columns.get(asking.source, ()):
                found.setdefault(column, []).append(slot)
                if asking.words is not None and asking.words != (schema.tags[column].dtype == "str"):
                    misfits.add(slot)
                elif asking.max_age or schema.interval:
                    ages[slot] = int(1e9 * (asking.max_age or max(LEAST_AGE, PERIODS * schema.interval)))
        if not found:
            return None
        group = f"{schema.device}/{schema.group}"
        before = self._feeds.get(group)
        at_once = not self._every or (schema.made and schema.device == self.device)
        then, rank = (self._work, self.rank) if at_once else (self._wait, -1)
        feed = Feed(self._newest, found, frozenset(misfits), ages, then, self._turns, rank)
        feed.heard = before.heard if before else 0
        self._feeds[group] = feed
        known = None if before else self._context.latest(schema)
        if known is not None:
            slots = feed.take(known)
            if not at_once:
                self._wait(slots, known, None)
        return feed

    def forget(self, group: str) -> None:
        self._feeds.pop(group, None)

    def dismiss(self) -> None:
        """Nothing feeds it any more: no ring is left to the garbage collector."""
        self._feeds.clear()

    def tick(self, wall: int, mono: int, stale: set[Source]) -> Iterator[Frame]:
        """Mark what is stale, and evaluate what has waited for its time. `stale`: what has become so elsewhere."""
        old = frozenset(slot for feed in self._feeds.values() for slot in feed.age(mono))
        if stale:
            old |= self._newest.outdated(slot for asking, slot in self._inputs.items() if asking.source in stale)
        stale |= self._spread(set(old))
        if not self._every:
            return
        self._waiting |= old
        period = wall // self._every
        if period != self._period and self._waiting:
            slots, self._waiting, self._period = self._waiting, frozenset(), period
            yield from self._made(slots, *self._when, None)

    def _spread(self, old: set[int]) -> set[Source]:
        """What was made of what is stale is so, too: the tags."""
        quality, found = self._newest.quality, set[Source]()
        for row in self._rows if old else ():
            if not old.isdisjoint(row.needs):
                places = self._places[row.slot]
                old.update(places)
                found.add((self.device, self._sheet.schema.tags[row.column].name))
                for slot in places:
                    quality[slot] = max(quality[slot], Quality.STALE)
        return found

    def _wait(self, slots: Slots, frame: Frame, stamps: Stamps | None) -> Sequence[Frame]:
        self._waiting |= slots
        self._when = max(stamps[slot] for slot in slots) if stamps else frame.ts, frame.mono
        return ()

    def _work(self, slots: Slots, frame: Frame, stamps: Stamps | None) -> Sequence[Frame]:
        return self._made(slots, frame.ts, frame.mono, stamps)

    def _made(self, slots: Slots, ts: int, mono: int, stamps: Stamps | None) -> Sequence[Frame]:
        """The frame of all that depends on these slots."""
        due = self._dues[slots] if slots in self._dues else self._learn(slots)
        if due is None:
            return ()
        values, quality = self._newest.values, self._newest.quality
        times = self._times(due.rows, stamps, ts) if stamps else None
        if quality.count(0) == len(quality) or not any(due.doubts(quality)):
            try:
                found = [call(values) for call in due.calls]
                if isfinite(sum(found)):  # type: ignore[arg-type]  # numbers, as a formula gives no text
                    for slot in due.used:
                        quality[slot] = 0
                    return (self._sheet.frame(ts, mono, due.columns, found, due.good, times),)
            except _WRONG:
                pass
        return self._one_by_one(due, ts, mono, times)

    def _times(self, rows: Sequence[_Row], stamps: Stamps, ts: int) -> tuple[int, ...]:
        """The source's time of each: that of its newest input, so that the last value has the last time, in whatever
        order they come. An input that is ahead of those that have come by more than `LATE` is wrong."""
        times, newest = dict(stamps), self._newest.stamps
        for row in rows:
            own = max((times[slot] for slot in row.needs if slot in times), default=ts)
            later = [newest[slot] for slot in row.needs if 0 < newest[slot] - own <= LATE]
            times[row.slot] = newest[row.slot] = max([own, *later])
        return tuple(times[row.slot] for row in rows)

    def _one_by_one(self, due: _Due, ts: int, mono: int, times: tuple[int, ...] | None) -> Sequence[Frame]:
        values, quality = self._newest.values, self._newest.quality
        places = list[int]()
        for place, row in enumerate(due.rows):
            values[row.slot], quality[row.slot] = self._told(row)
            if quality[row.slot] != NEVER:
                places.append(place)
        if not places:
            return ()
        slots = [due.rows[place].slot for place in places]
        columns = tuple(due.columns[place] for place in places)
        kept = tuple(times[place] for place in places) if times else None
        trust = bytes(quality[slot] for slot in slots)
        return (self._sheet.frame(ts, mono, columns, [values[slot] for slot in slots], trust, kept),)

    def _told(self, row: _Row) -> tuple[Value, int]:
        """What a formula gives, and how far that can be trusted: the most doubtful of the inputs that it has used."""
        self._doubt = 0
        try:
            value = row.careful(self._use, self._newest.quality)
            if isinstance(value, float) and not isfinite(value):
                return None, Quality.BAD_DECODE
        except _Unusable as error:
            return None, int(error.args[0])
        except _WRONG:
            return None, Quality.BAD_DECODE
        return value, self._doubt

    def _use(self, slot: int) -> Value:
        quality = self._newest.quality[slot]
        if quality >= FIRST_BAD:
            raise _Unusable(quality)
        self._doubt = max(self._doubt, quality)
        return self._newest.values[slot]

    def _learn(self, slots: Slots) -> _Due | None:
        if len(self._dues) >= MOST_DUES:
            self._dues.clear()
        rows = tuple(self._dependent(slots))
        found = self._dues[slots] = self._due(rows) if rows else None
        return found

    def _due(self, rows: tuple[_Row, ...]) -> _Due:
        made = {row.slot for row in rows}
        used = tuple(slot for slot in made if slot in self._used)
        needs = set(chain.from_iterable(row.needs for row in rows)) - made
        doubts = itemgetter(*needs, *needs)  # twice, for of one it would give no tuple
        calls = tuple(_keeping(row.fast, row.slot) if row.slot in self._used else row.fast for row in rows)
        return _Due(rows, calls, tuple(row.column for row in rows), bytes(len(rows)), doubts, used)

    def _dependent(self, slots: Slots) -> Iterator[_Row]:
        """What can be worked out now. What uses a tag of this plan of which something is asked waits for its frame."""
        later: dict[int, bool] = {}  # of the rows that depend on the slots at all
        for row in self._rows:
            makers = [self._makers[slot] for slot in row.needs if slot in self._makers and slot not in slots]
            waits = [maker.asked or later[maker.slot] for maker in makers if maker.slot in later]
            if waits or not slots.isdisjoint(row.needs):
                later[row.slot] = any(waits)
                if not any(waits):
                    yield row


def users_last(asked: Sequence[Calculated]) -> Sequence[Calculated]:
    """Devices after those whose derived tags they use; as they were where that goes round, as it may by other tags."""
    tags = {(each.device, tag.tag.name) for each in asked for tag in each.tags}
    by_name = {each.device: each for each in asked}
    uses = {
        each.device: [device for tag in each.tags for _, (device, name) in tag.inputs if (device, name) in tags]
        for each in asked
    }
    for device, others in uses.items():
        uses[device] = [other for other in others if other != device]
    try:
        return [by_name[device] for device in TopologicalSorter(uses).static_order()]
    except CycleError:
        return asked


def in_order(ask: Calculated) -> list[Derived]:
    """Each after those that it uses. Raises graphlib.CycleError."""
    known = {each.tag.name: each for each in ask.tags}
    uses = {
        each.tag.name: [name for _, (device, name) in each.inputs if device == ask.device and name in known]
        for each in ask.tags
    }
    return [known[name] for name in TopologicalSorter(uses).static_order()]


def _input(ask: Derived, formula: Formula, name: str, source: Source) -> _Input:
    words = True if name in formula.words else False if name in formula.numbers else None
    return _Input(source, ask.max_age, words)


def _keeping(call: Fast, slot: int) -> Fast:
    def kept(values: list[Value]) -> Value:
        value = values[slot] = call(values)
        return value

    return kept
