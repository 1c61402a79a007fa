"""`floorgate store` and `floorgate ledger` beside a running agent, and on what it left behind."""

import json
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store
from tests.e2e.site import Agent, Platform
from tests.sim.mosquitto import Mosquitto, wait_until

SITE = """\
gateway: {{id: gw-desk}}
devices:
  - {{name: pump, driver: sim, interval: 50ms, tags: [{{name: flow}}, {{name: pressure, type: float32}}]}}
  - {{name: tank, driver: sim, interval: 100ms, tags: [{{name: level}}]}}
sinks:
  - {{name: archive, type: file, path: "{folder}/archive.jsonl"}}
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:9"}}
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms, max_size: 64MB}}
log: {{format: json}}
"""
OLD = Schema("old", "1s", (Tag("a", "int32", "V"),), 1.0)
NOON = 1_700_000_000 * 10**9


def prepare(path: Path) -> None:
    """What an earlier agent left: ten frames, of which `platform` refused one; the sink `gone` is owed all."""
    path.parent.mkdir()
    store = Store.open(path, boot="another", keep=3600.0, max_size=64 << 20, reserve=0)
    store.attach(["platform", "gone"])
    store.append([Frame(OLD, NOON + i * 10**9, (i,), bytes(1)) for i in range(10)])
    store.set_aside("platform", store.read("platform", 4)[3:], "too strange", 3)
    store.ack("platform", store.read("platform", 5))
    store.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    prepare(tmp_path / "data" / "store.db")
    with Agent(tmp_path, SITE.format(folder=tmp_path)) as agent:
        agent.ready()
        yield agent


def command(agent: Agent, *arguments: str) -> Result:
    """In this process, which spares the start of another one; the agent is one of its own."""
    return CliRunner().invoke(main, [*arguments, "--data", str(agent.data)])


