"""How full the store is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """How full the store is.

    `frames` are in the file and take `bytes` of at most `limit`; `file_bytes` is the size of the main file,
    `free_bytes` the room on its disk; `oldest` is a ts in ns UTC (0: no frame), `last_seq` the last one given; `owed`
    counts frames by sink, and `aside` those that it refused.
    """

    frames: int
    bytes: int
    limit: int
    file_bytes: int
    free_bytes: int
    oldest: int
    last_seq: int
    owed: dict[str, int]
    aside: dict[str, int]
