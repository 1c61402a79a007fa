"""The packages under test, and what is made of them: a higher version, a broken one, one for another machine."""

import gzip
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from roots import ROOT

DIST = Path(os.environ.get("TRY_DIST") or ROOT / "dist")
MNT = Path("/mnt")  # where a machine sees what is held
_LOCK = threading.Lock()
Change = Callable[[str, bytes], bytes]  # path in the package and contents to other contents


def hold(folder: Path) -> str:
    """Copy what is in dist/ for all machines to see; a sentence if there is nothing to test."""
    if not list(DIST.glob("*.deb")):
        return f"there is no .deb in {DIST}: make package"
    shutil.copytree(DIST, folder, dirs_exist_ok=True)
    return ""


def held() -> Path:
    return Path(os.environ["TRY_HELD"])


def inside(path: Path) -> Path:
    """A file that is held, as a machine sees it."""
    return MNT / path.relative_to(held())


def one(pattern: str) -> Path:
    """The product of this name; an AssertionError where there is none, or another beside it."""
    found = sorted(held().glob(pattern))
    assert len(found) == 1, f"{pattern} in {DIST}: {len(found)} found; make package"
    return found[0]


def deb() -> Path:
    return one("floorgate_*-1_*.deb")


def version() -> str:
    """The agent's, by the name of the .deb. What dpkg and rpm know may be written in another way, with a ~."""
    return deb().name.split("_")[1].removesuffix("-1")


def field(package: Path, name: str) -> str:
    done = subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def after(number: str, steps: int = 1) -> str:
    """The version that comes so many after it."""
    return re.sub(r"\d+$", lambda last: str(int(last[0]) + steps), number)


def same() -> Path:
    """The same version, which dpkg unpacks sooner than what is shipped."""
    return _once("same", 0)


def higher() -> Path:
    """The same contents as the next version."""
    return _once("higher", 1)


def _once(name: str, steps: int) -> Path:
    with _LOCK:
        made = next((held() / name).glob("*.deb"), None)
        return made or remade(name, steps=steps)


def remade(name: str, *, steps: int = 0, arch: str = "", change: Change | None = None, packed: bool = False) -> Path:
    """The .deb once more, so many versions later, or for another architecture, or with files changed by `change`.

    Owners and modes stay as they are: the archives are rewritten member by member. What is not `packed` is unpacked
    sooner, and has no checksum.
    """
    was, label, machine = version(), field(deb(), "Version").removesuffix("-1"), field(deb(), "Architecture")
    number = after(was, steps)
    moved = _moved(f"opt/floorgate/{was}", f"opt/floorgate/{number}")
    words = {f"/opt/floorgate/{was}": f"/opt/floorgate/{number}", f"/{was}": f"/{number}", f"={was}\n": f"={number}\n"}
    words |= {f"\nVersion: {label}-": f"\nVersion: {after(label, steps)}-"}
    words |= {f"\nArchitecture: {machine}\n": f"\nArchitecture: {arch or machine}\n"}

    def control(member: str, contents: bytes) -> bytes:
        text = contents.decode()
        for old, new in words.items():
            text = text.replace(old, new)
        return text.encode()

    folder = held() / name
    folder.mkdir()
    path = folder / f"floorgate_{number}-1_{arch or machine}.deb"
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for member, contents in members(deb()):
            if member.startswith("control.tar"):
                _member(file, "control.tar", _retold(contents, lambda name: name, control))
            elif member.startswith("data.tar"):
                tar = _retold(contents, moved, change or (lambda _, contents: contents))
                _member(file, "data.tar.gz", gzip.compress(tar, 1)) if packed else _member(file, "data.tar", tar)
            else:
                _member(file, member, contents)
    return path


def flipped(package: Path, name: str, inner: str, share: float = 0.5) -> Path:
    """A copy of a .deb in which one bit is changed, at this share of its member `inner`."""
    folder = held() / name
    folder.mkdir()
    data, at = bytearray(package.read_bytes()), 8
    for member, contents in members(package):
        if member.startswith(inner):
            data[at + 60 + int(share * len(contents))] ^= 1
        at += 60 + len(contents) + len(contents) % 2
    path = folder / package.name
    path.write_bytes(data)
    return path


def members(package: Path) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each member of an ar archive (deb(5))."""
    with package.open("rb") as file:
        assert file.read(8) == b"!<arch>\n", f"{package.name} is no Debian package"
        while head := file.read(60):
            contents = file.read(int(head[48:58]))
            file.seek(len(contents) % 2, 1)
            yield head[:16].decode().strip().rstrip("/"), contents


def _member(file: io.BufferedWriter, name: str, contents: bytes) -> None:
    file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(contents):<10}`\n".encode())
    file.write(contents + b"\n" * (len(contents) % 2))


def _moved(old: str, new: str) -> Callable[[str], str]:
    def move(name: str) -> str:
        head = re.match(r"\.?/?", name)
        start, path = (head[0], name[len(head[0]) :]) if head else ("", name)
        return start + new + path[len(old) :] if path == old or path.startswith(f"{old}/") else name

    return move


def _retold(archive: bytes, move: Callable[[str], str], change: Change) -> bytes:
    """A tar with other names and contents."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as source,
        tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as target,
    ):
        for member in source:
            file = source.extractfile(member) if member.isreg() else None
            contents = change(member.name.lstrip("./"), file.read()) if file else b""
            member.name, member.size = move(member.name), len(contents)
            member.linkname = move(member.linkname) if member.islnk() else member.linkname
            target.addfile(member, io.BytesIO(contents) if file else None)
    return made.getvalue()
