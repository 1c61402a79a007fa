"""A backup into files of a data directory, all of them new, beside those that are there."""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.archive.container import Facts, Reader
from agent.cli.archive.frames import FRAMES, MOST_TABLES, TABLES, whole, write
from agent.cli.archive.swapping import FOLDER, NEW, PINS, PKI, hand_over, settled
from agent.cli.archive.taking import DATA, MOST_FILE, SITE, is_hidden
from agent.model import host
from agent.model.clock import SYSTEM
from agent.model.errors import AgentError, StoreError
from agent.runtime.app import STORE
from agent.runtime.audit import Entry, audit, somebody
from agent.runtime.audit_file import FILE as AUDIT
from agent.runtime.chain import HEAD
from agent.runtime.history import FOLDER as HISTORY
from buffer.rest import resting

MOST_AUDIT = 1 << 30  # bytes
MOST_SITE = 128 << 20  # bytes of all files of the configuration
LONGEST = 200  # bytes of a part of a name
DEEPEST = 8
_SPARE = 64 << 20  # bytes of the disk that stay free


@dataclass(slots=True)
class Put:
    """What came of it. `aside` is where the old files are, None when there were none."""

    facts: Facts
    instance: str = ""
    frames: int = 0
    aside: Path | None = None
    remarks: list[str] = field(default_factory=list)


def check(archive: Reader, data: Path) -> None:
    """That all members have names that we give, and that there is room. Raises AgentError."""
    for name in archive.names:
        _place(name)
    if {FRAMES, TABLES} - {*archive.names}:
        raise AgentError("there is no store in this backup", hint="take another one; nothing was changed")
    free, need = host.free(data), archive.size * 5 // 4 + _SPARE
    if free < need:
        what = f"{data}: {need >> 20} MB are needed and {free >> 20} MB are free"
        raise AgentError(what, hint="free some space, or name another directory with --data")


def stage(archive: Reader, source: Path, data: Path, done: Callable[[int], None]) -> Put:
    """Make all files anew in the folder beside, where nothing is in their way. Raises AgentError and OSError."""
    folder = data / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        new = folder / NEW
        new.mkdir(mode=0o700)
        found = whole(archive.read(TABLES, MOST_TABLES), source)
        made = write(new / STORE, source, found, archive.chunks(FRAMES), done)
        put = Put(archive.facts, made.instance, made.frames)
        for name in archive.names:
            where = _place(name)
            if where[0] == DATA:
                _write(new, where[1:], archive, name)
        with resting(new / STORE) as store:
            store.ledger()
        _tell(new, source, archive.facts, made.before, put)
        _settle(folder)
        undo.pop_all()
    return put


def site(archive: Reader) -> dict[Path, bytes]:
    """The files of the configuration by their paths below the folder of the site file. Raises AgentError."""
    found, left = dict[Path, bytes](), MOST_SITE
    for name in archive.names:
        if name.startswith(f"{SITE}/"):
            found[Path(*_place(name)[1:])] = content = archive.read(name, left)
            left -= len(content)
    return found


def _place(name: str) -> tuple[str, ...]:
    """The parts of a member's name. Raises AgentError for one that we would not give."""
    parts = tuple(name.split("/"))
    known = name in (FRAMES, TABLES) or (len(parts) > 1 and parts[0] == SITE and not is_hidden(parts))
    known |= len(parts) == 2 and parts[0] == DATA and parts[1] in (AUDIT, HEAD)
    known |= len(parts) > 2 and parts[0] == DATA and parts[1] in (HISTORY, PKI, PINS)
    if not known or len(parts) > DEEPEST or not all(map(_is_part, parts)):
        raise AgentError(
            f"the backup has a member that is none: {name[:80]!r}", hint="take another one; nothing was changed"
        )
    return parts


def _is_part(part: str) -> bool:
    return bool(
        part and part not in (".", "..") and part.isprintable() and "\\" not in part and len(part.encode()) <= LONGEST
    )


def _write(folder: Path, inside: tuple[str, ...], archive: Reader, name: str) -> None:
    for part in inside[:-1]:
        folder /= part
        folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / inside[-1]
    most, size = MOST_AUDIT if path.name == AUDIT else MOST_FILE, 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.NOFOLLOW | host.RAW, 0o600), "wb") as file:
        for chunk in archive.chunks(name):
            size += len(chunk)
            if size > most:
                raise AgentError(f"{name} is larger than {most >> 20} MB", hint="take another backup")
            file.write(chunk)


def _tell(new: Path, source: Path, facts: Facts, before: str, put: Put) -> None:
    """The audit says that this is another instance from here on."""
    made = f"backup of {facts.gateway or 'a gateway'} by floorgate {facts.floorgate}, made at {facts.made}"
    entry = Entry("$gateway", str(source), "instance", before or None, put.instance, made)
    try:
        with audit(new) as book:
            number = book.begin(somebody(), entry, lambda _: None, SYSTEM.wall())
            book.end(number, "done", put.instance, "", SYSTEM.wall())
    except StoreError as error:
        put.remarks.append(f"the audit does not tell of the restore: {error}")


def _settle(folder: Path) -> None:
    """All of it is on the disk, and belongs to whom the data directory does."""
    for path in (folder, *folder.rglob("*")):
        hand_over(path, folder.parent)
        settled(path)
