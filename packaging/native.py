"""The steps `deb` and `rpm`: the bundle, and what a machine needs around it, packed by nfpm.

What is packed is laid out in build/native/ first, with modes and times that depend on nobody's umask or clock;
nfpm/nfpm.yaml says where each part goes, and who owns it there.
"""

import gzip
import os
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import elf
import glibc
from bundle import BINUTILS
from context import Context, Failure

RELEASE = "1"  # of the package, where the version stays
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as platform.machine() says: as Debian and nfpm say
SCRIPTS = ("preinst.sh", "postinst.sh", "prerm.sh", "postrm.sh")
_PHASE = re.compile(r"\.?(dev|a|b|rc|post)(\d+)")


def deb(context: Context) -> None:
    _pack(context, "deb", f"floorgate_{context.version}-{RELEASE}_{architecture(context.arch)}.deb")


def rpm(context: Context) -> None:
    _pack(context, "rpm", f"floorgate-{context.version}-{RELEASE}.{context.arch}.rpm")


def architecture(machine: str) -> str:
    """As Debian names it. Raises Failure."""
    if machine not in ARCHITECTURES:
        raise Failure(f"there are no packages for {machine}", hint=f"build on one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine]


def package_version(version: str) -> str:
    """A version of PEP 440 such that dpkg and rpm sort it alike: 0.2.0rc1 is 0.2.0~rc1 and comes before 0.2.0."""
    marks = {"post": "+", "dev": "~~"}  # dev comes before a, and ~~ before ~
    public, _, local = version.partition("+")
    return _PHASE.sub(lambda found: marks.get(found[1], "~") + found[1] + found[2], public) + (local and f"+{local}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with each @name@ replaced. Raises KeyError for a name that has no value."""
    return re.sub(r"@([a-z_]+)@", lambda found: values[found[1]], text)


def _pack(context: Context, kind: str, name: str) -> None:
    context.need(BINUTILS)
    laid_out = context.build / "native"
    shutil.rmtree(laid_out, ignore_errors=True)
    values = _values(context)
    lay_out(context, laid_out, values)
    nfpm = context.python.with_name("nfpm")
    made = context.build / name
    context.run(nfpm, "package", "--config", "nfpm.yaml", "--packager", kind, "--target", made, cwd=laid_out)
    context.publish(made)
    shutil.rmtree(laid_out)


def _values(context: Context) -> dict[str, str]:
    when = datetime.fromtimestamp(context.epoch, UTC)
    return {
        "version": context.version,
        "package_version": package_version(context.version),
        "release": RELEASE,
        "arch": architecture(context.arch),
        "glibc": glibc.floor(context, context.build / "onedir/floorgate").version,
        "time": when.isoformat(),
        "date": format_datetime(when),
    }


def lay_out(context: Context, to: Path, values: Mapping[str, str]) -> None:
    """Everything that nfpm.yaml names, below `to`."""
    bundle, source = context.build / "onedir/floorgate", context.root / "packaging/nfpm"
    if not (bundle / "floorgate").is_file():
        raise Failure(f"{bundle} is not there", hint='make package STEP="bundle deb rpm"')
    shutil.copytree(bundle, to / "opt", symlinks=True)
    for name in ("nfpm.yaml", *SCRIPTS):
        _write(to / ("scripts" if name in SCRIPTS else "") / name, filled((source / name).read_text("utf-8"), values))
    _copy(source / "floorgate.sh", to / "bin/floorgate")
    _copy(source / "floorgate.yaml", to / "etc/floorgate.yaml")
    for unit in sorted((context.root / "packaging/systemd").glob("*.service")):
        _copy(unit, to / "units" / unit.name)
    context.run(context.python, context.root / "packaging/man.py", to)
    for page in sorted((to / "man").iterdir()):
        _zip(page.read_bytes(), page.with_name(f"{page.name}.gz"))
    _documents(context, to / "doc")
    _copy(source / "lintian-overrides", to / "deb/lintian-overrides")
    _zip(filled((source / "changelog").read_text("utf-8"), values).encode(), to / "deb/changelog.Debian.gz")
    _copy(context.root / "LICENSE", to / "rpm/LICENSE")
    settle(to, context.epoch)


def _documents(context: Context, to: Path) -> None:
    """/usr/share/doc/floorgate"""
    _copy(context.root / "packaging/nfpm/copyright", to / "copyright")
    for name in ("README.md", "README.zh-CN.md"):
        _copy(context.root / name, to / name)
    _zip((context.root / "CHANGELOG.md").read_bytes(), to / "changelog.gz")
    licences = context.dist / f"floorgate-{context.version}-licenses.txt"
    if licences.is_file():
        _zip(licences.read_bytes(), to / "THIRD-PARTY.txt.gz")
    configs = context.root / "configs"
    for each in (*sorted((configs / "examples").iterdir()), configs / "floorgate.yaml", configs / "README.md"):
        _copy(each, to / "examples" / each.name)
    for name in ("README.md", "dashboard.json", "floorgate.rules.yml"):
        _copy(context.root / "packaging/monitoring" / name, to / "examples/monitoring" / name)


def _write(to: Path, text: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, "utf-8")


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, to)


def _zip(content: bytes, to: Path) -> None:
    """As `gzip -9n`."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(gzip.compress(content, 9, mtime=0))


def settle(top: Path, epoch: int) -> None:
    """Modes 0755 and 0644, and one time, for everything below; a file keeps whether its owner may execute it."""
    for each in (*top.rglob("*"), top):
        if not each.is_symlink():
            runs = each.is_dir() or (each.stat().st_mode & 0o100 and _is_program(each))
            each.chmod(0o755 if runs else 0o644)
        os.utime(each, (epoch, epoch), follow_symlinks=False)


def _is_program(file: Path) -> bool:
    """And not a shared library, which needs no such bit; nor a text."""
    head = elf.head(file)
    return head[:2] == b"#!" or (head == elf.MAGIC and ".so" not in file.name)
