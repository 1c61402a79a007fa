"""The step `offline`: an archive with every wheel that Floorgate needs on machines like this one, and an installer.

The wheels are those of the lock, checked by pip against its hashes when they are fetched; the archive pins the one hash
of each. What is in the folder offline/ goes along; the same wheels give the same bytes.
"""

import gzip
import io
import platform
import re
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

import parts
from context import Context, Failure
from sbom import sha256

FOLDER = Path(__file__).parent / "offline"
LOCK = "packaging/requirements.txt"
SHARED = {  # what the packages bring, too: place in the repository → place in share/
    "packaging/nfpm/floorgate.yaml": "floorgate.yaml",
    "packaging/systemd": "systemd",
}


def step(context: Context) -> None:
    """Fetch the wheels (from pip's cache where they are there), lay them out, and pack them. Raises Failure."""
    own = context.dist / f"floorgate-{context.version}-py3-none-any.whl"
    if not own.exists():
        raise Failure(f"{own.name} is not in dist/", hint='make package STEP="wheel offline"')
    wheels = fetch(context)
    name = f"floorgate-{context.version}-offline-linux-{context.arch}-{tag()}"
    folder = context.build / "offline" / name
    shutil.rmtree(folder.parent, ignore_errors=True)
    lay_out(context, folder, [*wheels, own])
    made = context.build / f"{name}.tar.gz"
    pack(folder, made, context.epoch)
    context.publish(made)


def tag() -> str:
    return f"cp{sys.version_info[0]}{sys.version_info[1]}"


def fetch(context: Context) -> list[Path]:
    """The wheels of the lock that are needed to run, in build/wheels."""
    wanted, wheels = context.build / "offline.txt", context.build / "wheels"
    names = parts.runtime(context.root, Path(sysconfig.get_paths()["purelib"]))
    wanted.write_text("".join(locked((context.root / LOCK).read_text("utf-8"), set(names))), "utf-8")
    shutil.rmtree(wheels, ignore_errors=True)
    pip: list[str | Path] = [context.python, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
    options: list[str | Path] = [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--dest",
        wheels,
        "--requirement",
        wanted,
    ]
    context.run(*pip, *options, hint="is PyPI within reach? or say where a mirror is: PIP_INDEX_URL")
    return sorted(wheels.glob("*.whl"))


def locked(lock: str, names: set[str]) -> Iterator[str]:
    """The entries of a lock file that are about these distributions."""
    for entry in re.split(r"(?m)^(?=\S)", lock):
        name = re.match(r"[\w.-]+", entry)
        if name and canonicalize_name(name[0]) in names:
            yield entry


def lay_out(context: Context, folder: Path, wheels: list[Path]) -> None:
    """The tree that is packed."""
    (folder / "wheels").mkdir(parents=True)
    (folder / "share").mkdir()
    for wheel in wheels:
        shutil.copyfile(wheel, folder / "wheels" / wheel.name)
    (folder / "requirements.txt").write_text("".join(map(pinned, sorted(wheels))), "utf-8")
    facts = {
        "version": context.version,
        "arch": context.arch,
        "for_python": ".".join(platform.python_version_tuple()[:2]),
        "glibc": "{}.{}".format(*glibc(wheels)),
    }
    (folder / "release").write_text("".join(f"{key}='{value}'\n" for key, value in facts.items()), "utf-8")
    page = (FOLDER / "README.md").read_text("utf-8")
    for key, value in {**facts, "python": facts["for_python"], "name": folder.name}.items():
        page = page.replace(f"@{key}@", value)
    (folder / "README.md").write_text(page, "utf-8")
    for each in ("install.sh", "floorgate.sh"):
        shutil.copyfile(FOLDER / each, folder / each)
    for origin, place in SHARED.items():
        _copy(context.root / origin, folder / "share" / place)
    context.run(context.python, context.root / "packaging/man.py", folder / "share")
    shutil.copyfile(context.root / "LICENSE", folder / "share/LICENSE")
    licenses = context.dist / f"floorgate-{context.version}-licenses.txt"
    if licenses.exists():
        shutil.copyfile(licenses, folder / "share/licenses.txt")
    sums = [f"{sha256(each)}  {each.relative_to(folder)}\n" for each in sorted(folder.rglob("*")) if each.is_file()]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


def pinned(wheel: Path) -> str:
    """A line of requirements.txt that no other file satisfies."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    extras = f"[{','.join(parts.EXTRAS)}]" if name == "floorgate" else ""
    return f"{name}{extras}=={version} --hash=sha256:{sha256(wheel)}\n"


def glibc(wheels: list[Path]) -> tuple[int, int]:
    """The oldest glibc with which all of these work; (2, 17) where they do not say more (PEP 600)."""
    return max((_oldest(wheel) for wheel in wheels), default=(2, 17))


def _oldest(wheel: Path) -> tuple[int, int]:
    names = "".join(sorted(f"{each.platform} " for each in parse_wheel_filename(wheel.name)[3]))
    found = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", names)]
    if "manylinux2014" in names or not found:
        found.append((2, 17))
    return max(min(found), (2, 17))


def _copy(origin: Path, target: Path) -> None:
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("README.md"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target)


def pack(folder: Path, target: Path, epoch: int) -> None:
    """A .tar.gz with names, times and owners that say nothing of this machine."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "root", "root"
        member.mode = 0o755 if member.isdir() or member.name.endswith(".sh") else 0o644
        return member

    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=epoch) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for each in [folder, *sorted(folder.rglob("*"))]:
            member = plain(archive.gettarinfo(each, str(each.relative_to(folder.parent))))
            archive.addfile(member, io.BytesIO(each.read_bytes()) if each.is_file() else None)
