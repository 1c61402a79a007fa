"""The log of a file, open for one run: the file made or migrated, what is missing accounted for, a new epoch begun."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from agent.model.clock import Clock
from buffer import rollback
from buffer.database import connect, mapped
from buffer.growth import full_size
from buffer.limits import Limits
from buffer.log import Log
from buffer.room import SLACK, Disk
from buffer.witness import FileWitness, place, testimony


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
