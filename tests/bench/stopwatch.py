"""Processor time of small things, and frames to try them on."""

import random
import struct
import time
from collections.abc import Callable

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag

TAGS = 100


def cpu_us(work: Callable[[], object], times: int) -> float:
    """µs of processor time per call, all threads; the best of three rounds, because other work only ever adds."""
    work()
    return min(_round(work, times) for _ in range(3))


def _round(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def schema(device: str = "d000", tags: int = TAGS) -> Schema:
    return Schema(device, "1s", tuple(Tag(f"t{i:03d}", "float32") for i in range(tags)), 1.0)


def frame(of: Schema) -> Frame:
    """As many numbers as the schema has tags, as a float32 register gives them."""
    singles = struct.Struct(f"{len(of.tags)}f")
    values = singles.unpack(singles.pack(*(random.uniform(0, 1000) for _ in of.tags)))
    return Frame(of, time.time_ns(), values, bytes(len(values)), time.monotonic_ns())
