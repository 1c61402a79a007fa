"""The offline bundle under test, and what is made of it: the next version, and one that somebody has tampered with."""

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

from products import after, held, inside, one


def bundle(name: str = "bundle", *, newer: bool = False) -> Path:
    """An unpacked copy of it for a row to do with as it likes; `newer` is the same as the next version."""
    folder = held() / name
    with tarfile.open(one("floorgate-*-offline-*.tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    found = next(folder.iterdir())
    if newer:
        _raise(found)
    return found


def seen(folder: Path) -> Path:
    """The installer as a machine sees it."""
    return inside(folder / "install.sh")


def release(folder: Path) -> str:
    """The version that a bundle says it has."""
    found = re.search(r"version='(.*)'", (folder / "release").read_text("utf-8"))
    assert found, f"{folder}/release names no version"
    return found[1]


def seal(folder: Path) -> None:
    """SHA256SUMS anew, as the README of the bundle has it."""
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each.name != "SHA256SUMS")
    sums = [f"{digest(each)}  {each.relative_to(folder)}\n" for each in files]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path) -> None:
    """One bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _raise(folder: Path) -> None:
    """Floorgate's own wheel with the next version, and everything that names it."""
    was = release(folder)
    will = after(was)
    old = next(folder.glob("wheels/floorgate-*.whl"))
    new = old.with_name(old.name.replace(was, will))
    _rewrite(old, new, was, will)
    pins = (folder / "requirements.txt").read_text("utf-8")
    pins = pins.replace(f"]=={was} --hash=sha256:{digest(old)}", f"]=={will} --hash=sha256:{digest(new)}")
    (folder / "requirements.txt").write_text(pins, "utf-8")
    facts = (folder / "release").read_text("utf-8").replace(f"version='{was}'", f"version='{will}'")
    (folder / "release").write_text(facts, "utf-8")
    old.unlink()
    seal(folder)


def _rewrite(old: Path, new: Path, was: str, will: str) -> None:
    """A wheel under another version, with a RECORD that fits."""
    texts = {"agent/__init__.py": (f'"{was}"', f'"{will}"'), "METADATA": (f"Version: {was}\n", f"Version: {will}\n")}
    rows = io.StringIO()
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for member in source.infolist():
            content = source.read(member)
            name = member.filename.replace(f"-{was}.dist-info/", f"-{will}.dist-info/")
            for ending, (before, then) in texts.items():
                if name.endswith(ending):
                    content = content.replace(before.encode(), then.encode())
            if name.endswith("/RECORD"):
                record = name
                continue
            target.writestr(name, content)
            sum_ = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.write(f"{name},sha256={sum_},{len(content)}\n")
        target.writestr(record, f"{rows.getvalue()}{record},,\n")
