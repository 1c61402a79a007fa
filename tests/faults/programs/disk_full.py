"""A process that uses a store whose sink is down on a small disk, and says on stdout what became of it.

    python disk_full.py FOLDER WHEN

WHEN: `we` the store fills the disk itself; `others` another program does, while it runs; `before` it did before the
store is opened.
"""

import json
import os
import sys
import time
from pathlib import Path

from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.rest import peek_ledger
from buffer.store import Store

SCHEMA = Schema("meter", "1s", tuple(Tag(f"t{i}", "float32") for i in range(100)), 1.0)
BATCH = 50
BATCHES = 2000


def frames(first: int) -> list[Frame]:
    return [Frame(SCHEMA, seq, (float(seq),) * 100, bytes(100), seq) for seq in range(first, first + BATCH)]


def fill(path: Path) -> int:
    """Another program takes all that is left; how many bytes that leaves."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize


def account(store: Store) -> list[int]:
    (one,) = [account for account in store.ledger() if account.device == "meter"]
    return [one.read, one.buffered, one.dropped.get("full", 0)]


def opened(path: Path) -> Store:
    store = Store.open(path, boot="boot", keep=1e9, max_size=1 << 28, reserve=0)
    store.attach(["dead"])
    return store


def main(folder: Path, when: str) -> None:
    path, refused, added, free = folder / "data" / "store.db", 0, 0, 0
    path.parent.mkdir()
    if when == "before":
        opened(path).close()
        free = fill(folder / "hog")
    began = time.monotonic()
    store = opened(path)
    seconds = time.monotonic() - began
    cramped = store.cramped()
    for batch in range(BATCHES):
        if when == "others" and batch == 20:
            free = fill(folder / "hog")
        try:
            store.append(frames(store.next))
            added += BATCH
            store.tend()
            cramped |= store.cramped()
        except StoreError:
            refused += 1
    read, buffered, dropped = account(store)
    entries = [e for e in store.read("dead", 1 << 30) if e.frame.schema is SCHEMA or e.frame.schema.device == "meter"]
    wrong = sum(entry.frame.values[0] != entry.seq for entry in entries)
    before = account(store)
    store.close()
    at_rest = [one for one in peek_ledger(path) if one.device == "meter"]
    store = opened(path)
    changed = account(store) != before or [at_rest[0].read, at_rest[0].buffered] != before[:2]
    store.close()
    missing = added * len(SCHEMA.tags) - buffered - dropped
    said = {"seconds": seconds, "cramped": cramped, "refused": refused, "missing": missing, "wrong": wrong}
    said |= {"read": read, "dropped": dropped, "changed": changed, "free": free}
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
