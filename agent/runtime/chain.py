"""The chain that runs through the rows of the audit: each carries a SHA-256 over the row before it and its own content.

A row that was changed, taken out or put somewhere else does not fit any more, and neither does any after it. The end of
a chain proves nothing by itself, so the newest link stands in a second file too, `audit.head`. Who may write both files
can make them anew as they like: against that only a copy of a link elsewhere helps, such as in a log that is collected.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from agent.model import host

HEAD = "audit.head"
_WIDTH = 160  # bytes of the file: always the same, so that it needs no room on a full disk


class Link(NamedTuple):
    """A row's number in the chain, counted from 1, and its hash."""

    n: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.n}:{self.hash.hex()}"


START = Link(0, bytes(32))


class Row(NamedTuple):
    """A row as it stands: `table` and `id` name it, `content` is all of it but its link."""

    table: str
    id: int
    link: Link
    content: tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: the links before the first row and of the last one that fits, how many do, the first fault."""

    first: Link
    last: Link
    rows: int
    fault: str = ""


def follow(before: Link, table: str, content: Iterable[str | int | None]) -> Link:
    """The link of a row that comes after `before`."""
    text = json.dumps([table, before.n + 1, *content], ensure_ascii=True, separators=(",", ":"))
    return Link(before.n + 1, sha256(before.hash + text.encode()).digest())


def verify(base: Link, rows: Iterable[Row], head: Link | None) -> Verdict:
    """Follow the chain from the link before its first row; `head` is what the second file says, None without one."""
    at, count, passed = base, 0, head is not None and head == base
    for row in rows:
        if fault := _misfit(at, row):
            return Verdict(base, at, count, fault)
        at, count = row.link, count + 1
        if head is not None and at.n == head.n:
            if at.hash != head.hash:
                what = f"row {at.n}: {HEAD} knows another one, so the rows up to it were made anew"
                return Verdict(base, at, count, what)
            passed = True
    return Verdict(base, at, count, "" if passed else _missing_end(at, head))


def _misfit(at: Link, row: Row) -> str:
    where = f"row {row.link.n} ({row.table} {row.id})"
    if row.link.n != at.n + 1:
        return f"{where}: row {at.n + 1} is missing before it, or stands somewhere else"
    if row.link.hash != follow(at, row.table, row.content).hash:
        return f"{where}: does not fit: it was changed, or put here"
    return ""


def _missing_end(at: Link, head: Link | None) -> str:
    if head is None:
        return f"after row {at.n}: {HEAD} is missing or damaged, so rows may be missing at the end"
    if head.n < at.n:
        return f"row {head.n}: {HEAD} knows it, and it is not in the file any more"
    return f"after row {at.n}: rows up to {head.n} are missing at the end"


def read_head(folder: Path) -> Link | None:
    """None when there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found: Any = json.loads((folder / HEAD).read_bytes())
        return Link(int(found["n"]), bytes.fromhex(found["hash"]))
    return None


def advance(folder: Path, link: Link) -> None:
    """Note the newest link, on the disk when this returns; never an older one than is there. Raises OSError."""
    fd = os.open(folder / HEAD, os.O_RDWR | os.O_CREAT | host.RAW, 0o600)
    try:
        host.lock(fd)
        before = read_head(folder)
        if before is None or before.n < link.n:
            text = json.dumps({"n": link.n, "hash": link.hash.hex()})
            host.pwrite(fd, text.encode().ljust(_WIDTH - 1) + b"\n", 0)
            os.fsync(fd)
    finally:
        os.close(fd)  # which lets go of it
