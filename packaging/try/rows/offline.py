"""The offline bundle and the single file: other ways onto a machine, without its package manager."""

import sys
from pathlib import Path

from machine import SERVICE, USER, Machine
from plant import SITE, listed, plant, settle
from products import inside, one
from rows.removal import left_over
from tests.faults.table import Seen, row

_HERE = "/root/bundle"


def unpacked(machine: Machine) -> Path:
    """The bundle on the machine, as seen from here."""
    archive = one("floorgate-*-offline-*.tar.gz")
    machine.must("mkdir", "-p", _HERE)
    machine.must("tar", "-C", _HERE, "--strip-components=1", "-xzf", inside(archive))
    return machine.path / _HERE.lstrip("/")


@row(
    "14",
    "the offline bundle with Debian's python3: a service, installed again, gone again",
    runs=1,
    short=0,
)
def offline(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder, "python") as machine:
        unpacked(machine)
        before = set(left_over(machine, set()))
        seen.none("exit code of install.sh", _install(machine))
        demo = machine.run("floorgate", "--lang", "en", "demo", "--seconds", "8", user=USER)
        seen.none("exit code of the demo", demo.returncode)
        machine.write(SITE, site.config)
        machine.must("systemctl", "enable", "--now", SERVICE)
        site.wait()
        seen.none("exit code of install.sh, once more", _install(machine))
        site.wait()
        settle(seen, machine, site)
        gone = machine.run("sh", f"{_HERE}/install.sh", "--uninstall", "--purge")
        seen.none("exit code of --uninstall --purge", gone.returncode)
        listed(seen, "files left", sorted(left_over(machine, before)))


def _install(machine: Machine) -> int:
    done = machine.run("sh", f"{_HERE}/install.sh")
    print(done.stdout, file=sys.stderr) if done.returncode else None
    return done.returncode


@row("14", "the offline bundle: a wheel, a script, the sums changed; no Python; another machine", runs=6, short=0)
def offline_refused(seen: Seen) -> None:
    taken, silent, changed = 0, 0, []
    with Machine(seen.folder, "python") as machine:
        folder = unpacked(machine)
        before = set(left_over(machine, set()))
        wheel = max(folder.glob("wheels/*.whl"), key=lambda path: path.stat().st_size)
        own = next(folder.glob("wheels/floorgate-*.whl"))
        for path in (wheel, own, folder / "floorgate.sh", folder / "SHA256SUMS", folder / "requirements.txt"):
            data = path.read_bytes()
            middle = len(data) // 2
            path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
            done = machine.run("sh", f"{_HERE}/install.sh")
            taken += done.returncode == 0
            silent += "not as it was made" not in done.stdout
            path.write_bytes(data)
            changed += left_over(machine, before)
        done = machine.run("sh", f"{_HERE}/install.sh", "--python", "/nowhere/python3")
        taken += done.returncode == 0
        silent += "/nowhere/python3" not in done.stdout
        changed += left_over(machine, before)
    with Machine(seen.folder, "bookworm") as machine:
        unpacked(machine)
        before = set(left_over(machine, set()))
        done = machine.run("sh", f"{_HERE}/install.sh")
        taken += done.returncode == 0
        silent += "python3" not in done.stdout
        changed += left_over(machine, before)
    seen.none("installed all the same", taken)
    seen.none("refused without saying what is wrong", silent)
    listed(seen, "what has changed", sorted(set(changed)))


@row("14", "the single file on a Debian without Python", runs=1, short=0)
def onefile(seen: Seen) -> None:
    with Machine(seen.folder, "bare", boots=False) as machine:
        file = inside(one("floorgate-*-linux-*[!z]"))
        seen.none("exit code of `version`", machine.run(file, "version").returncode)
        demo = machine.run(file, "--lang", "en", "demo", "--seconds", "8")
        seen.none("exit code of the demo", demo.returncode)
        left = machine.must("find", "/tmp", "-mindepth", "1").splitlines()  # noqa: S108
        listed(seen, "files left in /tmp", left)
