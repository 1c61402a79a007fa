"""`floorgate plan`, `history` and `rollback` where no agent runs; beside one they are tried in tests/e2e."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.runtime.history import History
from agent.runtime.loading import Asked, take

SITE = """\
gateway: {id: gw}
devices:
  - {name: meter, driver: modbus, endpoint: "tcp://10.0.0.1", map: ./meter.yaml}
  - {name: pump, driver: sim, tags: [{name: flow}]}
sinks:
  - {name: platform, type: mqtt, url: "mqtt://${BROKER}", username: me, password: "${PW}"}
"""
MAP = "device: {vendor: a, model: b}\ndriver: modbus\ntags: [{name: u, address: 1, type: uint16}]\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BROKER", "broker.example")
    monkeypatch.setenv("PW", "hush-hush")
    (tmp_path / "data").mkdir()
    (tmp_path / "meter.yaml").write_text(MAP)
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    return file


def ran(site: Path) -> None:
    """An agent was here, with what the file says."""
    history(site).add(take(site, Asked()).taken, site, "start", "good")


def history(site: Path) -> History:
    return History(site.parent / "data")


def floorgate(site: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data", str(site.parent / "data")])


def plan(site: Path, *more: str) -> str:
    done = floorgate(site, "plan", "-c", str(site), *more)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_plan_before_anything_has_run_is_all_of_it(site: Path) -> None:
    assert plan(site).splitlines() == [
        f"{site}, and no version has run here:",
        "  + device meter",
        "  + device pump",
        "  + sink platform",
        "  starts: connection tcp://10.0.0.1:502 (meter)",
        "  starts: connection sim: (pump)",
        "  starts: sink platform",
        "  bus time of tcp://10.0.0.1: none → 0.5 %",
    ]


def test_a_plan_says_what_changes_what_restarts_and_what_the_wire_will_need(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(site)
    assert plan(site) == f"nothing changes: {site} says what version 1 says, which ran last\n"
    (site.parent / "meter.yaml").write_text(MAP.replace("address: 1", "address: 9"))
    site.write_text(
        SITE.replace("./meter.yaml", "./meter.yaml, interval: 250ms")
        .replace("{name: flow}", "{name: flow}, {name: level}")
        .replace("me,", '"${BROKER}",')
    )
    monkeypatch.setenv("PW", "another one that is longer")
    assert plan(site).splitlines() == [
        f"{site} against version 1, which ran last:",
        "  ~ device meter: interval: 1s → 250ms",
        "  + tag pump/level",
        "  ~ tag meter/u: address: 1 → 9",
        "  ~ sink platform: username: me → ${BROKER}",
        "  restarts: connection tcp://10.0.0.1:502 (meter)",
        "  restarts: connection sim: (pump)",
        "  restarts: sink platform",
        "  bus time of tcp://10.0.0.1: 0.5 % → 2.0 %",
    ]
    found = json.loads(plan(site, "--json"))
    assert (found["changes"], found["against"], found["sinks"]["restarted"]) == (True, 1, ["platform"])
    assert "broker.example" not in json.dumps(found)
    assert found["bus_time"] == [{"line": "tcp://10.0.0.1", "before": 0.005, "after": 0.02}]


def test_a_file_that_is_wrong_is_told_as_check_tells_it(site: Path) -> None:
    ran(site)
    site.write_text(SITE.replace("driver: sim", "driver: simm"))
    checked = CliRunner().invoke(main, ["check", str(site)])
    done = floorgate(site, "plan", "-c", str(site))
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (78, "1 problem")
    assert {*done.stderr.splitlines()} <= {*checked.stderr.splitlines()}
    found = floorgate(site, "plan", "-c", str(site), "--json")
    assert (found.exit_code, json.loads(found.stdout)["ok"]) == (78, False)


def test_without_the_secrets_of_the_agent_what_runs_can_be_compared_all_the_same(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(site)
    site.write_text(SITE.replace(', password: "${PW}"', ""))
    monkeypatch.delenv("PW")
    assert "  ~ sink platform: password: (a secret) → not set" in plan(site).splitlines()


def test_the_history_is_listed(site: Path) -> None:
    assert "no version has run" in floorgate(site, "history").stdout
    ran(site)
    history(site).add({site: b"tried"}, site, "apply", "trial", who="ann", text="1 tag added (pump/level)")
    history(site).settle(2, "reverted", "device pump is not well")
    _, _, newest, oldest = (" ".join(line.split()) for line in floorgate(site, "history").stdout.splitlines())
    assert newest.endswith("apply by ann reverted 1 tag added (pump/level); device pump is not well")
    assert oldest.endswith("start current")
    found = json.loads(floorgate(site, "history", "--json").stdout)
    assert (found["running"], [each["outcome"] for each in found["versions"]]) == (1, ["good", "reverted"])


def test_a_rollback_puts_the_files_back_and_keeps_what_stood_there(site: Path) -> None:
    ran(site)
    (site.parent / "conf.d").mkdir()
    (site.parent / "conf.d" / "more.yaml").write_text("devices: [{name: fan, driver: sim, tags: [{name: speed}]}]\n")
    site.write_text(SITE.replace("flow", "flows"))
    site.chmod(0o640)
    (site.parent / "meter.yaml").unlink()
    done = floorgate(site, "rollback", "1")
    assert (done.exit_code, "--yes does it without asking" in done.stderr) == (1, True)
    assert "flows" in site.read_text()
    done = floorgate(site, "rollback", "1", "--yes")
    assert done.exit_code == 0, done.output
    assert (site.read_text(), (site.parent / "meter.yaml").read_text()) == (SITE, MAP)
    assert site.stat().st_mode & 0o777 == 0o640
    assert not list((site.parent / "conf.d").iterdir())
    assert plan(site).startswith("nothing changes")
    kept = history(site).content(2)
    assert {path.name for path in kept} == {"site.yaml", "more.yaml"}
    assert b"flows" in kept[site]


def test_without_a_number_it_is_the_one_before(site: Path) -> None:
    ran(site)
    assert "no good version before" in floorgate(site, "rollback", "--yes").stderr
    other = SITE.replace("flow", "level")
    site.write_text(other)
    ran(site)
    assert floorgate(site, "rollback", "--yes").exit_code == 0
    assert site.read_text() == SITE
    assert [each.outcome for each in history(site).state().versions] == ["good", "good", "good"]
    assert floorgate(site, "rollback", "--yes").exit_code == 0
    assert site.read_text() == other, "and there again"


def test_after_a_trial_that_was_reverted_the_file_becomes_what_runs(site: Path) -> None:
    ran(site)
    site.write_text(SITE.replace("flow", "broken"))
    tried = take(site, Asked()).taken
    history(site).add(tried, site, "apply", "trial")
    history(site).settle(2, "reverted", "nobody confirmed it in time")
    assert floorgate(site, "rollback", "--yes").exit_code == 0
    assert site.read_text() == SITE
    assert len(history(site).state().versions) == 2, "the history had both already"


def test_a_version_whose_secret_is_gone_is_told_as_that(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(site)
    site.write_text(SITE.replace(', password: "${PW}"', ""))
    ran(site)
    monkeypatch.delenv("PW")
    done = floorgate(site, "rollback", "1", "--yes")
    assert done.exit_code == 78
    assert f"version 1 cannot run as it is: {site}:6:83: the environment has no variable PW" in done.stderr


def test_a_link_stays_one_and_what_it_leads_to_is_written(site: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    site.rename(real)
    site.symlink_to(real)
    ran(site)
    real.write_text(SITE.replace("flow", "level"))
    assert floorgate(site, "rollback", "1", "--yes").exit_code == 0
    assert (site.is_symlink(), real.read_text()) == (True, SITE)


def test_files_that_cannot_be_written_are_left_all_as_they_were(site: Path) -> None:
    ran(site)
    folder = site.parent / "maps"
    folder.mkdir()
    site.write_text(SITE.replace("./meter.yaml", "./maps/meter.yaml"))
    (site.parent / "meter.yaml").rename(folder / "meter.yaml")
    ran(site)
    site.write_text(SITE.replace("flow", "level"))
    (site.parent / "meter.yaml").write_text(MAP)
    (folder / "meter.yaml").unlink()
    folder.rmdir()
    done = floorgate(site, "rollback", "2", "--yes")
    assert (done.exit_code, "maps/meter.yaml: its folder is gone" in done.stderr) == (1, True)
    assert "level" in site.read_text()


def test_apply_needs_an_agent(site: Path) -> None:
    done = floorgate(site, "apply", "-c", str(site))
    assert (done.exit_code, "no agent runs on" in done.stderr) == (1, True)
    assert "no agent runs on" in floorgate(site, "confirm").stderr
    assert floorgate(site, "apply", "-c", str(site), "--confirm", "1s").exit_code == 2
