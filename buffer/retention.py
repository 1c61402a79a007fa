"""What leaves the file: first what every sink has, then the oldest, when time or room runs out.

A loss is written in the transaction that deletes its frames. Pages that become free are used again; the file is never
shrunk, because growing it again is what wears flash.
"""

from collections.abc import Sequence

from buffer.ledger import Part, part
from buffer.limits import Limits
from buffer.log import Log
from buffer.ranges import Range
from buffer.room import SLACK
from buffer.stats import Space, space

_HOUR = 3600 * 10**9
_PURGE_EVERY = 10 * 10**9
_CHUNK_BYTES = 1 << 20
_READABLE_TIMES = (  # a damaged row goes with its neighbours
    "SELECT ts, mono, epoch FROM frame"
    " WHERE typeof(ts) = 'integer' AND typeof(mono) = 'integer' AND typeof(epoch) = 'integer' ORDER BY seq LIMIT ?"
)
_CHUNKS = 16  # per call, so that an append never waits long
FLOOR = 8 << 20  # the newest frames stay, however little room others leave on the disk
HEADROOM = 1 << 20  # free pages inside the file while the disk has no room for it to grow


def excess(space: Space, limits: Limits) -> tuple[str, int]:
    """Which limit is passed, `size` or `reserve`, and by how many bytes; 0 bytes when all is well."""
    if space.used > limits.max_size:
        return "size", space.used - limits.max_size
    if space.free < limits.reserve:
        return "reserve", max(0, space.used - max(FLOOR, space.file - HEADROOM))
    return "", 0


class Share:
    """5 % of the frames per hour of running, whatever the clock on the wall says; the first hour has none."""

    def __init__(self, mono: int) -> None:
        self._since = mono
        self._left = 0

    def left(self, mono: int, frames: int) -> int:
        """How many of so many frames may still go."""
        if mono - self._since >= _HOUR:
            self._since, self._left = mono, max(1, frames // 20)
        return self._left

    def spend(self, frames: int) -> None:
        self._left -= frames


class Retention:
    """Deletes from one log, by its limits."""

    def __init__(self, log: Log, limits: Limits) -> None:
        self._log = log
        self.limits = limits
        self._share = Share(log.clock.mono())
        self._purged: int | None = None

    def limit(self, limits: Limits) -> None:
        """Keep so much from now on; the file grows as the disk lets it, and is never cut."""
        self.limits = self._log.limits = limits
        self._log.room.limit(limits.max_size + SLACK)

    def space(self) -> Space:
        return space(self._log.connection, self._log.room.free)

    def tend(self, *, attached: bool) -> None:
        """Delete what may go. Frames that no sink was ever named for stay until a limit is passed."""
        if attached:
            self._purge(now=False)
        self._by_age()
        self._by_room(attached=attached)
        self._log.room.keep_ballast()

    def make_room(self, need: int, *, attached: bool) -> bool:
        """A commit of `need` bytes found none: take more of the disk, or give up the oldest; False if there is none."""
        self._log.checkpoint()
        if self._log.room.take(need) or (attached and self._purge(now=True)):
            return True
        oldest = self._log.present.head(self._chunk())
        if oldest:
            self._drop(oldest, "size" if self.space().file >= self.limits.max_size else "full")
        return bool(oldest)

    def _purge(self, *, now: bool) -> bool:
        """Delete frames that every sink has; small amounts wait, because each purge costs writes."""
        gone = self._log.present.minus(held for sink in self._log.sinks.values() for held in sink.held)
        chunk, mono = self._chunk(), self._log.clock.mono()
        recent = self._purged is not None and mono - self._purged < _PURGE_EVERY
        if not gone.size or (recent and gone.size < chunk and not now):
            return False
        self._purged = mono
        for _ in range(_CHUNKS):
            ranges = gone.head(chunk)
            if not ranges:
                break
            self._delete(ranges)
            gone.remove(ranges[0][0], ranges[-1][1])
        return True

    def _by_age(self) -> None:
        for _ in range(_CHUNKS):
            if not any(self._expired(1)):
                return
            trusted, guessed = self._expired(self._chunk())
            self._share.spend(guessed)
            self._drop(self._log.present.head(trusted + guessed), "age")

    def _expired(self, limit: int) -> tuple[int, int]:
        """How many of the oldest frames are too old.

        One of this boot is judged by the clock that never steps. Another only by the clock on the wall, so that is a
        guess, and guesses are rationed.
        """
        wall, mono, keep = self._log.clock.wall(), self._log.clock.mono(), self.limits.keep
        allowed = self._share.left(mono, self._log.present.size) if self._log.clocks.trusted else 0
        trusted = guessed = 0
        for ts, then, epoch in self._log.connection.execute(_READABLE_TIMES, (limit,)).fetchall():
            started = self._log.epochs.get(epoch)
            if then and started and started.boot == self._log.epoch.boot:
                if mono - then <= keep:
                    break
                trusted += 1
            else:
                if wall - ts <= keep or guessed == allowed:
                    break
                guessed += 1
        return trusted, guessed

    def _by_room(self, *, attached: bool) -> None:
        for _ in range(_CHUNKS):
            space = self.space()
            reason, over = excess(space, self.limits)
            frames = self._log.present.size
            if not over or not frames:
                return
            if attached and self._purge(now=True):
                continue
            count = min(self._chunk(), 1 + frames * over // space.used)
            self._drop(self._log.present.head(count), reason)

    def _chunk(self) -> int:
        """How many frames are about 1 MB: a transaction that deletes more would make the -wal file large."""
        space, frames = self.space(), self._log.present.size
        return min(1024, max(16, _CHUNK_BYTES * frames // max(space.used, 1)))

    def parts(self, ranges: Sequence[Range]) -> dict[int, Part]:
        """What the ledger needs to know of the frames in these ranges."""
        query = "SELECT seq, schema, n, ts FROM frame WHERE seq BETWEEN ? AND ?"
        rows = [row for span in ranges for row in self._log.connection.execute(query, span).fetchall()]
        return {seq: part(self._log.schemas.device(schema), n, ts) for seq, schema, n, ts in rows}

    def _drop(self, ranges: Sequence[Range], reason: str) -> None:
        with self._log.all_or_nothing():
            self._log.lose(self.parts(ranges), ranges, reason)
            self._delete(ranges)

    def _delete(self, ranges: Sequence[Range]) -> None:
        self._log.delete(ranges)
        self._log.unsaved += _CHUNK_BYTES // 4
