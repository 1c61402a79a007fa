"""The last stage of a step: it leaves out what is not worth a message, and counts it."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from agent.model.frame import Frame
from agent.model.tag import FLOATS, Schema, Tag
from agent.normalise.api import Context
from agent.normalise.columns import Columns
from agent.normalise.report.asked import ALWAYS, Reporting
from agent.normalise.report.beats import Beats
from agent.normalise.report.door import Doors
from agent.normalise.report.lanes import Always, Beyond, Changed, Count, Lane, Sampled
from agent.normalise.report.parts import Sample, column_of, late, part_of
from agent.normalise.rules import Rules

MOST_SEEN = 64  # frames of a source that says what changed which are remembered; of one that is read it is the last
_UNKNOWN = 255  # no quality: nothing was told yet


class Reporter:
    """One schema. What was read is told now, told later under its own time, or counted as left out: never two of them.

    A value that is told later (a door, or a period of a source that has gone quiet) is held, one of each column at
    most, and not counted until it is clear what becomes of it.
    """

    def __init__(self, schema: Schema, asked: Sequence[Reporting], count: Count) -> None:
        self._count, self._left_out = count, dict[str, int]()  # samples of the frame that is looked at, by reason
        self._later: list[Sample] = []  # to be told before the frame that is looked at
        self._quality = bytearray((_UNKNOWN,)) * len(asked)
        self._lanes = _lanes(schema, asked, self._leave, self._later.append)
        self._where: dict[int, tuple[Lane, int]] = {
            column: (lane, number) for lane in self._lanes for number, column in enumerate(lane.columns.columns)
        }
        most = {column: each.max_time for column, each in enumerate(asked) if each.max_time}
        self._beats = Beats(most) if most else None
        self.asked = asked
        self._seen: deque[Frame] = deque(maxlen=1 if schema.interval else MOST_SEEN)

    def reason(self, column: int) -> str:
        """By which word a value of this column is counted that is left out; empty: all of them are told."""
        return self._where[column][0].reason

    def seen(self, column: int) -> Sample | None:
        """The last frame that had this column, of the last few, told or not."""
        for frame in reversed(self._seen):
            if frame.columns is None:
                return frame, column
            if column in frame.columns:
                return frame, frame.columns.index(column)
        return None

    def __call__(self, frame: Frame) -> tuple[Frame, ...]:
        self._seen.append(frame)
        places = self._some(frame) if frame.columns is not None else self._whole(frame)
        told = (part_of(frame, places),) if places else ()
        if self._left_out:
            self._settle()
        if self._later:
            told = (self._take(frame.ts, frame.mono), *told)
        if self._beats is not None:
            for each in told:
                self._beats.saw(each)
        return told

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        """What was held for long enough, and what is to be told again."""
        silent = self._beats.silent(mono) if self._beats else ()
        for lane in self._lanes:
            if isinstance(lane, Doors):
                lane.tick(mono, silent)
            elif isinstance(lane, Sampled):
                self._later += lane.tick(wall)
        if self._beats is not None:
            news = {column_of(sample) for sample in self._later}
            self._later += self._beats.again(column for column in silent if column not in news)
        if not self._later:
            return ()
        frame = self._take(wall, mono)
        if self._beats is not None:
            self._beats.saw(frame)
            self._beats.look_through()
        return (frame,)

    def finish(self, wall: int, mono: int) -> Sequence[Frame]:
        """What is held: the end of a line, and what a quiet source said last, are told."""
        for lane in self._lanes:
            if isinstance(lane, Doors | Sampled):
                self._later += lane.finish()
        return (self._take(wall, mono),) if self._later else ()

    def settle(self) -> None:
        """It will not be asked again: what it holds is left out."""
        for lane in self._lanes:
            if isinstance(lane, Doors | Sampled):
                lane.settle()
        self._settle()

    def _leave(self, reason: str, samples: int) -> None:
        self._left_out[reason] = self._left_out.get(reason, 0) + samples

    def _settle(self) -> None:
        for reason, samples in self._left_out.items():
            self._count(reason, samples)
        self._left_out.clear()

    def _whole(self, frame: Frame) -> Sequence[int]:
        turned: Sequence[int] = ()
        if frame.quality != self._quality:
            rows = zip(range(len(self._quality)), frame.quality, self._quality, strict=True)
            turned = [column for column, code, before in rows if code != before]
            self._quality[:] = frame.quality
        if len(self._lanes) == 1:
            return self._lanes[0].whole(frame, turned)
        return sorted(column for lane in self._lanes for column in lane.whole(frame, turned))

    def _some(self, frame: Frame) -> Sequence[int]:
        assert frame.columns is not None
        where, qualities = self._where, self._quality
        told: list[int] = []
        for place, column in enumerate(frame.columns):
            code, (lane, number) = frame.quality[place], where[column]
            turned, qualities[column] = code != qualities[column], code
            if lane.one(number, frame, place, turned=turned):
                told.append(place)
        return told

    def _take(self, ts: int, mono: int) -> Frame:
        frame = late(self._later, ts, mono)
        self._later.clear()
        return frame


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> Reporter | None:
    known = context.one("report", _reporters)
    before = known.pop((schema.device, schema.group), None)
    if before is not None:  # the device has more tags now
        before.settle()
    asked = [rule.report or ALWAYS for rule in rules]
    if _are_events(schema) or all(each == ALWAYS for each in asked):
        return None
    found = known[schema.device, schema.group] = Reporter(schema, asked, partial(context.suppress, schema))
    return found


def _are_events(schema: Schema) -> bool:
    """Each frame is an event of its own, and is told also when it is like the one before."""
    return not schema.interval and not schema.made and all(tag.kind == "event" for tag in schema.tags)


def _reporters(context: Context) -> dict[tuple[str, str], Reporter]:
    del context
    return {}


def _lanes(schema: Schema, asked: Sequence[Reporting], count: Count, tell: Callable[[Sample], None]) -> list[Lane]:
    """Columns of the same kind and period share a lane."""
    kinds: dict[tuple[str, int], list[int]] = {}
    for column, (each, tag) in enumerate(zip(asked, schema.tags, strict=True)):
        kinds.setdefault((_kind(each, tag), each.period), []).append(column)
    lanes: list[Lane] = []
    for (kind, period), found in kinds.items():
        columns, mine = Columns(found, len(schema.tags)), [asked[column] for column in found]
        if kind == "beyond":
            lanes.append(Beyond(columns, mine, [schema.tags[c].dtype not in FLOATS for c in found], count))
        elif kind == "door":
            lanes.append(Doors(columns, [each.door for each in mine], period, count, tell))
        elif kind == "changed":
            lanes.append(Changed(columns, period, count))
        else:
            quiet = schema.interval == 0
            lanes.append(Sampled(columns, period, count, held=quiet) if period else Always(columns))
    return lanes


def _kind(asked: Reporting, tag: Tag) -> str:
    """Of texts, bools, states and events every change counts."""
    if not asked.changes:
        return "sampled"
    number = tag.dtype not in ("bool", "str") and tag.kind in ("gauge", "counter")
    return "door" if asked.door and number else "beyond" if (asked.band or asked.share) and number else "changed"
