"""The scripts behind `make demo` and `make test`, on machines that lack something.

Python, pip and apt-get are small scripts here that note how they were called: what is tested is what would be done.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house import ROOT

NOTE = 'echo "$(basename "$0") $*" >> "$CALLS"\n'
# A Debian python3 without python3-venv: `venv` works only without pip.
BARE_VENV = f"""\
case "$*" in
    "-m venv .venv") echo "ensurepip is not available" >&2; exit 1 ;;
    "-m pip "*install*) {NOTE};;
    *) exec {sys.executable} "$@" ;;
esac
"""
NO_PIP = """\
case "$*" in
    "-m pip "*) exit 1 ;;
esac
"""
NEEDED = ("sh", "dirname", "basename", "rm", "env", "mkdir", "true")


@dataclass(frozen=True)
class Machine:
    """A checkout, and a PATH with nothing on it but what a test puts there."""

    root: Path

    def has(self, name: str, script: str = NOTE) -> None:
        program = self.root / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}", "utf-8")
        program.chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", str(self.root / "packaging" / script), *arguments]
        env = {"PATH": str(self.root / "bin"), "CALLS": str(self.root / "calls")}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    @property
    def calls(self) -> list[str]:
        log = self.root / "calls"
        return log.read_text("utf-8").splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "packaging").mkdir()
    (tmp_path / "bin").mkdir()
    for script in (ROOT / "packaging").glob("*.sh"):
        shutil.copy(script, tmp_path / "packaging")
    for tool in NEEDED:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    made = Machine(tmp_path)
    made.has("id", "echo 1000")
    return made


def root(machine: Machine) -> None:
    machine.has("id", "echo 0")


def test_an_old_python_is_named_with_the_way_out(machine: Machine) -> None:
    machine.has("python3", 'test "$1" = --version && echo "Python 3.9.2" || exit 1')
    done = machine.run("bootstrap.sh", "lock.txt")
    assert done.returncode == 1
    assert "Python 3.9.2 is too old" in done.stderr
    assert "PYTHON=python3.12" in done.stderr


def test_no_python_at_all_is_said(machine: Machine) -> None:
    done = machine.run("bootstrap.sh", "lock.txt")
    assert done.returncode == 1
    assert "no 'python3' here" in done.stderr


def test_without_ensurepip_the_pip_beside_python_fills_the_environment(machine: Machine) -> None:
    machine.has("python3", BARE_VENV)
    done = machine.run("bootstrap.sh", "lock.txt")
    assert done.returncode == 0, done.stderr
    lock, project = machine.calls
    assert "--python .venv/bin/python install" in lock
    assert "--require-hashes" in lock
    assert "--requirement lock.txt" in lock
    assert "--no-deps --no-build-isolation --editable ." in project


def test_an_environment_that_works_is_kept(machine: Machine) -> None:
    machine.has("python3", BARE_VENV)
    assert machine.run("bootstrap.sh", "lock.txt").returncode == 0
    (machine.root / ".venv/mark").touch()
    assert machine.run("bootstrap.sh", "lock.txt").returncode == 0
    assert (machine.root / ".venv/mark").exists()


def test_a_failed_installation_fails_the_whole(machine: Machine) -> None:
    machine.has("python3", BARE_VENV.replace(NOTE, "exit 1"))
    done = machine.run("bootstrap.sh", "lock.txt")
    assert done.returncode != 0
    assert "do not use it" in done.stderr  # where pip says that a hash is wrong


def test_another_environment_gets_the_lock_and_nothing_on_top(machine: Machine) -> None:
    """What is shipped is built with one in which floorgate itself is not."""
    machine.has("python3", BARE_VENV.replace("-m venv .venv", "-m venv build/venv"))
    done = machine.run("bootstrap.sh", "lock.txt", "build/venv")
    assert done.returncode == 0, done.stderr
    (lock,) = machine.calls
    assert "--python build/venv/bin/python install" in lock
    assert "--requirement lock.txt" in lock


def test_without_ensurepip_and_pip_a_user_is_told_what_to_install(machine: Machine) -> None:
    machine.has("python3", NO_PIP + BARE_VENV)
    machine.has("apt-get")
    done = machine.run("bootstrap.sh", "lock.txt")
    assert done.returncode == 1
    assert f"apt-get install --no-install-recommends python3.{sys.version_info[1]}-venv" in done.stderr
    assert machine.calls == []


def test_root_installs_and_refreshes_the_lists_when_that_fails(machine: Machine) -> None:
    root(machine)
    machine.has("apt-get", f'{NOTE}case "$*" in *update*) touch "$CALLS.fresh" ;; *) test -e "$CALLS.fresh" ;; esac')
    (machine.root / "bin/touch").symlink_to(shutil.which("touch") or "touch")
    done = machine.run("debian.sh", "socat", "gcc")
    assert done.returncode == 0, done.stderr
    first, update, second = machine.calls
    assert first == second
    assert first.startswith("apt-get install --yes")
    assert first.endswith("socat gcc")
    assert update == "apt-get update"


def test_sudo_that_asks_nothing_is_used(machine: Machine) -> None:
    machine.has("apt-get")
    machine.has("sudo", f'{NOTE}test "$1" = -n || exit 1\nshift\nexec "$@"')
    assert machine.run("debian.sh", "socat").returncode == 0
    assert any(call.startswith("apt-get install") for call in machine.calls)


def test_sudo_that_wants_a_password_is_not(machine: Machine) -> None:
    machine.has("apt-get")
    machine.has("sudo", "exit 1")
    done = machine.run("debian.sh", "socat")
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends socat" in done.stderr
    assert machine.calls == []


def test_only_the_tools_that_are_missing_are_installed(machine: Machine) -> None:
    """A machine whose nodejs brings npm must not be given Debian's npm: the two conflict."""
    root(machine)
    machine.has("apt-get")
    for tool in (
        "mosquitto",
        "mosquitto_pub",
        "openssl",
        "ssh-keygen",
        "systemd-analyze",
        "tshark",
        "gcc",
        "node",
        "npm",
        "nft",
        "ip",
        "mkfs.ext4",
        "mkfs.xfs",
        "losetup",
        "unshare",
    ):
        machine.has(tool, "exit 0")
    for tool in ("socat", "tinyproxy", "microsocks"):
        machine.has(tool, "exit 0")
    assert machine.run("tools.sh").returncode == 0
    assert machine.calls == []
    (machine.root / "bin/npm").unlink()
    (machine.root / "bin/mosquitto_pub").unlink()
    assert machine.run("tools.sh").returncode == 0
    (call,) = machine.calls
    assert call.endswith(" mosquitto-clients npm")


def test_a_missing_header_is_noticed(machine: Machine) -> None:
    root(machine)
    machine.has("apt-get")
    for tool in ("mosquitto", "mosquitto_pub", "socat", "node", "npm"):
        machine.has(tool, "exit 0")
    machine.has("gcc", "exit 1")
    assert machine.run("tools.sh").returncode == 0
    (call,) = machine.calls
    assert call.endswith(" libmodbus-dev libc6-dev")
