"""How much may be set aside for a sink: what it refuses is kept for a person to look at, not for ever."""

from buffer.debtor import Debtor
from buffer.log import Log
from buffer.ranges import Range

MOST_FRAMES = 1000
MOST_BYTES = 16 << 20
_SIZES = "SELECT seq, length(body) FROM frame WHERE seq BETWEEN ? AND ?"


def excess(log: Log, sink: Debtor) -> list[Range]:
    """The oldest frames that are aside for `sink` beyond the bounds."""
    if not sink.aside:
        return []
    over = sink.aside.head(sink.aside.size - MOST_FRAMES)
    rows = [row for span in sink.aside for row in log.connection.execute(_SIZES, span).fetchall()]
    size = sum(length for _, length in rows)
    for seq, length in rows:
        if size <= MOST_BYTES:
            break
        size -= length
        over.append((seq, seq))
    return over
