"""A consumer that fetches its frames: handed out from the oldest on, again and again, until they are acknowledged."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import msgspec

from agent.health import Part
from agent.model.clock import SYSTEM, Clock
from agent.model.frame import Entry, Frame
from agent.northbound.api import Pulled
from agent.northbound.command import Unreadable, parse, reply
from agent.northbound.shapes.pages import pages
from agent.runtime.house import Room
from agent.runtime.storage import Storage
from agent.runtime.supervise import waited
from agent.status.pull import Crowded, Mark, Page, Style, Unfit
from agent.status.web import Caller
from buffer.store import Store

AT_ONCE = 4  # questions for frames that are open
MOST_SAMPLES = 200_000  # of a page, and one frame more
FEW, SLICE = 16, 200  # frames that are read at first, and at most, in one call of the owner of the store
REMEMBERED = 2000  # frames that were handed out; what is forgotten is handed out again before it can be acknowledged
LOOK = 1.0  # seconds between two looks whether who waits is still there
LAG = 10 * 10**9  # ns: a frame that is handed out later than that after it was read is history
Key = tuple[str, int]  # epoch, seq


class Tap:
    """As `agent.status.pull.Tap`. `part` is up from the start: that nobody asks is no fault of ours, and the ledger
    shows it."""

    def __init__(
        self, name: str, config: Pulled, gateway: str, room: Room, storage: Storage, part: Part, clock: Clock = SYSTEM
    ) -> None:
        self.caller = Caller(name, frozenset(config.scopes))
        self.token = config.token.get_secret_value()
        self._name, self._gateway, self._room, self._storage = name, gateway, room, storage
        self._part, self._clock = part, clock
        self._handed: dict[Key, Entry] = {}  # without their values
        self._generation = storage.generation
        self._open = 0
        self._stopping = False
        part.up()

    async def frames(self, limit: int, wait: float, style: Style, waits: Callable[[], bool] = lambda: True) -> Page:
        if self._open >= AT_ONCE:
            raise Crowded(f"{AT_ONCE} questions of {self._name} are open")
        self._open += 1
        with ExitStack() as undo:
            undo.callback(self._close)
            entries = await self._await(limit, wait, waits)
            undo.pop_all()  # the answer is sent now, and says when that is done
        self._look()
        self._remember(entries)
        kind, write = pages(style.format, style.shape, self._gateway)
        last = entries[-1] if entries else None
        cursor = msgspec.json.encode({"epoch": last.epoch, "seq": last.seq} if last else None)
        return Page(
            self._counted(write(entries, cursor)), kind, f"{last.epoch}/{last.seq}" if last else "", self._close
        )

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._part.sent += len(piece)
            yield piece

    async def ack(self, marks: Sequence[Mark]) -> int:
        self._look()
        taken: dict[Key, Entry] = {}
        doubts: list[Mark] = []
        for mark in marks:
            found = {key: entry for key, entry in self._handed.items() if _fits(mark, key)}
            whole = (mark.epoch, mark.last) in found if not mark.first else len(found) == mark.last - mark.first + 1
            if not whole:
                doubts.append(mark)
            taken |= found
        count = await self._storage.call(_settle, self._storage.store, self._name, taken, doubts)
        for key in taken:
            self._handed.pop(key, None)
        self._part.frames += count
        self._part.confirmed = time.monotonic() if count else self._part.confirmed
        return count

    async def command(self, payload: bytes) -> tuple[bool, bytes]:
        try:
            command = parse(payload)
        except Unreadable as error:
            return False, reply(error.told, error.answer, time.time_ns())
        return True, reply(command, await self._room.command(command), time.time_ns())

    def stop(self) -> None:
        """Nobody is kept waiting any more."""
        self._stopping = True

    def _look(self) -> None:
        """The store was mended: frames may have got other numbers, and what is owed is to be asked anew."""
        if self._generation != self._storage.generation:
            self._generation = self._storage.generation
            self._handed.clear()

    def _close(self) -> None:
        self._open -= 1

    async def _await(self, limit: int, wait: float, waits: Callable[[], bool]) -> list[Entry]:
        end = self._clock.mono() + int(wait * 1e9)
        with self._storage.listening() as bell:
            while True:
                bell.clear()
                entries = await self._read(limit)
                left = (end - self._clock.mono()) / 1e9
                while not (entries or bell.is_set() or self._stopping) and left > 0 and waits():
                    await waited(bell, min(left, LOOK))
                    left = (end - self._clock.mono()) / 1e9
                if entries or left <= 0 or not bell.is_set():
                    return entries

    async def _read(self, limit: int) -> list[Entry]:
        """The oldest of what is owed, in calls that do not keep commits waiting for long."""
        store, entries, samples, count = self._storage.store, list[Entry](), 0, FEW
        while len(entries) < limit and samples < MOST_SAMPLES:
            after = entries[-1].seq if entries else 0
            some = await self._storage.call(store.read, self._name, min(count, limit - len(entries)), after=after)
            if not some:
                break
            entries += some
            samples += sum(len(entry.frame.values) for entry in some)
            count = max(1, min(SLICE, (MOST_SAMPLES - samples) * len(entries) // max(1, samples)))
        now, epoch = self._clock.mono(), store.epoch
        return [entry if self._is_new(entry, epoch, now) else entry._replace(history=True) for entry in entries]

    def _is_new(self, entry: Entry, epoch: str, now: int) -> bool:
        return entry.epoch == epoch and now - entry.frame.mono <= LAG

    def _remember(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._handed[entry.epoch, entry.seq] = _bare(entry)
        for key in list(self._handed)[:-REMEMBERED]:
            del self._handed[key]


def _bare(entry: Entry) -> Entry:
    """What the ledger has to know of it: whose it is, when it was, and how many samples."""
    frame = entry.frame
    return entry._replace(frame=Frame(frame.schema, frame.ts, range(len(frame.values)), b""))


def _fits(mark: Mark, key: Key) -> bool:
    if not mark.first:
        return key[1] <= mark.last
    return key[0] == mark.epoch and mark.first <= key[1] <= mark.last


def _settle(store: Store, name: str, taken: Mapping[Key, Entry], doubts: Sequence[Mark]) -> int:
    """What was handed out is owed no longer; how many frames that were. Raises Unfit, and then nothing has changed.

    Of what was not handed out nothing may be owed: then it was acknowledged before, or given up.
    """
    for epoch, first, last in doubts:
        if not store.knows(epoch):
            raise Unfit(f"there is no run {epoch[:32]}")
        if last > store.last():
            raise Unfit(f"frame {last} of run {epoch} is not there yet")
        least = first or last
        known = sum(least <= seq <= last for _, seq in taken)
        if store.shelf.owed(name, least, last) > known:
            raise Unfit(f"of frames {least} to {last} some were not handed out since the agent was started")
    before = store.owed(name)
    store.ack(name, list(taken.values()))
    return before - store.owed(name)
