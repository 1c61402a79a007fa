"""`floorgate support` works whatever is broken: what cannot be had is named, and the rest is there."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.cli.support import bundle as bundles
from agent.cli.support import parts
from agent.cli.support.bundle import ABOUT, MANIFEST, writing
from agent.cli.support.parts import Case
from agent.cli.support.scrub import Scrubber
from agent.model.errors import AgentError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store

METER = Schema("meter", "1s", (Tag("a"),))
SITE = """\
gateway: {id: gw-1}
devices: [{name: meter, driver: sim, tags: [{name: a}]}]
sinks: [{name: out, type: file, path: out.jsonl}]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory in which an agent has run, beside the file of its site."""
    folder = tmp_path / "data"
    store = Store.open(folder / "store.db", boot="b", keep=1e6, max_size=32 << 20, reserve=0)
    store.attach(["out"])
    store.append([Frame(METER, 1_700_000_000 * 10**9, (1.0,), bytes(1))] * 3)
    store.close()
    (tmp_path / "site.yaml").write_text(SITE, "utf-8")
    return folder


def support(data: Path, *arguments: object) -> Result:
    where = "--data", data, "-o", data.parent / "out.zip", "--json"
    return CliRunner().invoke(main, ["support", *map(str, (*where, *arguments))])


def made(data: Path, *arguments: object) -> tuple[dict[str, bytes], dict[str, str]]:
    """The members by their names, and what was left out and why; the archive says the same as the command."""
    result = support(data, *arguments)
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(data.parent / "out.zip") as file:
        members = {name: file.read(name) for name in file.namelist()}
    said = json.loads(result.stdout)
    manifest = json.loads(members[MANIFEST])
    assert manifest["members"] == said["members"] and manifest["left_out"] == said["left_out"]
    assert {each["name"] for each in said["members"]} == set(members) - {MANIFEST, ABOUT}
    about = members[ABOUT].decode()
    assert all(each["name"] in about for each in (*said["members"], *said["left_out"]))
    return members, {each["name"]: each["why"] for each in said["left_out"]}


def test_without_an_agent_it_looks_into_the_files(data: Path) -> None:
    members, left_out = made(data, "-c", data.parent / "site.yaml")
    (account,) = json.loads(members["ledger.json"])
    assert (account["read"], account["buffered"]) == (3, 3)
    assert json.loads(members["store.json"])["frames"] == 3
    assert json.loads(members["verify.json"])["ok"]
    inventory: dict[str, Any] = json.loads(members["inventory.json"])
    assert [(each["name"], each["tags"]) for each in inventory["devices"]] == [("meter", 1)]
    assert json.loads(members["check.json"])["ok"]
    assert members["config/site.yaml"].decode() == SITE.rstrip("\n")
    assert {row["path"] for row in json.loads(members["data.json"])} >= {"store.db"}
    assert left_out["health.json"] == f"no agent runs on {data}"
    assert {"readyz.json", "metrics.txt", "log/lines.txt", "audit.json", "pki.json"} <= set(left_out)


def test_a_damaged_store_is_told_and_keeps_nothing_else_out(data: Path) -> None:
    whole = (data / "store.db").read_bytes()
    (data / "store.db").write_bytes(whole[:4096] + os.urandom(8192) + whole[12288:])
    members, left_out = made(data, "-c", data.parent / "site.yaml")
    assert "config/site.yaml" in members and "machine.json" in members
    assert "damaged" in left_out["verify.json"] or not json.loads(members["verify.json"])["ok"]


def test_a_site_that_is_wrong_or_gone_is_told(data: Path) -> None:
    site = data.parent / "site.yaml"
    site.write_text(SITE.replace("driver: sim", "driver: sym"), "utf-8")
    members, _ = made(data, "-c", site)
    check = json.loads(members["check.json"])
    assert not check["ok"] and "did you mean 'sim'" in check["problems"][0]["hint"]
    (data.parent / "out.zip").unlink()
    members, left_out = made(data, "-c", data.parent / "gone.yaml")
    assert left_out["config/gone.yaml"] == "there is no such file"


def test_nothing_at_all_is_told_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.support.USUAL", tmp_path / "usual.yaml")
    members, left_out = made(tmp_path / "none")
    assert "machine.json" in members
    assert left_out["config/"] == "no configuration was found: name it with -c"
    assert "No such file" in left_out["data.json"]


def test_files_that_are_no_text_or_cannot_be_read_are_named(data: Path) -> None:
    folder = data.parent
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "more.yaml").mkdir()
    (folder / "site.yaml").write_text(SITE.replace("driver: sim", "map: m.xlsx, driver: sim"), "utf-8")
    (folder / "m.xlsx").write_bytes(b"PK no workbook")
    _, left_out = made(data, "-c", folder / "site.yaml", "--log", folder / "gone.log")
    assert left_out["config/conf.d/more.yaml"] == "this is not a file"
    assert left_out["log/gone.log"] == "No such file or directory"


def test_an_archive_that_is_there_stays(data: Path) -> None:
    (data.parent / "out.zip").write_text("keep me")
    result = support(data)
    assert result.exit_code == 1 and "is there already (name another file with -o)" in result.stderr
    assert (data.parent / "out.zip").read_text() == "keep me"


def test_for_people_it_says_what_is_missing_and_to_look_through_it(data: Path) -> None:
    out = data.parent / "out.zip"
    result = CliRunner().invoke(main, ["support", "--data", str(data), "-o", str(out)])
    assert result.stdout.startswith(f"{out}: ") and "places hidden" in result.stdout
    assert "left out: health.json: no agent runs" in result.stderr
    assert "look through it before you send it" in result.stderr
    assert not list(data.parent.glob(".*.part"))


def test_what_is_too_long_is_cut_and_a_full_archive_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "LARGEST", 1000)
    monkeypatch.setattr(bundles, "MOST", (64 << 10) + 3000)
    with writing(tmp_path / "out.zip", Scrubber(["canary"])) as bundle:
        bundle.add("head.txt", "a" * 1500)
        bundle.add("log.txt", "b" * 1500 + "canary" + "c" * 990, tail=True)
        bundle.add("noise.bin", os.urandom(4000).hex()[:1000])
        for number in range(9):
            bundle.add(f"noise{number}.bin", os.urandom(4000).hex()[:1000])
    with zipfile.ZipFile(tmp_path / "out.zip") as file:
        assert file.read("head.txt") == b"a" * 1000
        assert file.read("log.txt") == b"(a secret)" + b"c" * 990
    assert bundle.left_out and "the archive is full" in bundle.left_out[0].why
    assert (tmp_path / "out.zip").stat().st_size < (64 << 10) + 3000


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> None:
        with writing(tmp_path / "out.zip", Scrubber([])) as bundle:
            bundle.add("a.txt", "a")
            raise OSError(28, "No space left on device")

    with pytest.raises(AgentError, match="No space left"):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_when_the_time_is_over_the_rest_is_left_out(tmp_path: Path) -> None:
    ticks = iter(range(0, 100_000, 50))
    case = Case(tmp_path, None, "no agent runs", None, {}, "")
    with writing(tmp_path / "out.zip", Scrubber([])) as bundle:
        parts.fill(bundle, case, lambda done: None, now=lambda: float(next(ticks)))
    assert len(bundle.members) == 1
    assert bundle.left_out[-1].why == "the 60 seconds for all of it were over"


def test_what_never_ends_is_not_read(data: Path) -> None:
    os.mkfifo(data / "agent.json")
    os.mkfifo(data.parent / "gateway.log")
    _, left_out = made(data, "-c", data.parent / "site.yaml", "--log", data.parent / "gateway.log")
    assert left_out["health.json"] == f"no agent runs on {data}"
    assert "it is no file" in left_out["log/gateway.log"]
