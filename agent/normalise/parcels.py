"""A state in values that the store calls small: cut, numbered, and put together again only when it is whole."""

from collections.abc import Mapping
from zlib import crc32

PIECE = 60_000  # bytes; the store takes 64 KB
_HEAD = 4 + 4  # bytes: checksum, and how many pieces there are


def parcels(key: str, state: bytes) -> dict[str, bytes]:
    """The state in pieces, as values by key."""
    pieces = [state[at : at + PIECE] for at in range(0, len(state), PIECE)] or [b""]
    head = crc32(state).to_bytes(4, "big") + len(pieces).to_bytes(4, "big")
    return dict(zip(keys_of(key, len(pieces)), [head + piece for piece in pieces], strict=True))


def keys_of(key: str, pieces: int) -> list[str]:
    """The keys of so many pieces."""
    return [f"{key}/{index}" for index in range(pieces)]


def count(state: bytes) -> int:
    """How many pieces it takes."""
    return max(1, -(-len(state) // PIECE))


def join(values: Mapping[str, bytes]) -> dict[str, bytes]:
    """The states whose pieces are all there and fit together."""
    found: dict[str, bytes] = {}
    for first, value in values.items():
        key, _, index = first.rpartition("/")
        if index == "0" and len(value) >= _HEAD:
            head, count = value[:_HEAD], int.from_bytes(value[4:_HEAD], "big")
            pieces = [values.get(f"{key}/{place}", b"") for place in range(min(count, len(values)))]
            state = b"".join(piece[_HEAD:] for piece in pieces)
            if all(piece[:_HEAD] == head for piece in pieces) and crc32(state).to_bytes(4, "big") == head[:4]:
                found[key] = state
    return found
