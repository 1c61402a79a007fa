"""The packages: what nfpm is told, the scripts of dpkg and rpm, the first site, the manual page, completions."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml

import man
import native
import runpath
from agent.cli import main
from agent.config import load
from context import Context, Failure
from tests.house import ROOT

NFPM = ROOT / "packaging/nfpm"
SCRIPTS = sorted(NFPM.glob("*.sh"))
VALUES = {
    "version": "0.2.0rc1",
    "package_version": "0.2.0~rc1",
    "release": "1",
    "arch": "amd64",
    "glibc": "2.35",
    "time": "2026-11-26T00:00:00+00:00",
    "date": "Thu, 26 Nov 2026 00:00:00 +0000",
}
OURS = r"/(?:usr|etc|opt|var/lib)/[\w./@*-]+"
MADE = {  # what is there without being shipped: links and folders that the scripts make, and the system's
    "/etc/floorgate/*.yaml": "sites",
    "/opt": "the system's",
    "/opt/floorgate/current": "by postinst",
    "/opt/floorgate/current/share/install.sh": "by the installer of the offline bundle",
    "/usr/sbin/nologin": "the system's",
    "/var/lib/floorgate": "by postinst",
    "/var/lib/floorgate-*": "by systemd",
}


@pytest.fixture(scope="module")
def told() -> dict[str, object]:
    loaded = yaml.safe_load(native.filled((NFPM / "nfpm.yaml").read_text("utf-8"), VALUES))
    assert isinstance(loaded, dict)
    return loaded


def commands(group: click.Group, path: str) -> set[str]:
    found, context = set(), click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found |= {f"{path} {name}"} | (
            commands(command, f"{path} {name}") if isinstance(command, click.Group) else set()
        )
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_posix(script: Path) -> None:
    text = script.read_text("utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", script], capture_output=True, check=False).stderr == b""


@pytest.mark.parametrize("name", native.SCRIPTS)
def test_a_maintainer_script_stops_at_what_fails_and_names_no_path_that_is_not_there(
    name: str, told: dict[str, list[dict[str, str]]]
) -> None:
    text = native.filled((NFPM / name).read_text("utf-8"), VALUES)
    assert "\nset -e\n" in text
    shipped = {each["dst"] for each in told["contents"]}
    named = set(re.findall(OURS, re.sub(r"\$\{?home\}?", "/opt/floorgate", text)))
    hidden = {path for path in named if re.match(r"/opt/floorgate/(previous|current\.new|\.offline|$)", path)}
    assert {path.rstrip("/.") for path in named - hidden} <= shipped | {*MADE}


def test_every_file_has_its_place_and_none_twice(told: dict[str, list[dict[str, str]]]) -> None:
    for kind in ("deb", "rpm"):
        places = [each["dst"] for each in told["contents"] if each.get("packager", kind) == kind]
        assert len(places) == len(set(places)) > 10
    site = next(each for each in told["contents"] if each["dst"] == "/etc/floorgate/floorgate.yaml")
    assert site["type"] == "config|noreplace"


def test_the_first_site_is_fine() -> None:
    site = load(NFPM / "floorgate.yaml")
    assert [device.driver for device in site.devices] == ["sim"]


def test_what_the_first_site_suggests_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    secret = tmp_path / "mqtt-password"
    secret.touch(0o600)
    secret.write_text("secret", "utf-8")
    file = tmp_path / "floorgate.yaml"
    file.write_text((NFPM / "floorgate.yaml").read_text("utf-8").replace("  # - {", "  - {"), "utf-8")
    site = load(file)
    assert (len(site.devices), len(site.sinks)) == (2, 2)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.2.0", "0.2.0"),
        ("0.2.0rc1", "0.2.0~rc1"),
        ("0.2.0a3.dev4", "0.2.0~a3~~dev4"),
        ("0.2.0.dev4", "0.2.0~~dev4"),
        ("0.2.0.post1", "0.2.0+post1"),
        ("0.2.0rc1+site.7", "0.2.0~rc1+site.7"),
    ],
)
def test_a_version_is_told_such_that_packages_sort(version: str, expected: str) -> None:
    assert native.package_version(version) == expected


def test_dpkg_sorts_as_python_does() -> None:
    rising = ["0.2.0.dev4", "0.2.0a1.dev2", "0.2.0a1", "0.2.0rc1", "0.2.0rc10", "0.2.0", "0.2.0.post1", "0.2.1"]
    told = [native.package_version(each) for each in rising]
    for lower, higher in pairwise(told):
        assert subprocess.run(["dpkg", "--compare-versions", lower, "lt", higher], check=False).returncode == 0


def test_there_are_no_packages_for_other_machines() -> None:
    assert native.architecture("aarch64") == "arm64"
    with pytest.raises(Failure, match="no packages for riscv64"):
        native.architecture("riscv64")


def test_a_package_without_a_bundle_says_what_to_build_first(tmp_path: Path) -> None:
    context = Context(ROOT, tmp_path, tmp_path / "dist", "1.2.3", "x86_64", Path("python"), 0)
    with pytest.raises(Failure, match="onedir/floorgate is not there") as caught:
        native.lay_out(context, tmp_path / "native", VALUES)
    assert "bundle" in caught.value.hint


def test_what_is_laid_out_depends_on_no_umask_and_no_clock(tmp_path: Path) -> None:
    for name, content, mode in (("a", b"text", 0o600), ("b", b"#!/bin/sh", 0o700), ("c.so", b"\x7fELF", 0o775)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(mode)
    tmp_path.joinpath("link").symlink_to("a")
    native.settle(tmp_path, 1_700_000_000)
    modes = {each.name: oct(each.lstat().st_mode & 0o777) for each in tmp_path.iterdir() if not each.is_symlink()}
    assert modes == {"a": "0o644", "b": "0o755", "c.so": "0o644"}
    assert {each.lstat().st_mtime for each in tmp_path.iterdir()} == {1_700_000_000}


@pytest.mark.parametrize("language", man.PAGES)
def test_the_manual_page_has_every_command(language: str) -> None:
    page = man.page(language, "2026-11-26")
    sections = set(re.findall(r'^\.SS "(.*)"$', page, re.MULTILINE))
    assert {each.replace("\\-", "-") for each in sections} == commands(main, "floorgate")
    assert not re.search(r"^['.](?!TH|SH|SS|PP|TP|nh|ad|BR)", page, re.MULTILINE)


def test_the_manual_page_in_chinese_is() -> None:
    assert "描述" in man.page("zh", "2026-11-26")
    assert "DESCRIPTION" not in man.page("zh", "2026-11-26")


@pytest.mark.parametrize("shell", man.SHELLS)
def test_a_shell_asks_floorgate_itself(shell: str) -> None:
    assert f"_FLOORGATE_COMPLETE={shell}_complete" in man.completion(shell)


def test_a_library_looks_beside_itself_and_not_where_it_was_built() -> None:
    listing = "File: a.so\n 0x1d (RUNPATH) [/home/ci/lib]\nFile: b.so\n 0x1d (RUNPATH) [$ORIGIN/x]\nFile: c\n"
    assert runpath.foreign(listing) == {"a.so": "/home/ci/lib"}
    assert runpath.changed("a.so", b"..\0/home/ci/lib\0..", "/home/ci/lib") == b"..\0$ORIGIN" + b"\0" * 6 + b".."
    with pytest.raises(Failure, match=r"a\.so would look for libraries in /lib"):
        runpath.changed("a.so", b"\0/lib\0", "/lib")
