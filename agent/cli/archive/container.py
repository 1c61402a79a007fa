"""The file of a backup: a ZIP that any tool opens, whose `manifest.json` has size and SHA-256 of each other member.

What is read may have been made by anybody. Its table of contents is bounded before it is read, names are names and
never paths to write to by themselves, nothing is unpacked further than its manifest says, and what is not exactly as
the manifest says is refused.
"""

import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from agent import __version__
from agent.model import host
from agent.model.errors import AgentError, Newer
from agent.model.text import plain

FORMAT = 1
MANIFEST = "manifest.json"
MOST_MEMBERS = 5000
MOST_LIST = 4 << 20  # bytes of the manifest, and of the table of contents
PIECE = 1 << 20  # bytes that are read at a time
_END, _FAR = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q")  # APPNOTE.TXT 4.3.16 and 4.3.14
_LOCATOR = 20  # bytes between the two, 4.3.15
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# What zipfile and what reads the manifest raise for hostile bytes, as fuzzing found: RuntimeError for encryption,
# NotImplementedError for another compression, LookupError and OverflowError for fields that lie.
_NO_ARCHIVE = (
    *(OSError, ValueError, LookupError, EOFError, RuntimeError, OverflowError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
_HINT = "take another backup; nothing was changed"


@dataclass(frozen=True, slots=True)
class Member:
    """`size` is in bytes, `sha256` in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the archive says of itself: `floorgate` made it at `made` (ms UTC), from the store `instance` of `gateway`.

    `site` is the absolute path of the site file there, `keys` says whether our private keys are in it.
    """

    made: int
    gateway: str = ""
    instance: str = ""
    site: str = ""
    frames: int = 0
    keys: bool = False
    floorgate: str = __version__
    format: int = FORMAT
    members: tuple[Member, ...] = ()

    def __post_init__(self) -> None:
        _ = self.at

    @property
    def at(self) -> str:
        """When it was made, UTC. Raises ValueError and OverflowError for what is no time."""
        return datetime.fromtimestamp(self.made / 1000, UTC).isoformat(timespec="seconds")


_decode = msgspec.json.Decoder(Facts).decode


class BadArchive(AgentError):
    """It is no backup, or not as it was made."""


class Writer:
    """Members one after the other; at the end the manifest. `path` is where the archive will be."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path, self._file = path, file
        self.members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes], *, level: int = 6) -> Member:
        """Raises OSError."""
        digest, size = hashlib.sha256(), 0
        with self._file.open(_info(name, level), "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self.members.append(Member(name, size, digest.hexdigest()))
        return self.members[-1]

    def finish(self, facts: Facts) -> None:
        said = asdict(facts) | {"members": [asdict(member) for member in self.members]}
        self._file.writestr(_info(MANIFEST, 6), json.dumps(said, indent=1).encode())


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new archive, for its owner's eyes only; there when it is whole and on the disk, and not before. Raises
    AgentError."""
    part = path.with_name(f".{path.name}.part")
    if path.exists() or path.is_symlink():  # also /dev/stdout, /dev/null, a pipe: root would replace them
        raise AgentError(f"{path} is there already", hint="name another file with -o")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(
            os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | host.NOFOLLOW | host.RAW, 0o600), "w+b"
        ) as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as file:
                yield Writer(path, file)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    except OSError as error:
        where = error.filename or path
        raise AgentError(
            f"{where}: {error.strerror or error}", hint="is there room? name another file with -o"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _info(name: str, level: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = level  # type: ignore[attr-defined]  # noqa: SLF001  # a public name only from Python 3.13 on
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


class Reader:
    """An archive whose table of contents and manifest fit together; every call raises BadArchive."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path, self._file = path, file
        infos = {info.filename: info for info in file.infolist()}
        self.facts = self._manifest(infos)
        self._members = {member.name: member for member in self.facts.members}
        if len(infos) != len(file.infolist()) or {*infos} != {*self._members, MANIFEST}:
            raise self._bad("its members are not those of its manifest")
        for info in infos.values():
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
                raise self._bad(f"{plain(info.filename[:80])} is no regular file")
        if any(member.size != infos[member.name].file_size for member in self.facts.members):
            raise self._bad("the size of a member is not that of its manifest")

    @property
    def names(self) -> list[str]:
        return list(self._members)

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.size for member in self._members.values())

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a member. What does not fit its manifest is said at the end at the latest."""
        member, digest, size = self._members[name], hashlib.sha256(), 0
        try:
            with self._file.open(name) as file:
                while chunk := file.read(PIECE):
                    digest.update(chunk)
                    size += len(chunk)
                    if size > member.size:
                        break
                    yield chunk
        except _NO_ARCHIVE as error:
            raise self._bad(f"{plain(name)} cannot be read: {error}") from error
        if size != member.size or digest.hexdigest() != member.sha256:
            raise self._bad(f"{plain(name)} is not what the backup was made of")

    def read(self, name: str, most: int) -> bytes:
        """All of a member that may have `most` bytes."""
        if self._members[name].size > most:
            raise self._bad(f"{plain(name)} is larger than {most >> 20} MB")
        return b"".join(self.chunks(name))

    def verify(self, done: Callable[[int], None]) -> None:
        """Read all of it once; `done` is told how many bytes were."""
        read = 0
        for name in self._members:
            for chunk in self.chunks(name):
                read += len(chunk)
                done(read)

    def _manifest(self, infos: dict[str, zipfile.ZipInfo]) -> Facts:
        info = infos.get(MANIFEST)
        if info is None or info.file_size > MOST_LIST:
            raise self._bad("it has no manifest")
        try:
            with self._file.open(info) as file:
                data = file.read(MOST_LIST + 1)
            said: Any = json.loads(data)
            number, writer = said["format"], str(said["floorgate"])
            if isinstance(number, int) and number > FORMAT:
                raise Newer(
                    f"{self._path} was made by floorgate {plain(writer[:40])} in format {number}; this is floorgate"
                    f" {__version__}, which knows formats up to {FORMAT}",
                    hint="restore it with that version",
                )
            return _decode(data)
        except (*_NO_ARCHIVE, TypeError, RecursionError, msgspec.MsgspecError) as error:
            raise self._bad(f"its manifest makes no sense: {plain(str(error)[:200])}") from error

    def _bad(self, what: str) -> BadArchive:
        return BadArchive(f"{self._path}: {what}", hint=_HINT)


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Raises BadArchive, and Newer for one of a newer version."""
    try:
        with path.open("rb") as raw:
            _measure(path, raw)
            with zipfile.ZipFile(raw) as file:
                reader = Reader(path, file)
                yield reader
    except (zipfile.BadZipFile, struct.error) as error:
        raise BadArchive(f"{path}: this is no backup, or the end of it is missing: {error}", hint=_HINT) from error
    except OSError as error:
        raise BadArchive(
            f"{error.filename or path}: {error.strerror or error}", hint="may this user read it?"
        ) from error


def _measure(path: Path, raw: IO[bytes]) -> None:
    """The table of contents is small, and ends where the file does: who reads it takes all of it into memory."""
    size = raw.seek(0, os.SEEK_END)
    if size < _END.size:
        raise zipfile.BadZipFile("it is too short")
    raw.seek(size - _END.size)
    magic, *_, entries, listed, _, comment = _END.unpack(raw.read(_END.size))
    if magic != b"PK\5\6" or comment:
        raise zipfile.BadZipFile("no table of contents at its end")
    if size >= _END.size + _LOCATOR + _FAR.size:
        raw.seek(size - _END.size - _LOCATOR - _FAR.size)
        far = _FAR.unpack(raw.read(_FAR.size))
        if far[0] == b"PK\6\6":
            entries = far[7] if entries == 0xFFFF else max(entries, far[7])
            listed = far[8] if listed == 0xFFFFFFFF else max(listed, far[8])
    if entries > MOST_MEMBERS or listed > MOST_LIST:
        raise BadArchive(f"{path}: it has more members than a backup", hint=_HINT)
