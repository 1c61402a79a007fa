"""The .rpm: the same files as the .deb, and its life on a machine with Debian's rpm, which is a real rpm."""

import hashlib
import io
import stat
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

from context import here
from machine import SERVICE, USER, Machine
from native import rpm as pack
from plant import DATA, SITE, listed, plant, settle
from products import after, deb, held, inside, members, one, version
from rows.install import running, wrong
from tests.faults.table import Seen, row

# Where the two kinds of systems keep things at different places.
_DEB = {
    "/usr/share/zsh/vendor-completions/_floorgate": "/usr/share/zsh/site-functions/_floorgate",
    "/usr/share/doc/floorgate/changelog.Debian.gz": "",
    "/usr/share/lintian/overrides/floorgate": "",
}
_RPM = {"/usr/share/licenses/floorgate/LICENSE"}
_OURS = ("/opt/floorgate", "/etc/floorgate")  # of other folders, the system says who owns them
_ANYWAY = ["--nodeps", "--force-debian"]  # Debian's rpm knows of no packages, and asks whether we are sure


def package() -> Path:
    return one("floorgate-*-1.*.rpm")


Facts = tuple[str, str, str, str]  # type and mode, owner, group, SHA-256 or the target of a link


def of_deb() -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    (data,) = (contents for name, contents in members(deb()) if name.startswith("data.tar"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for each in archive:
            path = "/" + each.name.strip("./")
            kind = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK}.get(each.type, stat.S_IFREG)
            if kind == stat.S_IFDIR and not path.startswith(_OURS):
                continue
            file = archive.extractfile(each) if each.isreg() else None
            content = hashlib.sha256(file.read()).hexdigest() if file else each.linkname
            found[_DEB.get(path, path)] = (_mode(kind | each.mode), each.uname, each.gname, content)
    found.pop("", None)
    return found


def of_rpm(folder: Path) -> dict[str, Facts]:
    """What rpm says of each file, but the contents by extraction."""
    extract = 'rpm2cpio "$1" | cpio --quiet -idm --no-absolute-filenames'
    subprocess.run(["sh", "-c", extract, "extract", package()], cwd=folder, check=True, capture_output=True)
    query = r"[%{FILENAMES}\t%{FILEMODES}\t%{FILEUSERNAME}\t%{FILEGROUPNAME}\t%{FILELINKTOS}\n]"
    done = subprocess.run(["rpm", "-qp", "--qf", query, package()], check=True, capture_output=True, text=True)
    found: dict[str, Facts] = {}
    for line in done.stdout.splitlines():
        path, mode, user, group, target = line.split("\t")
        bits, file = int(mode) & 0xFFFF, folder / path.lstrip("/")
        if path in _RPM or (stat.S_ISDIR(bits) and not path.startswith(_OURS)):
            continue
        content = hashlib.sha256(file.read_bytes()).hexdigest() if stat.S_ISREG(bits) else target
        found[path] = (_mode(bits), user, group, content)
    return found


def _mode(bits: int) -> str:
    return "link" if stat.S_ISLNK(bits) else stat.filemode(bits)


@row("12", "the .rpm, taken apart by rpm2cpio and cpio, against the .deb", runs=1, short=0)
def rpm_files(seen: Seen) -> None:
    one_side, other = of_deb(), of_rpm(seen.folder)
    seen.least("files", len(other), 200)
    listed(seen, "only in the .deb", sorted(one_side.keys() - other.keys()))
    listed(seen, "only in the .rpm", sorted(other.keys() - one_side.keys()))
    both = sorted(one_side.keys() & other.keys())
    listed(
        seen, "unlike", [f"{path}: {one_side[path]}, {other[path]}" for path in both if one_side[path] != other[path]]
    )


def higher(folder: Path) -> Path:
    """The same contents as the next version, by the step of `make package`."""
    this = here()
    assert this.python.exists(), f"{this.python} is not there: make package"
    path = folder / "onedir"
    path.mkdir()
    (path / "floorgate").symlink_to(folder / f"opt/floorgate/{version()}")
    dist = held() / "higher-rpm"
    pack(replace(this, build=folder, dist=dist, version=after(version())))
    (made,) = dist.iterdir()
    return made


@row("12", "`rpm -i`, `-U` under load, `-e`: with Debian's rpm, without network", runs=1, short=0)
def rpm_life(seen: Seen) -> None:
    of_rpm(seen.folder)
    update = higher(seen.folder)
    with plant(seen.folder) as site, Machine(seen.folder, "rpm") as machine:
        done = machine.run("rpm", "-i", *_ANYWAY, inside(package()))
        seen.none("exit code of `rpm -i`", done.returncode)
        listed(seen, "files, owners, modes and groups that are wrong", wrong(machine, but=_DEB))
        listed(seen, "services enabled or running", running(machine))
        seen.none("exit code of the demo", machine.run("floorgate", "demo", "--seconds", "8", user=USER).returncode)
        machine.write(SITE, site.config)
        machine.must("systemctl", "enable", "--now", SERVICE)
        site.wait()
        pid = machine.pid()
        done = machine.run("rpm", "-U", *_ANYWAY, inside(update))
        seen.none("exit code of `rpm -U`", done.returncode)
        site.wait()
        link = machine.must("readlink", "/opt/floorgate/current").strip()
        seen.none("links to another version", link != after(version()))
        seen.none("services that were not restarted", machine.pid() in {0, pid})
        changed = machine.run("rpm", "-V", "--nodeps", "floorgate").stdout.splitlines()
        listed(seen, "files that rpm finds changed", [line for line in changed if not line.endswith(SITE)])
        settle(seen, machine, site)
        done = machine.run("rpm", "-e", "--force-debian", "floorgate")
        seen.none("exit code of `rpm -e`", done.returncode)
        left = [path for path in ("/opt/floorgate", "/usr/bin/floorgate") if machine.has(path)]
        listed(seen, "parts of the program that stay", left)
        kept = [f"{SITE}.rpmsave", f"{DATA}/store.db"]
        listed(seen, "site and data that are gone", [path for path in kept if not machine.has(path)])


@row("12", "the .rpm with one bit changed", runs=1, short=0)
def rpm_refused(seen: Seen) -> None:
    folder = held() / "rpm-flipped"
    folder.mkdir()
    data = bytearray(package().read_bytes())
    data[len(data) * 3 // 4] ^= 1
    (folder / package().name).write_bytes(data)
    with Machine(seen.folder, "rpm") as machine:
        done = machine.run("rpm", "-i", *_ANYWAY, inside(folder / package().name))
        seen.least("exit code of `rpm -i`", done.returncode, 1)
        seen.none("programs that are there", machine.has("/opt/floorgate/current"))
        seen.none("packages that rpm has", machine.run("rpm", "-q", "floorgate").returncode == 0)
