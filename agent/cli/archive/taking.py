"""What goes into a backup: the store as it stands at one moment, and the files beside it.

A running agent is asked for the store piece by piece, as `floorgate store` asks, so that its commits never wait long;
one that is at rest is read. The audit is copied by SQLite, which lets writers pass; files that are replaced as a whole
are read as they are.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import msgspec

from agent.cli.archive.container import PIECE, Facts, Writer
from agent.cli.archive.frames import FRAMES, TABLES, Flow
from agent.cli.archive.swapping import PINS, PKI
from agent.cli.ask import Agent, find
from agent.cli.commission.walk import STATE
from agent.config import Files, configs_dir, load
from agent.config.parts import read_parts
from agent.config.problems import Report
from agent.model import host
from agent.model.clock import SYSTEM
from agent.model.errors import AgentError, ConfigError, StoreError
from agent.runtime.app import STORE
from agent.runtime.audit_file import FILE as AUDIT
from agent.runtime.audit_file import mapped
from agent.runtime.chain import HEAD
from agent.runtime.history import FOLDER as HISTORY
from agent.runtime.history import History
from buffer.copying import Piece
from buffer.rest import copied

KEYS = ("own", "own.new", "old")  # folders of pki/ with private keys
COMMISSIONING = "commissioning"
DATA, SITE = "data", "site"
MOST_FILE = 64 << 20  # bytes of a file beside the store
MOST_FILES = 3000
_piece = msgspec.msgpack.Decoder(tuple[str, Piece]).decode


@dataclass(slots=True)
class Taken:
    """What came of it; `left_out` says of what is not in the archive why."""

    facts: Facts
    bytes: int = 0
    left_out: list[str] = field(default_factory=list)


class Store:
    """The store of a data directory, at work or at rest."""

    def __init__(self, piece: Callable[[int], Piece], frames: int, instance: str) -> None:
        self.piece, self.frames, self.instance = piece, frames, instance


@contextmanager
def store(data: Path) -> Iterator[Store]:
    """Raises StoreError."""
    with find(data) as agent:
        if agent is not None:
            stats = agent.get("/api/v1/store/stats")
            yield Store(_asked(agent), int(stats["frames"]), str(stats.get("instance", "")))
            return
    with copied(data / STORE) as copier:
        yield Store(copier.piece, copier.count(), copier.instance())


def _asked(agent: Agent) -> Callable[[int], Piece]:
    """The pieces of one run of the agent: what a store that was mended meanwhile has is not their continuation."""
    first = ""

    def piece(cursor: int) -> Piece:
        nonlocal first
        run, found = _piece(agent.ask("/api/v1/store/copy", None, after=cursor))
        first = first or run
        if run != first:
            raise StoreError("the store was mended while it was copied", hint="run the command again")
        return found

    return piece


def take(out: Writer, data: Path, config: Path | None, *, keys: bool, done: Callable[[int], None]) -> Taken:
    """Everything, into the archive; `done` is told how many frames there are so far. Raises AgentError and OSError."""
    left_out: list[str] = []
    with store(data) as found:
        flow = Flow(found.piece, done)
        out.add(FRAMES, flow.blocks(), level=1)
        out.add(TABLES, [flow.whole])
        instance = found.instance
    _audit(out, data)
    _history(out, data)
    for name in (PKI, PINS):
        _folder(out, data / name, f"{DATA}/{name}", () if keys else KEYS, left_out)
    gateway, site = _site(out, data, config, left_out)
    has_key = any(member.name.startswith(f"{DATA}/{PKI}/{each}/") for member in out.members for each in KEYS)
    facts = Facts(SYSTEM.wall() // 10**6, gateway, instance, site, flow.frames, has_key)
    return Taken(facts, sum(member.size for member in out.members), left_out)


def _audit(out: Writer, data: Path) -> None:
    """A copy of the audit, and the end of its chain as it was before."""
    path = data / AUDIT
    if not path.exists():
        return
    head = _content(data / HEAD, MOST_FILE)
    part = out.path.with_name(f".{out.path.name}.audit")
    try:
        part.unlink(missing_ok=True)  # of a backup that was killed
        with mapped(path, "may this user read it?"):
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.NOFOLLOW | host.RAW, 0o600))
            alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
            address = f"file:{quote(str(path.absolute()))}?mode=ro{alone}"
            with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy, pages=1000)
                copy.execute("PRAGMA journal_mode=DELETE").fetchall()
        out.add(f"{DATA}/{AUDIT}", _chunks(part))
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    if head is not None:
        out.add(f"{DATA}/{HEAD}", [head])


def _history(out: Writer, data: Path) -> None:
    """While nobody changes it."""
    folder = data / HISTORY
    if not folder.is_dir():
        return
    with host.alone(folder):
        for path in sorted(folder.iterdir()):
            if path.suffix in (".json", ".zip") and path.is_file() and not path.name.startswith("."):
                out.add(f"{DATA}/{HISTORY}/{path.name}", _chunks(path))


def _folder(out: Writer, folder: Path, name: str, without: tuple[str, ...], left_out: list[str]) -> None:
    """The files of a folder and of those in it; locks and what is being written are none."""
    count = 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        inside = path.relative_to(folder)
        if not path.is_file() or path.is_symlink() or path.name.startswith(".") or path.suffix == ".lock":
            continue
        if inside.parts[0] in without:
            left_out.append(f"{path}: without keys")
        elif count >= MOST_FILES or path.stat().st_size > MOST_FILE:
            left_out.append(f"{path}: too much")
        else:
            count += 1
            out.add(f"{name}/{inside.as_posix()}", _chunks(path))


def _site(out: Writer, data: Path, config: Path | None, left_out: list[str]) -> tuple[str, str]:
    """The files of the configuration, below the folder of the site file; the gateway, and where that file stands."""
    file, taken, gateway = _configured(data, config)
    if file is None:
        left_out.append("the configuration: the history does not know which runs, name its file with -c")
        return "", ""
    folder = file.parent
    for path, content in taken.items():
        if path.is_relative_to(folder) and is_hidden(path.relative_to(folder).parts):
            left_out.append(f"{path}: it, or a folder of it, is hidden: its name begins with a point")
        elif path.is_relative_to(folder):
            out.add(f"{SITE}/{path.relative_to(folder).as_posix()}", [content])
        elif not path.is_relative_to(configs_dir()):
            left_out.append(f"{path}: it does not stand below {folder}")
    answers = _content(folder / COMMISSIONING / STATE, MOST_FILE)
    if answers is not None:
        out.add(f"{SITE}/{COMMISSIONING}/{STATE}", [answers])
    return gateway, str(file)


def is_hidden(parts: Iterable[str]) -> bool:
    """A restore writes no `.ssh/authorized_keys` beside the site file, whoever made the archive."""
    return any(part.startswith(".") for part in parts)


def _configured(data: Path, config: Path | None) -> tuple[Path | None, dict[Path, bytes], str]:
    """The site file, all files that it is made of, and the gateway's id, as far as they can be known."""
    files = Files()
    if config is None:
        history = History(data)
        state = history.state()
        if not state.running:
            return None, {}, ""
        version = state[state.running]
        config = Path(version.file)
        files = Files(history.content(version.n))
    gateway = ""
    with suppress(ConfigError):
        gateway = load(config, files=files).gateway.id
    root = None if gateway else read_parts(config, os.environ, Report(), files)
    if root and isinstance(said := root.get("gateway"), dict):
        gateway = str(said.get("id", ""))
    if config.absolute() not in files.taken:
        raise AgentError(f"{config}: cannot be read", hint="is it there, and may this user read it?")
    return config.absolute(), dict(files.taken), gateway


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(PIECE):
            yield chunk


def _content(path: Path, most: int) -> bytes | None:
    """None when it is not there."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return None
