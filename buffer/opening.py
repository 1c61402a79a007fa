"""The log of a file, open for one run: the file made or migrated, what is missing accounted for, a new epoch begun."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from agent.model.clock import Clock
from buffer import rollback
from buffer.database import MEMORY, connect, mapped
from buffer.growth import full_size
from buffer.limits import Limits
from buffer.log import Log
from buffer.room import SLACK, Disk, Memory
from buffer.witness import FileWitness, Nobody, place, testimony

ENDLESS = 2**63 - 1


def opened(path: Path, boot: str, clock: Clock, limits: Limits, tell: Callable[[str], None]) -> tuple[Log, int, int]:
    """The log, how many frames the file had before and has not any more, and the seq that came next when it was opened.

    Raises StoreError.
    """
    said = testimony(place(path))
    connection = connect(path, full_size(path, limits.max_size, limits.reserve), tell)
    with mapped(path), ExitStack() as undo:
        undo.callback(connection.close)
        log = Log(connection, clock)
        room = Disk(connection, path, limits.max_size + SLACK)
        undo.callback(room.close)
        undo.callback(connection.close)  # before the room, which would take the locks away
        missing = rollback.account(log, said, clock) if said else 0
        witness = FileWitness(place(path), log.file)
        undo.callback(witness.close)
        first, log.limits = log.next, limits
        log.begin(boot, room, witness)
        room.keep_ballast(spare=0)
        undo.pop_all()
    return log, missing, first


def unkept(clock: Clock, boot: str, max_size: int, first: int) -> tuple[Log, Limits]:
    """A log that lies in memory, with `first` as its first seq, and how much it may hold. It has no id."""
    log, limits = Log(connect(MEMORY), clock), Limits(ENDLESS, max_size, 0)
    log.next, log.file, log.limits = first, b"", limits
    log.begin(boot, Memory(), Nobody())
    return log, limits
