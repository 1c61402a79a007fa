"""Frames and what goes with them, in one transaction: all of it is on the disk afterwards, or none."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack

from agent.model.frame import Frame
from buffer.ledger import Source, origin
from buffer.log import Log
from buffer.rows import INSERT, to_rows
from buffer.state import Kept

Mark = tuple[str, int, int]  # a statement, and its parameters: a seq and a row


def commit(log: Log, frames: Sequence[Frame], kept: Kept, marks: Sequence[Mark]) -> tuple[list[Frame], list[int]]:
    """The frames as they can be read back, and the bytes of each. Raises sqlite3.Error; then nothing has changed.

    `kept` is the state that belongs to these frames: no other transaction writes it before them.
    """
    first, last = log.next, log.next + len(frames) - 1
    rows, written = to_rows(log, frames, first)
    samples: defaultdict[Source, int] = defaultdict(int)
    for frame in written:
        samples[frame.schema.device, origin(made=frame.schema.made)] += len(frame.values)
    with ExitStack() as undo:
        undo.callback(log.withdraw, first, last, samples)
        log.admit(first, last, samples)
        undo.callback(log.state.put_back, log.state.put(kept))
        with log.transaction(settle=log.due):
            log.connection.executemany(INSERT, rows)
            for statement, seq, row in marks:
                log.connection.execute(statement, (seq, row))
        undo.pop_all()
    sizes = [len(row[-1]) for row in rows]
    log.unsaved += sum(sizes)
    return written, sizes


def flush(log: Log, kept: Kept) -> None:
    """What waits for a commit, and this state, without frames. Raises sqlite3.Error."""
    with ExitStack() as undo:
        undo.callback(log.state.put_back, log.state.put(kept))
        if log.waiting:
            with log.transaction():
                pass
        undo.pop_all()
