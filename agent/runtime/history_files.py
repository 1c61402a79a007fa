"""What versions of a configuration hold, on disk: a version is the bytes of all files that a load took, in one archive.

An archive is a ZIP that any tool opens: `files.json` has the absolute paths in the order of its members `0`, `1`, …
It is named by the digest of what is in it, so the same content is there once. Everything is written whole or not at
all, and only its owner can read it.
"""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from agent.model import host
from agent.model.errors import AgentError

MOST = 64 << 20  # bytes of all files of a version together
_LIST = "files.json"
_DRAFT = ".new"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that equal versions are equal archives
_NO_ARCHIVE = (  # what zipfile makes of bytes that are none
    *(OSError, ValueError, LookupError, TypeError, EOFError, RuntimeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
Taken = Mapping[Path, bytes]


class HistoryError(AgentError):
    """The history cannot be read or written; what runs goes on."""


def digest_of(taken: Taken) -> str:
    """Names the content: paths and bytes."""
    found = sha256()
    for path, data in sorted(taken.items()):
        name = os.fsencode(path)
        found.update(b"%d %d " % (len(name), len(data)) + name + data)
    return found.hexdigest()[:32]


def archive(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.zip"


def keep(folder: Path, digest: str, taken: Taken) -> None:
    """Put a version into the folder. Raises HistoryError."""
    path, total = archive(folder, digest), sum(map(len, taken.values()))
    if total > MOST:
        raise HistoryError(f"{total >> 20} MB of configuration are too much for the history", hint="split the maps")
    if path.exists():
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        names = [str(each) for each in taken]
        for name, data in (
            (_LIST, json.dumps(names).encode()),
            *zip(map(str, range(len(names))), taken.values(), strict=True),
        ):
            file.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
    put(path, packed.getvalue(), owner=host.owner_of(folder))


def kept(folder: Path, digest: str) -> dict[Path, bytes]:
    """The files of a version by their absolute paths. Raises HistoryError."""
    path = archive(folder, digest)
    try:
        with zipfile.ZipFile(path) as file:
            _bounded(file)
            names = json.loads(file.read(_LIST))
            found = {Path(name): file.read(str(number)) for number, name in enumerate(names)}
    except _NO_ARCHIVE as error:
        why = "it is not there any more" if isinstance(error, FileNotFoundError) else f"it is damaged: {error}"
        raise HistoryError(
            f"version in {path}: {why}", hint="`floorgate history` shows which others there are"
        ) from error
    if digest_of(found) != digest:
        raise HistoryError(f"version in {path}: it is damaged: its digest is another", hint="take another version")
    return found


def _bounded(file: zipfile.ZipFile) -> None:
    if sum(each.file_size for each in file.infolist()) > MOST + (1 << 20):
        raise ValueError("it is too large")


def put(path: Path, data: bytes, mode: int = 0o600, owner: tuple[int, int] | None = None) -> None:
    """Write a file whole or not at all, and to the disk; `owner` is whose it is to be. Raises OSError."""
    draft = path.with_name(f".{path.name}{_DRAFT}")
    with suppress(FileNotFoundError):
        draft.unlink()
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.NOFOLLOW | host.RAW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            if owner is not None and owner != (os.fstat(fd).st_uid, os.fstat(fd).st_gid):
                host.give(fd, owner)
            host.set_mode(fd, mode)
            file.flush()
            os.fsync(fd)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
    host.sync_folder(path.parent)


def sweep(folder: Path, wanted: set[str]) -> None:
    """Remove archives that nobody speaks of any more, and drafts that a kill left behind. Raises OSError."""
    for path in folder.iterdir():
        if path.suffix == _DRAFT or (path.suffix == ".zip" and path.stem not in wanted):
            path.unlink(missing_ok=True)


def size(folder: Path, digest: str) -> int:
    """Bytes on disk; 0 for one that is gone."""
    try:
        return archive(folder, digest).stat().st_size
    except OSError:
        return 0
