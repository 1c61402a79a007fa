"""A process that uses a store as hard as it can until it is killed, and says on stdout what it has been promised.

    python store_in_use.py PATH RUN MAX_SIZE SINK…

A line is written before what it tells of can be lost, or after it can no longer be:

    epoch HEX           at the start
    try FIRST LAST      before an ack of these by the first sink is given
    done FIRST LAST     after the transaction that holds these frames
"""

import os
import random
import sys

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store

SAMPLES = 40
DEVICES = [Schema(f"d{i}", "1s", tuple(Tag(f"t{j}", "float32") for j in range(SAMPLES))) for i in range(5)]


def say(*words: object) -> None:
    """One write for one line, so that no kill can cut it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def frames(run: int, first: int, count: int) -> list[Frame]:
    """Frames whose values say which run made them, as which seq."""
    return [
        Frame(DEVICES[seq % 5], seq, (float(run), float(seq), *(0.5,) * (SAMPLES - 2)), bytes(SAMPLES), seq)
        for seq in range(first, first + count)
    ]


def main(path: str, run: int, max_size: int, sinks: list[str]) -> None:
    dice = random.Random()
    store = Store.open(path, boot="boot", keep=1e9, max_size=max_size, reserve=0)
    store.attach(sinks)
    say("epoch", store.epoch)
    following = store.stats().last_seq + 1
    while True:
        count = dice.randint(1, 60)
        first, last = store.append(frames(run, following, count))
        say("done", first, last)
        following = last + 1
        for sink in sinks[:1]:
            entries = store.read(sink, dice.randint(1, 80), after=dice.choice([0, 0, first - 1]))
            if entries:
                say("try", entries[0].seq, entries[-1].seq)
                store.ack(sink, entries)
        store.tend()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
