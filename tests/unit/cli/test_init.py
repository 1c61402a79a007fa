"""`floorgate init`: a first site file that `check` accepts, from options, a scan, or a person at a terminal."""

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import asking, main
from agent.cli.first_site import Device, Site, named, text
from agent.config import load, schema
from tests.house import ROOT
from tests.sim.pymodbus_server import pymodbus_meter

FOUND = [
    {
        "endpoint": "rtu:///dev/ttyUSB0?baud=9600&parity=N",
        "unit": unit,
        "says": "a value",
        "identity": {"vendor": "Eastron", "product": "SDM630", "revision": "1.2\n\x1b[2J"},
        "maps": [{"map": "eastron-sdm630", "score": 1.0, "fits": 10, "of": 10}],
    }
    for unit in (1, 2)
] + [{"endpoint": "tcp://192.168.1.20", "unit": 7, "says": "no", "identity": None, "maps": []}]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*options: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["init", *options, "--data", "data"], input=stdin)


def test_what_a_scan_has_found_becomes_a_site_that_is_right(here: Path) -> None:
    done = init("--from", "-", "--gateway", "gw-1", "--site", "acme/hall 1".replace(" ", "-"), stdin=json.dumps(FOUND))
    assert done.exit_code == 0, done.output
    site = load(here / "site.yaml", {})
    assert (site.gateway.id, site.gateway.site) == ("gw-1", ["acme", "hall-1"])
    assert [(each.name, each.map, each.interval) for each in site.devices] == [
        ("sdm630-1", "eastron-sdm630", 5.0),
        ("sdm630-2", "eastron-sdm630", 5.0),
        ("unit-7", "", 1.0),
    ]
    said = (here / "site.yaml").read_text("utf-8")
    assert "# says that it is: Eastron SDM630 1.2\\x0a\\x1b[2J\n" in said
    assert "# a guess, 100%: 10 of 10 readings make sense" in said
    assert "floorgate check site.yaml --online --data data" in done.stdout
    assert CliRunner().invoke(main, ["check", "site.yaml", "--data", "data"]).exit_code == 0


def test_what_a_file_says_to_people_is_in_their_language(here: Path) -> None:
    """And the YAML around it is the same."""
    (here / "scan.json").write_text(json.dumps(FOUND), "utf-8")
    bare = []
    for language in ("en", "zh"):
        options = ("--from", "scan.json", "--sink", "mqtt://h", "--force", "--yes")
        assert CliRunner().invoke(main, ["--lang", language, "init", *options]).exit_code == 0
        said = (here / "site.yaml").read_text("utf-8")
        bare.append([line.partition("#")[0] for line in said.split("\n")])
        assert ("says that it is" in said, "设备自称" in said) == (language == "en", language == "zh")
    assert bare[0] == bare[1]


def test_an_editor_finds_the_schema_where_the_file_says_that_it_is(here: Path) -> None:
    assert init("--from", "-", stdin=json.dumps(FOUND)).exit_code == 0
    first = (here / "site.yaml").read_text("utf-8").splitlines()[0]
    path = here / first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads(path.read_text("utf-8")) == schema()


async def test_a_scan_is_made_where_one_is_asked_for(here: Path) -> None:
    async with pymodbus_meter([3]) as endpoint:
        done = await asyncio.to_thread(init, "-y", "--scan", endpoint, "--units", "3")
    assert done.exit_code == 0, done.output
    (device,) = load(here / "site.yaml", {}).devices
    assert (device.name, device.map, device.endpoint) == ("sdm630-3", "eastron-sdm630", endpoint)


@pytest.mark.parametrize(
    ("options", "stdin", "said"),
    [
        ((), "", "there is no device to write about"),
        (("--scan", "tcp://"), "", "--scan:"),
        (("--scan", "tcp://127.0.0.1:1"), "", "cannot connect"),
        (("--opcua", "http://x"), "", "http"),
        (("--from", "-"), "[{}]", "this is no result of a scan (--from takes what"),
        (("--from", "-"), "devices:\n", "this is no result of a scan"),
        (("--from", "-"), "[" * 100_000, "this is no result of a scan"),
        (("--from", "-"), " " * (1 << 20) + "[]", "larger than 1024 KB"),
        (("--from", "nowhere"), "", "nowhere: cannot be read"),
        (("--from", "-", "--sink", "ftp://x"), json.dumps(FOUND), "'ftp://x' is nowhere: mqtt://"),
        (("--from", "-", "--sink", "mqtt://h:x"), json.dumps(FOUND), "is not an address"),
        (("--from", "-", "--gateway", "a/b"), json.dumps(FOUND), "'a/b' is not a name"),
        (("--from", "-", "-o", "none/site.yaml"), json.dumps(FOUND), "there is no such folder"),
        (
            ("--from", "-", "--sink", "mqtt://h", "--user", "u", "--password-file", "no"),
            json.dumps(FOUND),
            "no such file",
        ),
    ],
)
def test_what_will_not_do_is_said_and_nothing_is_written(
    options: tuple[str, ...], stdin: str, said: str, here: Path
) -> None:
    done = init(*options, stdin=stdin)
    assert done.exit_code != 0
    assert said in done.output
    assert [path.name for path in here.iterdir() if path.name != "data"] == []


