"""The file: opened by one process only, with the settings that the promise rests on; SQLite's errors mapped here."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from agent import __version__
from agent.model import host, rights
from agent.model.errors import Damaged, DiskFailed, Forbidden, Newer, StoreError
from buffer import wayback
from buffer.growth import grow
from buffer.older import look_like_newest

VERSION = 3
MEMORY = Path(":memory:")
APPLICATION_ID = 0x464C4754  # "FLGT" at byte 68 of the file
PROGRAM = "SELECT v FROM meta WHERE k = 'program'"  # the version that wrote the file last
_LOCK_TIMEOUT = 0.5  # seconds: who looks into the file for a moment is waited for, another agent is not
_SETTINGS = (
    "page_size=4096",
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=0",
    "mmap_size=0",
    "trusted_schema=OFF",
    "secure_delete=OFF",
    "temp_store=MEMORY",
)
_IN_USE = (StoreError, "is in use by another process", "is another floorgate running on this data directory?")
_DAMAGED = (Damaged, "is damaged", "floorgate run sets it aside and saves what it can")
_REASONS: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_FULL: (DiskFailed, "cannot grow: the disk is full", "free some space; what was committed is safe"),
    sqlite3.SQLITE_IOERR: (DiskFailed, "cannot be read or written", "look at the disk: dmesg, smartctl"),
    sqlite3.SQLITE_READONLY: (DiskFailed, "may not be written", "is the file system read-only? who owns the file?"),
    sqlite3.SQLITE_CANTOPEN: (DiskFailed, "cannot be opened", "may this user read and write its directory?"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_FAILED: tuple[type[StoreError], str, str] = (StoreError, "failed", "")


def code(error: sqlite3.Error) -> int:
    """The primary result code; 0 for an error that did not come from SQLite itself."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """SQLite's errors, and the operating system's, as StoreError, DiskFailed or Damaged."""
    try:
        yield
    except sqlite3.Error as error:
        kind, what, hint = _REASONS.get(code(error), _FAILED)
        raise kind(f"store {path} {what}: {error}", hint=hint) from error
    except PermissionError as error:
        raise Forbidden(f"store {path} cannot be opened: {error.strerror}", hint=rights.owning(path.parent)) from error
    except OSError as error:
        what = error.strerror or str(error)
        raise DiskFailed(f"store {path} cannot be opened: {what}", hint="who owns the directory?") from error
    except UnicodeDecodeError as error:  # in the text of an error that quotes the file
        kind, what, hint = _DAMAGED
        raise kind(f"store {path} {what}", hint=hint) from error


def connect(path: Path, size: int = 0, tell: Callable[[str], None] = lambda _: None) -> sqlite3.Connection:
    """The one connection that writes. Raises StoreError; a file that is not ours to change stays as it is.

    The file is given `size` bytes if it can be (`growth.py`). What became of an older one is told.
    """
    if path == MEMORY:
        return _open(path, tell)
    with mapped(path):
        new = _create(path)
        if not (os.access(path, os.R_OK | os.W_OK) or host.read_only(path)):
            raise Forbidden(f"store {path} may not be read and written", hint=rights.owning(path.parent))
        _inspect(path)
        if size and not new:
            grow(path, size, APPLICATION_ID)
    connection = _open(path, tell)
    if size and new:
        connection.close()
        with mapped(path):
            grow(path, size, APPLICATION_ID)
        connection = _open(path, tell)
    return connection


def _open(path: Path, tell: Callable[[str], None]) -> sqlite3.Connection:
    with mapped(path), ExitStack() as undo:
        connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
        undo.callback(connection.close)
        connection.text_factory = _text
        connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        version = _recognise(path, connection)
        if path != MEMORY:
            path.chmod(0o600)
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").fetchall()
        if version < VERSION:
            _migrate(path, connection, version, tell)
        undo.pop_all()
    return connection


@contextmanager
def at_rest(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads a file which no agent has open. Raises StoreError, also when one opens it meanwhile.

    After a clean stop nothing is touched; after a crash the -wal file is read too, and SQLite leaves a -shm file.
    """
    wal = path.with_name(f"{path.name}-wal")
    if not path.is_file():
        raise StoreError(f"store {path} does not exist", hint="has the agent run yet? name its directory with --data")
    with mapped(path):
        _inspect(path)
        immutable = not wal.exists()
        address = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if immutable else ''}"
        with closing(sqlite3.connect(address, uri=True, timeout=_LOCK_TIMEOUT)) as connection:
            connection.text_factory = _text
            version = _recognise(path, connection)
            if version == 0:
                raise StoreError(f"store {path} is empty", hint="has the agent run yet?")
            if version < VERSION:
                look_like_newest(connection, version)
            try:
                yield connection
            except (sqlite3.Error, StoreError):
                _refuse_disturbed(path, disturbed=immutable and wal.exists())
                raise
            _refuse_disturbed(path, disturbed=immutable and wal.exists())


def _refuse_disturbed(path: Path, *, disturbed: bool) -> None:
    if disturbed:
        raise StoreError(f"store {path} was opened by an agent while it was read", hint="run the command again")


def _text(raw: bytes) -> str:
    """Text that no bit flip can make unreadable: a damaged row must come out, so that its checksum can tell."""
    return raw.decode("utf-8", "replace")


def _create(path: Path) -> bool:
    """Whether the file is a new one."""
    if path.is_file():
        return not path.stat().st_size
    if path.exists():
        raise StoreError(f"store {path} is not a file", hint="name a directory with --data; the store is a file in it")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | host.RAW, 0o600))
    return True


def _inspect(path: Path) -> None:
    """Look at the header alone: an ordinary connection would already recover a -wal file.

    SQLite does the looking, because closing a descriptor of our own would drop the locks that this process holds. A
    kill in the middle of a checkpoint leaves a file that is shorter than its header says; the rest is in the -wal file,
    so that is no damage, and `writable_schema` is how SQLite is told to look nevertheless.
    """
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as glance:
        glance.execute("PRAGMA writable_schema=ON")
        (version,) = glance.execute("PRAGMA user_version").fetchone()
        _refuse_newer(path, version, glance)


def _refuse_newer(path: Path, version: int, connection: sqlite3.Connection) -> None:
    if version <= VERSION:
        return
    writer = "a newer floorgate"
    with suppress(sqlite3.Error, TypeError):
        writer = f"floorgate {connection.execute(PROGRAM).fetchone()[0]}"
    raise Newer(
        f"store {path} was written by {writer} in format {version}; this is floorgate {__version__}, which knows"
        f" formats up to {VERSION}. The file is left as it is",
        hint=wayback.hint(path, writer, VERSION),
    )


def _recognise(path: Path, connection: sqlite3.Connection) -> int:
    """The file's version; 0 for a new one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION_ID:
        raise StoreError(f"store {path} is some other program's database", hint="choose another --data directory")
    _refuse_newer(path, version, connection)
    return int(version)


def _migrate(path: Path, connection: sqlite3.Connection, version: int, tell: Callable[[str], None]) -> None:
    from buffer.migrations import migrate  # noqa: PLC0415  # 160 ms and 10 MB that only a new or older file costs

    if version == 0:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrate(connection)
    else:
        kept = wayback.keep(path, connection, version)
        migrate(connection)
        tell(f"the store was of format {version} and is of format {VERSION} now; {kept}")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
