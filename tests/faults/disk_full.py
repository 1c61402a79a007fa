"""A process that fills a small disk with a store whose sink is down, and says on stdout what became of it.

python disk_full.py FOLDER we|others
"""

import json
import os
import sys
from pathlib import Path

from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store, peek_ledger

SCHEMA = Schema("meter", "1s", tuple(Tag(f"t{i}", "float32") for i in range(100)), 1.0)
BATCH = 50
BATCHES = 400


def frames(first: int) -> list[Frame]:
    return [Frame(SCHEMA, seq, (float(seq),) * 100, bytes(100), seq) for seq in range(first, first + BATCH)]


def fill(path: Path) -> None:
    """Another program takes all that is left."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)


def account(store: Store) -> list[int]:
    (one,) = store.ledger()
    return [one.read, one.buffered, one.dropped.get("full", 0)]


def opened(path: Path) -> Store:
    store = Store.open(path, boot="boot", keep=1e9, max_size=1 << 28, reserve=0)
    store.attach(["dead"])
    return store


def main(folder: Path, who: str) -> None:
    path, refused = folder / "data" / "store.db", 0
    store = opened(path)
    for batch in range(BATCHES):
        if who == "others" and batch == 20:
            fill(folder / "hog")
        try:
            store.append(frames(1 + batch * BATCH))
            store.tend()
        except StoreError:
            refused += 1
    said = {"refused": [refused], "account": account(store), "frames": [store.owed("dead")]}
    entries = store.read("dead", BATCH * BATCHES)
    said["seqs"] = [entries[0].seq, entries[-1].seq]
    assert all(entry.frame.values[0] == entry.seq for entry in entries)
    store.close()
    (rest,) = peek_ledger(path)
    said["at_rest"] = [rest.read, rest.buffered, rest.dropped.get("full", 0)]
    store = opened(path)
    said["again"] = account(store)
    store.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