def test_a_map_that_the_shelf_does_not_have_is_told_like_any_problem(here: Path) -> None:
    odd = [{**FOUND[0], "maps": [{"map": "../../etc/passwd", "score": 1, "fits": 1, "of": 1}]}]
    done = init("--from", "-", stdin=json.dumps(odd))
    assert done.exit_code == 78 and "map: '../../etc/passwd'" in done.output
    assert not (here / "site.yaml").exists()


def test_a_file_is_written_over_only_when_told(here: Path) -> None:
    (here / "site.yaml").write_text("mine")
    done = init("--from", "-", stdin=json.dumps(FOUND))
    assert done.exit_code == 1 and "site.yaml is there already (another -o FILE, or --force" in done.output
    assert (here / "site.yaml").read_text() == "mine"
    assert init("--from", "-", "--force", stdin=json.dumps(FOUND)).exit_code == 0
    assert load(here / "site.yaml", {}).devices


def test_a_password_file_is_named_as_it_is_found_from_the_site(here: Path) -> None:
    (here / "pw").write_text("hush\n")
    (here / "pw").chmod(0o600)
    options = ("--sink", "mqtts://h", "--sink", "https://h/x", "--user", "u", "--password-file", "pw")
    assert init("--from", "-", *options, stdin=json.dumps(FOUND)).exit_code == 0
    assert "password: file:pw" in (here / "site.yaml").read_text()
    site: Any = load(here / "site.yaml", {})
    assert [(sink.name, sink.type, sink.password.get_secret_value()) for sink in site.sinks] == [
        ("platform", "mqtt", "hush"),
        ("platform-2", "http", "hush"),
    ]


def typed(folder: Path, *answers: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """What a person at a terminal sees who answers like this."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agent", "init", "--data", "data", *options]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        seen, left = b"", list(answers)
        while chunk := _chunk(ours):
            seen += chunk
            if left and seen.endswith(b": "):
                os.write(ours, f"{left.pop(0)}\n".encode())
        process.kill()  # it waits for more answers, if it is still there
        os.close(ours)
    return process.returncode, seen.decode(errors="replace")


def _chunk(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096) if select.select([terminal], [], [], 20)[0] else b""
    except OSError:  # the other side is closed
        return b""


def test_a_person_is_asked_and_a_wrong_answer_is_asked_for_again(tmp_path: Path) -> None:
    """The password lies in a file of its own, which nobody else can read."""
    endpoints = ("tcp:/x", "tcp://192.168.1.20", "n", "x", "4", "eastron", "sdm630")
    code, seen = typed(
        tmp_path,
        "a b",
        "gw-7",
        "acme/hall",
        *endpoints,
        "",
        "mqqt://h",
        "mqtts://h",
        "me",
        "hush-hush",
        "hush",
        "hush-hush",
        "hush-hush",
    )
    assert code == 0, seen
    for said in ("'a b' is not a name", "'x' is no unit", "one of: eastron-", "'mqqt://h' is nowhere", "not the same"):
        assert said in seen
    site: Any = load(tmp_path / "site.yaml", {})
    (device,) = site.devices
    assert (site.gateway.id, device.name, device.unit, device.map) == ("gw-7", "sdm630-4", 4, "eastron-sdm630")
    assert site.sinks[0].password.get_secret_value() == "hush-hush"
    assert (tmp_path / "platform.secret").stat().st_mode & 0o777 == 0o600
    assert "hush" not in (tmp_path / "site.yaml").read_text()


def test_names_are_free_and_legal() -> None:
    taken: set[str] = set()
    assert [named(each, taken) for each in ("a/b c", "a-b-c", "$x", "", "a-b-c")] == [
        "a-b-c",
        "a-b-c-2",
        "x",
        "device",
        "a-b-c-3",
    ]


@pytest.mark.parametrize("value", ["yes: no", "#x", "a'b\"c", "*x", "&y", "x\ty", "{", "null", "true", "1e3", "电表"])
def test_whatever_a_device_is_called_is_text_in_the_file(value: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    site = Site("gw", (), [Device(named(value, set()), "tcp://h", 1, "xy-md02", value, value)], ())
    path.write_text(text(site), "utf-8")
    assert load(path, {}).devices[0].name == named(value, set())


@pytest.mark.parametrize("given", ["tcp://h", "rtu:///dev/ttyUSB0", "opc.tcp://h:4840", ""])
def test_endpoints_that_there_are_will_do(given: str) -> None:
    assert asking.endpoint(given) == given


@pytest.mark.parametrize("given", ["h", "tcp://", "ftp://h", "rtu://x?speed=1"])
def test_endpoints_that_there_are_not_are_refused_with_the_reason(given: str) -> None:
    with pytest.raises(ValueError, match="://"):
        asking.endpoint(given)
