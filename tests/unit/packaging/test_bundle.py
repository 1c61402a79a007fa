"""The bundle holds what is loaded by name, and every file that is read; a build that fails leaves nothing half-made."""

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import contents
import context
import glibc
import package
import rthook_self
import rthook_trust
from agent import __version__, registry
from agent.cli import COMMANDS
from agent.runtime import inventory
from context import Context, Failure
from tests.house import ROOT, listed

LOADERS = {  # where modules are loaded by name, and what of the table answers for it
    "agent/cli/lazy.py": "commands",
    "agent/northbound/shapes/compress.py": "ZSTD",
    "agent/registry.py": "the folders of drivers and sinks",
}


@pytest.fixture(scope="module")
def hidden() -> list[str]:
    return contents.hidden()


def build(folder: Path) -> Context:
    (folder / "build").mkdir()
    return Context(ROOT, folder / "build", folder / "dist", "1.2.3", "x86_64", Path(sys.executable), 1_700_000_000)


def modules(folder: str) -> Iterator[str]:
    for path in (ROOT / folder.replace(".", "/")).rglob("*.py"):
        yield path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def test_every_module_of_each_driver_and_sink_is_in_the_bundle(hidden: list[str]) -> None:
    """So an optional sibling such as `budget` needs no line of its own."""
    for folder in (*registry.DRIVERS.values(), *registry.SINKS.values()):
        assert set(modules(folder)) <= set(hidden)


def test_every_command_is_in_the_bundle(hidden: list[str]) -> None:
    assert {f"agent.cli.{name}_" if name == "import" else f"agent.cli.{name}" for name in COMMANDS} <= set(hidden)
    assert {"agent.cli.maps.list", "agent.cli.store.import_", "agent.cli.alarms.list"} <= set(hidden)


def test_what_is_in_the_table_is_there(hidden: list[str]) -> None:
    assert [name for name in hidden if find_spec(name) is None] == []
    assert "backports.zstd" in hidden or "compression.zstd" in hidden


def test_nothing_that_is_left_out_is_in_the_table(hidden: list[str]) -> None:
    assert [name for name in hidden if name.startswith(tuple(f"{each}." for each in contents.EXCLUDED))] == []


def test_whoever_loads_modules_by_name_is_known_here() -> None:
    """A new place must say in packaging/contents.py what it may load."""
    found = {path for path in listed() if path.endswith(".py") and path.startswith(("agent/", "drivers/", "buffer/"))}
    loading = {path for path in found if "import_module(" in (ROOT / path).read_text("utf-8")}
    assert loading == set(LOADERS)


def test_every_file_that_is_read_is_in_the_bundle() -> None:
    data = {f"{folder}/{Path(file).name}" for file, folder in contents.data(ROOT)}
    assert {path for path in listed(tracked_only=True) if path.startswith("configs/")} <= data
    assert "agent/lang/zh.po" in data


def test_what_an_inventory_tells_has_its_metadata_in_the_bundle() -> None:
    assert {*inventory.LIBRARIES} <= {*contents.described()}


def test_files_beside_a_module_are_read_where_we_know_it() -> None:
    """A new use of `__file__` must be a file of the table."""
    ours = [path for path in listed() if path.endswith(".py") and path.startswith(("agent/", "drivers/", "buffer/"))]
    reading = [path for path in ours if "__file__" in (ROOT / path).read_text("utf-8")]
    assert reading == ["agent/config/files.py", "agent/lang/__init__.py", "agent/runtime/selftest.py"]


def test_the_specification_is_python() -> None:
    assert ast.parse((ROOT / "packaging/floorgate.spec").read_text("utf-8")).body


def test_each_step_is_there() -> None:
    for name in package.STEPS:
        assert callable(package._step(name))


def test_a_step_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert package.main(["bundel"]) == 2
    assert "bundle" in capsys.readouterr().err


def test_the_version_has_one_place() -> None:
    assert context.version() == __version__


def test_the_time_in_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert context.epoch() == 1_700_000_000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(Failure, match="yesterday"):
        context.epoch()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert context.epoch() > 1_600_000_000


def test_a_tool_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="sh ended with 3") as caught:
        build(tmp_path).run("sh", "-c", "echo no such thing; exit 3", hint="look again", cwd=tmp_path)
    assert (caught.value.said, caught.value.hint) == ("no such thing", "look again")


def test_a_tool_that_finds_the_disk_full_leads_to_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        build(tmp_path).run("sh", "-c", f"echo '{os.strerror(28)}'; exit 1")
    assert "free some space" in caught.value.hint


def test_a_tool_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no-such-tool is not there"):
        build(tmp_path).run("no-such-tool")


def test_a_product_is_moved_into_dist(tmp_path: Path) -> None:
    made = build(tmp_path)
    (made.build / "a.whl").write_bytes(b"whole")
    assert made.publish(made.build / "a.whl", "b.whl").read_bytes() == b"whole"
    assert [each.name for each in made.dist.iterdir()] == ["b.whl"]


HALF = """
import resource, sys
from pathlib import Path
from context import Context
build, dist = Path(sys.argv[1]), Path(sys.argv[2])
(build / "a.whl").write_bytes(bytes(100_000))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
Context(build, build, dist, "1", "x86_64", Path(), 0).publish(build / "a.whl")
"""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_copy_that_fails_half_way_leaves_nothing_in_dist(tmp_path: Path) -> None:
    """build/ may lie on another file system; here the copy may not grow."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "packaging")}
        command = [sys.executable, "-c", HALF, other, str(tmp_path / "dist")]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert list((tmp_path / "dist").iterdir()) == []


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["etc/ssl/certs/ca-certificates.crt"], ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs")),
        (["etc/pki/tls/certs/ca-bundle.crt"], ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/tls/certs")),
        (["etc/ssl/ca-bundle.pem"], ("/etc/ssl/ca-bundle.pem", None)),
        ([], (None, None)),
    ],
)
def test_certificates_are_where_this_machine_has_them(
    tmp_path: Path, there: list[str], expected: tuple[str | None, str | None]
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    found = rthook_trust.settings({}, str(tmp_path))
    assert (found.get("SSL_CERT_FILE"), found.get("SSL_CERT_DIR")) == expected


def test_certificates_that_somebody_chose_stay(tmp_path: Path) -> None:
    chosen = {"SSL_CERT_FILE": "/mine.pem", "SSL_CERT_DIR": "/mine"}
    assert rthook_trust.settings(chosen, str(tmp_path)) == {}


class Archive:
    """PyInstaller's, of which nothing but the name of its file is touched."""

    def __init__(self, file: str) -> None:
        self._filename = file


@pytest.mark.parametrize(("file", "expected"), [(sys.executable, "/proc/self/exe"), (__file__, __file__)])
def test_modules_come_out_of_the_running_program_where_they_are_in_it(file: str, expected: str) -> None:
    archive = Archive(file)
    rthook_self.hold(archive)
    assert archive._filename == expected


def test_the_glibc_that_is_needed_is_the_highest_of_all(tmp_path: Path) -> None:
    """readelf of two files, as it prints them (shortened)."""
    listing = (
        "File: {0}/a.so\n  0x0010: Name: GLIBC_2.4  Flags: none\n  0x0020: Name: GLIBC_2.34  Flags: none\n"
        "File: {0}/b.so\n  0x0010: Name: GLIBC_2.9  Flags: none\n  0x0020: Name: GLIBCXX_3.4.30\n"
    )
    assert glibc.highest(listing.format(tmp_path), tmp_path) == ("2.34", "a.so")
    assert glibc.highest("", tmp_path) == ("0", "nothing")
