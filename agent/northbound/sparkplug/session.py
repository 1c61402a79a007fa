"""What an edge node says, and in which order, from one CONNECT to the end of that connection; no I/O happens here.

Every call gives messages that are to be published in the order of the calls, with nothing between: they are numbered
(`seq`), births come before data, and nothing is said of a device that is not born.

A device lives while one of its groups is read: it is born with the first values of a live frame, and dies when the last
of its groups gives none any more. With history it is the newest values on disk that say whether it lives: of a device
that does not, it comes between a birth and a death of its own. What was worked out of a device that is read is no sign
of life: while the device is dead, it comes as history does.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType

from agent.model.frame import Entry, Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.northbound.broker.packet import Message
from agent.northbound.encode import as_json
from agent.northbound.gap import DEVICE, gap, is_gap
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.metrics import HISTORICAL, NULL
from agent.northbound.sparkplug.names import Names
from agent.northbound.sparkplug.tree import Device, Place, Tree

REBIRTH = "Node Control/Rebirth"
PLACE = "Properties/Place"
GAP, REPORT, ANSWER = "Gap", "Report", "Command/Answer"
DEVICES, SAMPLES = "Statistics/Devices", "Statistics/Samples"
_MS = 1_000_000
_LIVE = 11_000  # ms: what is older when it is sent is history, so that no live value is older than one never read
_CLOCK_SET = 60 * 10**9  # ns: a frame that is older by so much is no older one, our clock was set
_END = 1 << 62
_AT_ONCE = 1000  # metrics in births, at least: some milliseconds
Latest = Callable[[Schema], Frame | None]
Fits = Callable[[Message], bool]
NodeMetric = tuple[str, int, Value]  # name, datatype, value


@dataclass(slots=True)
class Written:
    """Messages, and the entries of which nothing can be said because it would be too large: (index, what)."""

    messages: list[Message] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """What live frames have shown; `told` is the time (ns) of the newest values that were told, `made` says that they
    were worked out."""

    made: bool = False
    seen: bool = False
    down: bool = False
    told: int = 0


@dataclass(slots=True)
class _Life:
    """Of a device: `born` is the version of it that the last birth told, while there has been no death since."""

    born: int | None = None
    groups: dict[str, _Group] = field(default_factory=dict)

    def group(self, schema: Schema) -> _Group:
        found = self.groups.get(schema.group)
        if found is None:
            found = self.groups[schema.group] = _Group(schema.made)
        return found

    @property
    def is_read(self) -> bool:
        return not all(group.made for group in self.groups.values())

    @property
    def down(self) -> bool:
        made = not self.is_read
        return all(group.down for group in self.groups.values() if group.seen and group.made == made)


class Session:
    """`bdseq` is that of the CONNECT, `about` are metrics of the node that do not change, `places` say of devices
    where they are.

    Times are ns since 1970 UTC, `latest` gives the newest values of a group, `fits` says what the broker takes.
    `waiting` are devices of which a birth of the node has still to tell: no data before `more` has done so.
    """

    def __init__(
        self,
        names: Names,
        tree: Tree,
        bdseq: int,
        latest: Latest,
        fits: Fits = lambda _: True,
        about: Sequence[NodeMetric] = (),
        places: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._names, self._tree, self._latest, self.fits = names, tree, latest, fits
        self._bdseq, self._about, self._places = bdseq, about, places
        self._seq = 0
        self._lives: dict[str, _Life] = {}
        self._said: tuple[int, int] = (0, 0)
        self.waiting: deque[Device] = deque()
        self.born = False
        self.samples = 0  # that the broker has

    def death(self, now: int) -> Message:
        """The NDEATH, which is the last will too: it has the bdSeq and nothing else, and no number."""
        ms = _stamp(now)
        return self._names.head("NDEATH"), codec.encode(ms, [_told("bdSeq", codec.INT64, self._bdseq, ms)], None), False

    def birth(self, now: int) -> list[Message]:
        """Of the node; those of all devices that live come with `more`. `seq` starts over, the bdSeq stays."""
        ms, self._seq, self.born = _stamp(now), 0, True
        for device in self._tree.devices.values():
            self._look(device)
        self.waiting = deque(device for device in self._tree.devices.values() if self._lives_now(device))
        self._said = len(self.waiting), self.samples
        metrics = [_told("bdSeq", codec.INT64, self._bdseq, ms), _told(REBIRTH, codec.BOOLEAN, False, ms)]
        metrics += [_told(name, datatype, value, ms) for name, datatype, value in (*self._about, *self._statistics())]
        metrics += [_told(name, codec.STRING, None, ms) for name in (GAP, REPORT, ANSWER)]
        for life in self._lives.values():
            life.born = None  # an NBIRTH ends all that was before
        return [self._message("NBIRTH", "", ms, metrics)]

    def more(self, now: int, at_once: int = _AT_ONCE) -> list[Message]:
        """Births of the next devices: with thousands of tags, all at once would hold up everything else."""
        messages: list[Message] = []
        told = 0
        while self.waiting and told < at_once:
            device = self.waiting.popleft()
            told += len(device.told)
            self._be_born(device, _stamp(now), messages)
        return messages

    def data(self, batch: Sequence[Entry], now: int) -> Written:
        """All that there is to say of a batch."""
        ms, written = _stamp(now), Written()
        past: dict[str, Device] = {}
        for index, entry in enumerate(batch):
            schema = entry.frame.schema
            if schema.device == DEVICE:
                written.messages.append(self._message("NDATA", "", ms, [self._report(entry)]))
                continue
            place = self._tree.place(schema)
            life = self._life(place.device)
            if entry.history or not place.device.current or (schema.made and self._is_dead(place.device)):
                self._past(index, entry, place, life, ms, written)
                past[place.device.name] = place.device
            else:
                past.pop(place.device.name, None)
                self._present(index, entry, place, life, ms, written)
        for name, device in past.items():
            self._look(device)
            if self._lives[name].down:
                self._die(name, ms, written.messages)
        return written

    def statistics(self, now: int) -> list[Message]:
        """What has changed of the node itself."""
        ms, said = _stamp(now), (sum(life.born is not None for life in self._lives.values()), self.samples)
        changed = [place for place in (0, 1) if said[place] != self._said[place]]
        self._said = said
        metrics = [
            self._node_data(name, value, ms) for name, _, value in (self._statistics()[place] for place in changed)
        ]
        return [self._message("NDATA", "", ms, metrics)] if metrics else []

    def answer(self, text: str, now: int) -> Message:
        """What became of a command."""
        ms = _stamp(now)
        return self._message("NDATA", "", ms, [self._node_data(ANSWER, text, ms)])

    def deaths(self, now: int) -> list[Message]:
        """Of all devices, before the node itself goes."""
        self.waiting.clear()
        messages: list[Message] = []
        for name in self._lives:
            self._die(name, _stamp(now), messages)
        return messages

    def bury(self, names: Sequence[str], now: int) -> list[Message]:
        """These devices are no more; what is still to be told of them comes as history does."""
        self.waiting = deque(device for device in self.waiting if device.name not in names)
        messages: list[Message] = []
        for name in names:
            if name in self._lives:
                self._die(name, _stamp(now), messages)
                del self._lives[name]
        return messages

    def renew(self, devices: Sequence[Device], now: int) -> list[Message]:
        """These have other metrics than their births told."""
        messages: list[Message] = []
        for device in devices:
            life = self._life(device)
            if life.born is not None and life.born != device.version:
                self._be_born(device, _stamp(now), messages)
        return messages

    def _statistics(self) -> list[tuple[str, int, int]]:
        return [(DEVICES, codec.INT64, self._said[0]), (SAMPLES, codec.INT64, self._said[1])]

    def _life(self, device: Device) -> _Life:
        found = self._lives.get(device.name)
        if found is None:
            found = self._lives[device.name] = _Life()
        return found

    def _look(self, device: Device) -> None:
        """What the newest values say of a device."""
        life = self._life(device)
        for schema in device.current:
            group, frame = life.group(schema), self._latest(schema)
            if frame is not None:
                group.seen, group.down = True, frame.quality == bytes((Quality.BAD_COMM,)) * len(frame.quality)

    def _is_dead(self, device: Device) -> bool:
        """A device that is read, and gives nothing."""
        life = self._life(device)
        if life.down:
            self._look(device)
        return life.down and life.is_read

    def _is_gone(self, device: Device, place: Place) -> bool:
        """Whether those of which a frame says nothing are gone, too: they were told to be before."""
        newest = [self._latest(schema) for schema in device.current if schema.group == place.group]
        return any(frame is not None and frame.quality == place.plan.gone for frame in newest)

    def _lives_now(self, device: Device) -> bool:
        life = self._lives[device.name]
        return life.born is not None or not life.down

    def _present(self, index: int, entry: Entry, place: Place, life: _Life, ms: int, written: Written) -> None:
        frame, device = entry.frame, place.device
        group = life.group(frame.schema)
        gone = frame.quality.count(Quality.BAD_COMM) == len(frame.quality)
        group.down = gone and (group.down or frame.columns is None or self._is_gone(device, place))
        group.seen = True
        if group.down and life.born is None:
            return  # it is known to be dead
        if life.born != device.version and not self._be_born(device, ms, written.messages, frame.ts // _MS):
            written.refused.append((index, f"the birth of {device.name}"))
            return
        outdated = 0 < group.told - frame.ts < _CLOCK_SET  # it waited while a birth told newer values, or comes again
        if not outdated:
            group.told = frame.ts
        self._frame(index, entry, place, ms, written, historical=outdated)
        if group.down and life.down:
            self._die(device.name, ms, written.messages)

    def _past(self, index: int, entry: Entry, place: Place, life: _Life, ms: int, written: Written) -> None:
        device = place.device
        if life.born != device.version and not self._be_born(device, ms, written.messages):
            written.refused.append((index, f"the birth of {device.name}"))
            return
        self._frame(index, entry, place, ms, written, historical=True)

    def _frame(self, index: int, entry: Entry, place: Place, ms: int, written: Written, *, historical: bool) -> None:
        """The data of one frame, in as many messages as it takes."""
        name, unsynced = place.device.name, entry.clock == "unsynced"
        metrics = place.plan.metrics(entry.frame, historical=historical, unsynced=unsynced)
        if isinstance(metrics, bytes):
            whole = self._message("DDATA", name, ms, (metrics,))
            if self.fits(whole):
                written.messages.append(whole)
                return
            self._seq = self._seq - 1 & 0xFF
            metrics = place.plan.careful(entry.frame, historical=historical, unsynced=unsynced)
        pieces = self._pieces(name, ms, metrics)
        if pieces is None:
            written.refused.append((index, f"a value of {name}"))
        else:
            written.messages += [self._message("DDATA", name, ms, piece) for piece in pieces]

    def _pieces(self, device: str, ms: int, metrics: list[bytes]) -> list[list[bytes]] | None:
        """The metrics in order, in messages that the broker takes; None when one alone is too large."""
        waiting, pieces = [metrics], []
        head = self._names.head("DDATA", device)
        while waiting:
            piece = waiting.pop()
            if self.fits((head, codec.encode(ms, piece, 255), False)):
                pieces.append(piece)
            elif len(piece) > 1:
                waiting += [piece[len(piece) // 2 :], piece[: len(piece) // 2]]
            else:
                return None
        return pieces

    def _be_born(self, device: Device, ms: int, messages: list[Message], at: int = _END) -> bool:
        """Tell what it has and how that stands; False when the broker does not take so much. `at`: of a first value."""
        life, values = self._life(device), dict[tuple[str, str, str], tuple[Value, int, int]]()
        for schema in device.current:
            frame = self._latest(schema)
            if frame is not None:
                life.group(schema).told = frame.ts
                stamps = frame.stamps or (frame.ts,) * len(frame.values)
                for tag, value, quality, stamp in zip(schema.tags, frame.values, frame.quality, stamps, strict=True):
                    values[schema.group, tag.name, tag.dtype] = value, quality, stamp // _MS
        metrics = []
        for key, told in device.told.items():
            value, quality, ts = values.get(key, (None, 0, 0))
            when = ts or min(ms - _LIVE, at)
            metrics.append((when, told.born(value, quality, when, self._tree.fields, known=ts > 0)))
        place, when = self._places.get(device.name), min(ms - _LIVE, at)
        if place and device.find(PLACE) is None:
            metrics.append((when, _told(PLACE, codec.STRING, place, when)))
        metrics.sort(key=itemgetter(0))
        if life.born is not None:
            self._die(device.name, ms, messages)
        message = self._message("DBIRTH", device.name, ms, [metric for _, metric in metrics])
        if not self.fits(message):
            self._seq = self._seq - 1 & 0xFF
            return False
        messages.append(message)
        life.born = device.version
        return True

    def _die(self, name: str, ms: int, messages: list[Message]) -> None:
        life = self._lives[name]
        if life.born is not None:
            life.born = None
            messages.append(self._message("DDEATH", name, ms, ()))

    def _node_data(self, name: str, value: int | str, ms: int, mark: bytes = b"") -> bytes:
        datatype = codec.STRING if isinstance(value, str) else codec.INT64
        typed = codec.number(4, datatype) if self._tree.old else b""
        held = codec.value(codec.FIELDS[datatype], value)
        return codec.metric(codec.text(1, name) + codec.number(3, ms) + typed + mark + held)

    def _report(self, entry: Entry) -> bytes:
        """What the agent says of itself: what a sink will never get, or that the clock was set."""
        frame = entry.frame
        told = {tag.name: value for tag, value, _ in frame.rows()}
        said = gap(entry) if is_gap(frame.schema) else {"type": frame.schema.group, "ts": frame.ts // _MS, **told}
        mark = HISTORICAL if entry.history else b""
        return self._node_data(GAP if is_gap(frame.schema) else REPORT, as_json(said).decode(), frame.ts // _MS, mark)

    def _message(self, verb: str, device: str, ms: int, metrics: Sequence[bytes]) -> Message:
        seq, self._seq = self._seq, self._seq + 1 & 0xFF
        return self._names.head(verb, device), codec.encode(ms, metrics, seq), False


def _stamp(now: int) -> int:
    """The last millisecond that is over: on the same machine a host would get it in the one that it was written in, and
    the conformance kit wants the time of a birth to be over then."""
    return now // _MS - 1


def _told(name: str, datatype: int, value: Value, ms: int) -> bytes:
    """A metric that is no tag, in a birth; those have no alias, for data of them are few or none."""
    held = NULL if value is None else codec.value(codec.FIELDS[datatype], value)
    return codec.metric(codec.text(1, name) + codec.number(3, ms) + codec.number(4, datatype) + held)
