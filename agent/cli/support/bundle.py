"""The archive: members, bounded, each without its secrets, and at the end what is in it and what is not."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent import __version__
from agent.cli.support import readme
from agent.cli.support.scrub import Scrubber
from agent.model import host
from agent.model.errors import AgentError

MANIFEST, ABOUT = "manifest.json", "README.txt"
MOST = 20 << 20  # bytes of the archive
LARGEST = 4 << 20  # bytes of a member, before it is packed
_ROOM = 64 << 10  # bytes for the manifest and the list of members


@dataclass(frozen=True, slots=True)
class Member:
    """`bytes` are those of the text, `cut` is how much of it is missing."""

    name: str
    bytes: int
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Lack:
    """What is not in it, and why."""

    name: str
    why: str


@dataclass(slots=True)
class Bundle:
    """What is put into the archive so far."""

    _file: zipfile.ZipFile
    _raw: Any
    _scrub: Scrubber
    members: list[Member] = field(default_factory=list)
    left_out: list[Lack] = field(default_factory=list)

    @property
    def hidden(self) -> int:
        """How many places were hidden."""
        return self._scrub.hidden

    def add(self, name: str, text: str, *, tail: bool = False) -> None:
        """A text without its secrets; of one that is too long the beginning, or the `tail`."""
        whole = len(text)
        text = self._scrub(text[-2 * LARGEST :] if tail else text[: 2 * LARGEST])
        text = text[-LARGEST:] if tail else text[:LARGEST]
        cut = whole - len(text) if whole > LARGEST else 0
        data = text.encode("utf-8", "backslashreplace")
        name = self._scrub(name)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as probe:
            probe.writestr(name, data)
        if self._raw.tell() + len(packed.getvalue()) > MOST - _ROOM:
            self.lack(name, f"the archive is full: {MOST >> 20} MB")
            return
        self._put(name, data)
        self.members.append(Member(name, len(data), cut))

    def lack(self, name: str, why: str) -> None:
        self.left_out.append(Lack(self._scrub(name), self._scrub(why)))

    def finish(self) -> None:
        members = (f"{each.name:32} {readme.what(each.name)}{_cut(each)}" for each in self.members)
        left_out = (f"{each.name:32} {each.why}" for each in self.left_out)
        said = readme.text(__version__, self.hidden, members, left_out)
        facts = {"format": 1, "version": __version__, "hidden": self.hidden}
        facts |= {"members": [asdict(each) for each in self.members]}
        facts |= {"left_out": [asdict(each) for each in self.left_out]}
        self._put(ABOUT, said.replace("\n", "\r\n").encode())
        self._put(MANIFEST, json.dumps(facts, indent=1).encode())

    def _put(self, name: str, data: bytes) -> None:
        self._file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


def _cut(member: Member) -> str:
    return f"; {member.cut:,} characters more were too many" if member.cut else ""


@contextmanager
def writing(path: Path, scrub: Scrubber) -> Iterator[Bundle]:
    """A new archive, for its owner's eyes only; there when it is whole, and not before. Raises AgentError."""
    part = path.with_name(f".{path.name}.part")
    if path.exists() or path.is_symlink():
        raise AgentError(f"{path} is there already", hint="name another file with -o")
    try:
        with suppress(FileNotFoundError):
            part.unlink()
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | host.NOFOLLOW | host.RAW, 0o600)
        with os.fdopen(fd, "w+b") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as file:
            bundle = Bundle(file, raw, scrub)
            yield bundle
            bundle.finish()
        part.replace(path)
    except OSError as error:
        what = f"{error.filename or path}: {error.strerror or error}"
        raise AgentError(what, hint="is there room? name another file with -o") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
