"""Packages that are not as they were made, or not for this machine: refused, and nothing is changed."""

import shutil
import subprocess

from machine import Machine
from plant import listed, plant, settle
from products import DIST, deb, flipped, held, inside, remade
from roots import ROOT
from rows.upgrade import in_use, whole, works
from tests.faults.table import Seen, row


@row("9", "one bit of the .deb changed, at another place each time", runs=5, short=0)
def tampered(seen: Seen) -> None:
    taken, silent, changed = 0, 0, []
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        update = remade("packed", steps=1, packed=True)
        fresh = flipped(deb(), "flipped", "data.tar")
        seen.least("exit code of dpkg on a fresh machine", machine.run("dpkg", "-i", inside(fresh)).returncode, 1)
        seen.none("programs that are there", machine.has("/opt/floorgate/current"))
        in_use(machine, site)
        for run in range(seen.runs):
            member = "control.tar" if run == 0 else "data.tar"
            package = flipped(update if run % 2 else deb(), f"flipped-{run}", member, (run + 0.5) / seen.runs)
            pid = machine.pid()
            done = machine.run("dpkg", "-i", inside(package))
            taken += done.returncode == 0
            silent += "error" not in done.stdout
            changed += ["the service was restarted"] if machine.pid() != pid else []
            changed += works(machine, site) + whole(machine, deb())
        seen.none("packages that were taken", taken)
        seen.none("refused without a word", silent)
        listed(seen, "what has changed", changed)
        settle(seen, machine, site)


@row("9", "for another machine: Architecture is arm64", runs=1, short=0)
def other_machine(seen: Seen) -> None:
    package = remade("arm64", steps=1, arch="arm64")
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        in_use(machine, site)
        pid = machine.pid()
        done = machine.run("dpkg", "-i", inside(package))
        seen.least("exit code of dpkg", done.returncode, 1)
        seen.least("times that it names the architecture", done.stdout.count("architecture"), 1)
        seen.none("restarts of the service", machine.pid() != pid)
        listed(seen, "what has changed", whole(machine, deb()))
        settle(seen, machine, site)


@row("9", "a file of dist/ changed, one missing, one too many: `verify.sh`", runs=3, short=0)
def sums(seen: Seen) -> None:
    folder = held() / "sums"
    shutil.copytree(DIST, folder)
    names = [line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    seen.none("exit code for what was built", _verify(folder).returncode)
    wrong = 0
    for name in names:
        path = folder / name
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        done = _verify(folder)
        wrong += done.returncode == 0 or name not in done.stderr
        path.unlink()
        done = _verify(folder)
        wrong += done.returncode == 0 or name not in done.stderr
        path.write_bytes(data)
    (folder / "floorgate-9.deb").touch()
    done = _verify(folder)
    wrong += done.returncode == 0 or "floorgate-9.deb" not in done.stderr
    seen.least("files", len(names), 8)
    seen.none("changes that it does not name", wrong)
    shutil.rmtree(folder)


def _verify(folder: object) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "packaging/verify.sh"), "--unsigned", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)