def told(agent: Agent, *arguments: str) -> str:
    done = command(agent, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def asked(agent: Agent, *arguments: str) -> Any:
    return json.loads(told(agent, *arguments, "--json"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_command_works_beside_the_agent_and_when_it_has_ended(agent: Agent, tmp_path: Path) -> None:
    wait_until(lambda: asked(agent, "store", "stats")["owed"]["platform"] > 50, "frames that nobody takes")
    for running in (True, False):
        if not running:
            assert agent.stop() == 0
        looked_at(agent, tmp_path, running=running)
        taken_out_and_put_back(agent, tmp_path / f"out-{running}")
        looked_at(agent, tmp_path, running=running)
    assert {"old", "pump", "tank"} <= {account["device"] for account in agent.ledger()}


def looked_at(agent: Agent, folder: Path, *, running: bool) -> None:
    stats = asked(agent, "store", "stats")
    assert stats["running"] == running
    assert stats["limit"] == 64 << 20
    assert (stats["samples_per_s"] is not None, stats["hours_left"] is not None) == (running, running)
    newest = asked(agent, "store", "peek", "--device", "pump", "--last", "3")
    assert [each["device"] for each in newest] == ["pump"] * 3
    assert newest[0]["values"].keys() == {"flow", "pressure"}
    verified = asked(agent, "store", "verify")
    assert (verified["ok"], verified["faults"]) == (True, [])
    assert told(agent, "store", "export", str(folder / "all.csv"), "--format", "csv") == ""
    assert (folder / "all.csv").read_text("utf-8-sig").startswith("time,device,group,tag,value,unit,quality,epoch,seq")
    assert all(account["balanced"] for account in asked(agent, "ledger"))
    period = asked(agent, "ledger", "--since", "1h")
    assert {account["sink"]: account["read"] for account in period["accounts"]}["gone"] == 0, "all before this run"


def taken_out_and_put_back(agent: Agent, out: Path) -> None:
    before = asked(agent, "store", "stats")
    told(agent, "store", "export", str(out), "--device", "old")
    frames = [line for line in lines(out) if "seq" in line]
    assert frames, "an old frame is still owed"
    assert told(agent, "store", "import", str(out)) == f"{len(frames):,} frames were put back\n"
    after = asked(agent, "store", "stats")
    assert after["owed"]["platform"] >= before["owed"]["platform"] + len(frames)


def test_a_collector_finds_the_ledger_and_the_debts(agent: Agent) -> None:
    facts = json.loads((agent.data / "agent.json").read_text())
    with urllib.request.urlopen(f"http://{facts['host']}:{facts['port']}/metrics", timeout=10) as response:
        text = response.read().decode()
    assert 'floorgate_owed_frames{sink="gone"} 10\n' in text
    assert 'floorgate_samples_total{sink="gone",device="old",what="read",reason=""} 10\n' in text
    assert 'floorgate_part_up{kind="store",name="store.db"}' in text
    assert "floorgate_store_up 1\n" in text


def test_what_a_sink_refused_is_sent_again_while_the_agent_runs(agent: Agent, tmp_path: Path) -> None:
    out = tmp_path / "aside"
    told(agent, "store", "export", str(out), "--sink", "platform", "--aside")
    (line,) = (line for line in lines(out) if "seq" in line)
    assert (line["seq"], line["refused"], line["values"]) == (4, "too strange", {"a": 3})
    assert told(agent, "store", "retry", "platform", "1-3") == "0 frames are owed to platform again\n"
    assert told(agent, "store", "retry", "platform") == "1 frames are owed to platform again\n"
    assert asked(agent, "store", "stats")["set_aside"]["platform"] == 0
    (newest,) = asked(agent, "store", "peek", "--device", "old", "--last", "1")
    assert newest["seq"] == 10


def test_what_is_put_back_reaches_every_sink_and_is_history_where_live_data_goes_first(tmp_path: Path) -> None:
    out, archive = tmp_path / "in", tmp_path / "archive.jsonl"
    out.write_text('{"device": "hand", "ts": 1700000000123, "values": {"a": 1}}\n')

    def arrived(frames: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [frame for frame in frames if frame["device"] == "hand"]

    def archived() -> list[dict[str, Any]]:
        return arrived(lines(archive)) if archive.exists() else []

    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port) as platform:
        site = SITE.format(folder=tmp_path).replace("127.0.0.1:9", f"127.0.0.1:{broker.port}")
        with Agent(tmp_path, site) as agent:
            wait_until(lambda: len(platform.taken()) > 5, "live frames")
            assert told(agent, "store", "import", str(out)) == "1 frames were put back\n"
            wait_until(lambda: bool(archived()), "the frame in the archive")
            wait_until(lambda: bool(arrived(platform.taken().values())), "the frame at the platform")
            (frame,) = arrived(platform.taken().values())
            assert (frame["ts"], frame["values"], frame["history"]) == (1_700_000_000_123, {"a": 1}, True)


def test_a_sink_that_is_gone_is_forgotten_while_the_agent_runs(agent: Agent) -> None:
    assert asked(agent, "store", "stats")["owed"]["gone"] == 10
    refused = command(agent, "store", "forget", "platform", "--yes")
    assert (refused.exit_code, "sink 'platform' is in use" in refused.stderr) == (1, True)
    assert told(agent, "store", "forget", "gone", "--yes") == "10 frames that gone was owed are given up\n"
    (account,) = (account for account in asked(agent, "ledger") if account["sink"] == "gone")
    assert (account["dropped"], account["balanced"]) == ({"forgotten": 10}, True)


def test_a_bad_line_and_a_wrong_name_are_told_by_the_agent_in_words(agent: Agent, tmp_path: Path) -> None:
    failed = command(agent, "store", "export", str(tmp_path / "out"), "--sink", "nobody")
    assert (failed.exit_code, "knows no sink 'nobody' (it knows " in failed.stderr) == (1, True)
    (tmp_path / "in").write_text('{"device": "x"}\n')
    failed = command(agent, "store", "import", str(tmp_path / "in"))
    assert (failed.exit_code, f"{tmp_path / 'in'}:1: neither a schema nor a frame" in failed.stderr) == (1, True)


def test_after_a_kill_the_file_is_read_with_what_was_not_yet_in_it(agent: Agent) -> None:
    wait_until(lambda: asked(agent, "store", "stats")["owed"]["platform"] > 50, "frames that nobody takes")
    last = asked(agent, "store", "stats")["last_seq"]
    agent.kill()
    stats = asked(agent, "store", "stats")
    assert (stats["running"], stats["last_seq"] >= last) == (False, True)
    assert asked(agent, "store", "verify")["ok"]
