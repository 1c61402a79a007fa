"""A process that uses a store as hard as it can until it is killed, and says on stdout what it has been promised.

    python store_in_use.py PATH RUN MODE MAX_SIZE SINK…

MODE: `plain`, or `checkpoint`: one after each of many small commits.
A line is written before what it tells of can be lost, or after it can no longer be:

    epoch HEX           at the start
    try FIRST LAST      before an ack of these by the first sink is given
    done FIRST LAST     after the transaction that holds these frames
"""

import os
import random
import sys
import time
from collections import Counter

from agent.model.clock import Clock
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store

SAMPLES = 40
TAGS = tuple(Tag(f"t{j}", "float32") for j in range(SAMPLES))
DEVICES = [Schema(f"d{i // 2}", f"{i}", TAGS, made=i % 2 == 1) for i in range(5)]  # every other group is made


def say(*words: object) -> None:
    """One write for one line, so that no kill can cut it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def frames(run: int, first: int, count: int) -> list[Frame]:
    """Frames whose values say which run made them, as which seq."""
    return [
        Frame(DEVICES[seq % 5], seq, (float(run), float(seq), *(0.5,) * (SAMPLES - 2)), bytes(SAMPLES), seq)
        for seq in range(first, first + count)
    ]


class Hasty:
    """A clock by which a minute has gone by each time somebody looks, so that each round checkpoints."""

    def __init__(self) -> None:
        self._now = time.monotonic_ns()

    def __call__(self) -> int:
        self._now += 61 * 10**9
        return self._now


def main(path: str, run: int, mode: str, max_size: int, sinks: list[str]) -> None:
    dice = random.Random()
    clock = Clock(mono=Hasty()) if mode == "checkpoint" else Clock()
    store = Store.open(path, clock=clock, boot="boot", keep=1e9, max_size=max_size, reserve=0)
    store.attach(sinks)
    say("epoch", store.epoch)
    while True:
        count = dice.randint(1, 60 if mode == "plain" else 20)
        first, last = store.append(frames(run, store.next, count))
        say("done", first, last)
        store.suppress(Counter({(f"d{first % 3}", "unchanged", made): dice.randint(1, 9) for made in (False, True)}))
        for sink in sinks[:1]:
            entries = store.read(sink, dice.randint(1, 80), after=dice.choice([0, 0, first - 1]))
            if entries:
                say("try", entries[0].seq, entries[-1].seq)
                store.ack(sink, entries)
        store.tend()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:])
