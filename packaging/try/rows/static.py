"""What tools say of the packages without running them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from machine import Machine
from plant import listed
from products import deb, members
from roots import ROOT
from rows.install import installed
from tests.faults.table import Seen, row

_UNITS = ("floorgate.service", "floorgate@.service")


def said(*command: object) -> tuple[int, list[str]]:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@row("13", "lintian, with the overrides of the package", runs=1, short=0)
def lintian(seen: Seen) -> None:
    code, lines = said("lintian", "--allow-root", "--fail-on", "error,warning,info", "--info-display-limit", "0", deb())
    if code not in {0, 2}:
        code, lines = said("lintian", "--allow-root", "--fail-on", "error,warning", deb())
    listed(seen, "errors and warnings", [line for line in lines if line.startswith(("E:", "W:"))])
    seen.none("exit code", code)


@row("13", "the units, by the systemd of the machine they are installed on", runs=2, short=0)
def units(seen: Seen) -> None:
    with Machine(seen.folder) as machine:
        installed(machine)
        worst = 0.0
        for unit in _UNITS:
            done = machine.run("systemd-analyze", "verify", "--man=no", unit.replace("@", "@two"))
            seen.none(f"exit code of `systemd-analyze verify {unit}`", done.returncode)
            listed(seen, "words of it", done.stdout.splitlines())
            path = f"/usr/lib/systemd/system/{unit}"
            told = machine.run("systemd-analyze", "security", "--offline=true", "--no-pager", path).stdout
            level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
            assert level, told
            worst = max(worst, float(level[1]))
        seen.most("exposure by `systemd-analyze security`, the worse", worst, 1.5)
        shell = "bash", "-c", ". /usr/share/bash-completion/completions/floorgate && complete -p floorgate"
        seen.none("exit code of bash with the completion", machine.run(*shell).returncode)


@row("13", "shellcheck of all scripts, as they are shipped", runs=1, short=0)
def shellcheck(seen: Seen) -> None:
    scripts = sorted({*shipped(seen.folder), *(ROOT / "packaging").rglob("*.sh")})
    code, lines = said("shellcheck", "-s", "sh", *scripts)
    seen.least("scripts", len(scripts), 12)
    listed(seen, "lines it has to say", lines)
    seen.none("exit code", code)


def shipped(folder: Path) -> Iterator[Path]:
    """Maintainer scripts, and the command."""
    for name, contents in members(deb()):
        if name.startswith(("control.tar", "data.tar")):
            (folder / name).write_bytes(contents)
            subprocess.run(["tar", "-C", folder, "-xf", folder / name], check=True)
    for name in ("preinst", "postinst", "prerm", "postrm", "usr/bin/floorgate"):
        yield folder / name
