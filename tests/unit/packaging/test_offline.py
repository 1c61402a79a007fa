"""The installer of the offline bundle, with a Python that only looks like one; `make package-test` has a real one."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

import offline

# Answers the calls of install.sh: what it is, venv, pip, compileall, floorgate. HARM says what goes wrong in pip.
PYTHON = """#!/bin/sh
case "$1 $2" in
    "-c "*) echo "${KIND:-3.11, 64 bits}" ;;
    "-m venv") mkdir -p "$4/bin" "$4/lib" && cp "$0" "$4/bin/python" && touch "$4/pyvenv.cfg" "$4/bin/pip" ;;
    "-m compileall") ;;
    "-I "*) cat "${2%/*}/floorgate" ;;
    *)
        case "$HARM" in killed) kill -9 $PPID ;; full) exit 1 ;; esac
        echo "floorgate ${SAYS:-$RELEASE}" >"${0%/*}/floorgate"
        ;;
esac
"""


@dataclass
class Site:
    """A bundle in `bundle`, and the folder that it is installed into."""

    bundle: Path
    prefix: Path
    python: Path

    def make(self, version: str, arch: str = platform.machine(), glibc: str = "2.17") -> None:
        shutil.rmtree(self.bundle, ignore_errors=True)
        (self.bundle / "wheels").mkdir(parents=True)
        (self.bundle / "share").mkdir()
        for name in ("install.sh", "floorgate.sh"):
            shutil.copy(offline.FOLDER / name, self.bundle)
        (self.bundle / "wheels/pip-1-py3-none-any.whl").write_text("pip")
        (self.bundle / "requirements.txt").write_text("")
        facts = f"version='{version}'\narch='{arch}'\nfor_python='3.11'\nglibc='{glibc}'\n"
        (self.bundle / "release").write_text(facts)
        self.version = version
        self.seal()

    def seal(self) -> None:
        files = sorted(each for each in self.bundle.rglob("*") if each.is_file() and each.name != "SHA256SUMS")
        sums = [f"{sha256(each.read_bytes()).hexdigest()}  {each.relative_to(self.bundle)}\n" for each in files]
        (self.bundle / "SHA256SUMS").write_text("".join(sums))

    def run(self, *words: str, **environ: str) -> str:
        """What it says; "refused: " before it where it fails."""
        command = ["sh", self.bundle / "install.sh", "--prefix", self.prefix, "--python", self.python, *words]
        env = {**os.environ, "HARM": "", "RELEASE": self.version, **environ}
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        return f"{'refused: ' if done.returncode else ''}{done.stderr}"

    def running(self) -> str:
        """What the command of the installed version answers."""
        command = [self.prefix / "current/floorgate", "version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def there(self) -> set[str]:
        return {each.name for each in self.prefix.iterdir()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    found = Site(tmp_path / "bundle", tmp_path / "opt", python)
    found.make("1.0.0")
    return found


def test_installed_upgraded_gone_back_and_taken_away(site: Site) -> None:
    assert "floorgate 1.0.0 is installed" in site.run() and site.running() == "floorgate 1.0.0"
    assert not (site.prefix / "current/bin/pip").exists()
    site.make("1.1.0")
    assert "before: 1.0.0" in site.run() and site.running() == "floorgate 1.1.0"
    assert "floorgate 1.0.0 is in use" in site.run("--back") and site.running() == "floorgate 1.0.0"
    assert "floorgate 1.1.0 is in use" in site.run("--back")
    site.make("1.2.0")
    site.run()
    assert site.there() == {".offline", "1.1.0", "1.2.0", "current", "previous"}
    (site.prefix / "site.yaml").write_text("mine")
    assert "site.yaml" in site.run("--uninstall") and site.there() == {"site.yaml"}


def test_the_same_version_once_more(site: Site) -> None:
    site.run()
    (site.prefix / "1.0.0/bin/floorgate").write_text("damaged")
    site.run()
    assert site.running() == "floorgate 1.0.0" and site.there() == {".offline", "1.0.0", "current"}
    assert "refused" in site.run("--back") and site.running() == "floorgate 1.0.0"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"HARM": "killed"}, ""),
        ({"HARM": "full"}, "pip refused the wheels; see above\nfloorgate: nothing was changed"),
        ({"SAYS": "3.0.0"}, "says that it is 'floorgate 3.0.0'\nfloorgate: nothing was changed"),
    ],
)
def test_an_upgrade_that_fails_leaves_the_old_version(site: Site, environ: dict[str, str], said: str) -> None:
    site.run()
    site.make("1.1.0")
    answer = site.run(**environ)
    assert answer.startswith("refused: ") and said in answer
    assert site.running() == "floorgate 1.0.0" and (site.prefix / "current").readlink() == Path("1.0.0")
    site.run()
    assert site.running() == "floorgate 1.1.0" and ".new-1.1.0" not in site.there()


def test_killed_while_it_is_installed_once_more(site: Site) -> None:
    """The moment in which the name of the version is free: what is in use is the copy of it."""
    site.run()
    (site.prefix / "1.0.0").rename(site.prefix / ".same")
    (site.prefix / "current").unlink()
    (site.prefix / "current").symlink_to(".same")
    assert site.running() == "floorgate 1.0.0"
    site.run()
    assert site.running() == "floorgate 1.0.0" and site.there() == {".offline", "1.0.0", "current"}


def test_a_wheel_that_was_tampered_with_is_refused_before_anything_changes(site: Site) -> None:
    (site.bundle / "wheels/pip-1-py3-none-any.whl").write_text("pop")
    answer = site.run()
    assert "refused: " in answer and "wheels/pip-1-py3-none-any.whl: FAILED" in answer and not site.prefix.exists()


@pytest.mark.parametrize("sums", ["", "nonsense\n"])
def test_sums_that_are_none_are_refused(site: Site, sums: str) -> None:
    (site.bundle / "SHA256SUMS").write_text(sums)
    assert "refused: floorgate" in site.run() and not site.prefix.exists()


def test_another_machine_is_told_which_bundle_it_needs(site: Site) -> None:
    assert (
        f"needs a Python 3.11 of 64 bits with venv, ssl and sqlite3, and {site.python} is 3.12, 64 bits\n"
        in site.run(KIND="3.12, 64 bits")
    )
    assert f"and {site.python} is 3.11, 32 bits\n" in site.run(KIND="3.11, 32 bits")
    site.make("1.0.0", arch="riscv64")
    assert f"for Linux on riscv64, and this machine is Linux on {platform.machine()}" in site.run()
    site.make("1.0.0", glibc="9.9")
    assert "glibc 9.9 or newer is needed" in site.run()
    assert not site.prefix.exists()


def test_what_the_shell_has_exported_leads_nowhere_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(site.bundle, site.bundle.parent / "elsewhere/bundle")
    (site.bundle.parent / "elsewhere/bundle/SHA256SUMS").write_text("")
    monkeypatch.chdir(site.bundle.parent)
    command = ["sh", "bundle/install.sh", "--prefix", "opt", "--python", site.python]
    for folder in ("elsewhere", "."):
        env = {**os.environ, "RELEASE": site.version, "HARM": "", "CDPATH": str(site.bundle.parent / folder)}
        subprocess.run(command, env=env, check=True, capture_output=True)
    assert site.running() == "floorgate 1.0.0"


def test_a_prefix_that_is_empty_is_none(site: Site) -> None:
    assert "--prefix needs a value" in site.run("--prefix", "")


def test_a_folder_of_others_is_left_alone(site: Site) -> None:
    site.prefix.mkdir()
    (site.prefix / "current").mkdir()
    for task in ("--back", "--uninstall"):
        assert "holds something that this installer has not put there" in site.run(task)
    assert "refused: " in site.run() and site.there() == {"current"}


def wheel(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text(name)
    return file


def test_the_bundle_pins_each_wheel_and_says_what_it_needs(tmp_path: Path) -> None:
    names = [
        "h11-0.16.0-py3-none-any.whl",
        "x-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
    ]
    wheels = [wheel(tmp_path, name) for name in [*names, "y-1-cp311-cp311-manylinux_2_31_x86_64.whl"]]
    assert offline.pinned(wheels[0]) == f"h11==0.16.0 --hash=sha256:{sha256(names[0].encode()).hexdigest()}\n"
    assert [offline.glibc(wheels[:end]) for end in (1, 2, 3)] == [(2, 17), (2, 17), (2, 31)]


def test_only_what_is_needed_is_taken_from_the_lock() -> None:
    h11 = "h11==0.16 \\\n    --hash=sha256:1\n    # via x\n"
    other = "hatchling==1 \\\n    --hash=sha256:2\n"
    named = "My_Name==2 ; python_version > '3' \\\n    --hash=sha256:3\n"
    assert list(offline.locked(h11 + other + named, {"h11", "my-name"})) == [h11, named]


def test_the_archive_has_the_same_bytes_whoever_packs_it(tmp_path: Path) -> None:
    folder = tmp_path / "floorgate"
    (folder / "share").mkdir(parents=True)
    for name in ("install.sh", "share/LICENSE"):
        (folder / name).write_text(name)
    offline.pack(folder, tmp_path / "one", 1_790_000_000)
    os.utime(folder / "install.sh", (0, 0))
    (folder / "install.sh").chmod(0o600)
    offline.pack(folder, tmp_path / "two", 1_790_000_000)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
