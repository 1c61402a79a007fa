"""A store that went back in time: frames that were committed and are not there any more are written down as lost."""

from agent.model.clock import Clock
from buffer.debtor import Debtor
from buffer.log import Log
from buffer.ranges import Range, Ranges
from buffer.witness import Testimony


def account(log: Log, said: Testimony, clock: Clock) -> int:
    """Compare the file with what the witness saw, before a new epoch begins; how many frames are missing.

    The same file that has come less far was rolled back: a -wal file was deleted, a copy was put in its place, the disk
    lied about a flush. Another file means that the one before is gone with all that its sinks were owed.
    """
    first = log.next if said.file == log.file else 1
    if said.last < first or (said.file != log.file and log.next > 1):
        return 0
    frames = said.last - first + 1
    samples = max(0, said.samples - log.samples)
    for name, (id_, debt) in said.sinks.items():
        sink = log.sinks.setdefault(name, Debtor(id_, name, first))
        lost = _lost(debt, said, first)
        if lost:
            share = samples * sum(b - a + 1 for a, b in lost) // frames
            log.books.lose_unseen(sink.id, lost, share, "rollback", clock.wall())
        sink.acked, sink.changed = said.last, True
    log.next, log.samples = said.last + 1, said.samples
    return frames


def _lost(debt: Ranges, said: Testimony, first: int) -> list[Range]:
    """Of the frames that are gone, those that a sink was still owed; of the last second nobody knows, so all."""
    unknown = (max(first, said.settled + 1), said.last)
    known = debt.within(first, said.settled)
    return [*known, unknown] if unknown[0] <= unknown[1] else known
