"""Takes over what a store in memory holds when the disk works again: the same frames under the same names."""

from buffer.clocks import Event
from buffer.codec import checksum
from buffer.debtor import Debtor
from buffer.epochs import Epoch
from buffer.ledger import Loss, written_counts
from buffer.log import Log

_SELECT = "SELECT seq, schema, ts, mono, n, body FROM frame ORDER BY seq"
_INSERT = "INSERT INTO frame (seq, epoch, schema, ts, mono, n, crc, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_CLOCK = "SELECT boot_id, mono, before, after, synced, reported FROM clock ORDER BY id"
_INSERT_CLOCK = "INSERT INTO clock (boot_id, mono, before, after, synced, reported) VALUES (?, ?, ?, ?, ?, ?)"
_LOSSES = "SELECT sink, from_seq, to_seq, samples, t0, t1, reason, at FROM loss"


def adopt(log: Log, other: Log) -> int:
    """Frames, debts, accounts and state of `other` in one transaction; by how much their seqs went up, usually 0.

    Raises sqlite3.Error; then nothing has changed in the file, and `log` must not be used any more.

    Its frames keep their epoch and seq. Only if those numbers are taken (nobody knew how far the file had come when the
    memory began) they move up.
    """
    with other.transaction():
        pass
    first = min(other.present.first or other.next, other.next)
    shift = max(0, log.next - first)
    epoch = Epoch(log.last_epoch() + 1, other.epoch.eid, other.epoch.boot, other.epoch.started)
    sinks = {sink.id: _sink(log, sink) for sink in other.sinks.values()}
    rows = []
    for seq, schema, ts, mono, n, body in other.connection.execute(_SELECT).fetchall():
        known = other.schemas.get(schema)
        if known is not None:
            id_ = log.schemas.known(known).id
            crc = checksum(body, seq + shift, epoch.eid, ts, mono, id_, n)
            rows.append((seq + shift, epoch.id, id_, ts, mono, n, crc, body))
    for sink in other.sinks.values():
        mine = sinks[sink.id]
        for ours, theirs in zip(mine.held, sink.held, strict=True):
            for low, high in theirs:
                ours.add(low + shift, high + shift)
        mine.acked, mine.changed = max(mine.acked, sink.acked + shift if sink.acked else 0), True
    for (of, device, what, reason), samples in written_counts(other.connection).items():
        log.books.count(sinks[of].id, device, what, samples, reason)
    for of, low, high, *rest in other.connection.execute(_LOSSES).fetchall():
        log.books.losses.append(Loss(sinks[of].id, low + shift, high + shift, *rest))
    log.samples += other.samples
    log.next = max(log.next, other.next + shift)
    for row in rows:
        log.present.add(row[0], row[0])
    log.state.put({**dict.fromkeys(other.state.forgotten), **dict(other.state.items())})
    clock = other.connection.execute(_CLOCK).fetchall()
    with log.transaction():
        epoch.insert(log.connection)
        log.connection.executemany(_INSERT, rows)
        log.connection.executemany(_INSERT_CLOCK, clock)
    log.epochs[epoch.id] = epoch
    log.clocks.adopt((Event(*row[:5]) for row in clock), log.epochs.values())
    return shift


def _sink(log: Log, other: Debtor) -> Debtor:
    if other.name not in log.sinks:
        id_ = max((sink.id for sink in log.sinks.values()), default=0) + 1
        log.sinks[other.name] = Debtor(id_, other.name, other.since)
    return log.sinks[other.name]
