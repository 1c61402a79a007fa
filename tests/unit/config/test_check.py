"""`floorgate check` says every problem, or what the file holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.config import configs_dir

SITE = """\
gateway: {id: gw-1}
devices:
  - {name: meter, driver: modbus, endpoint: tcp://plc, map: eastron-sdm630}
  - {name: spare, driver: sim, tags: [{name: a}, {name: b, enabled: false}]}
sinks: [{name: p, type: mqtt, url: mqtt://b}]
"""


@pytest.fixture
def check(write: Any) -> Any:
    """Runs the command on a site."""

    def run(text: str, *options: str) -> Result:
        return CliRunner().invoke(main, ["check", str(write("site.yaml", text)), *options])

    return run


def test_a_good_file_is_summed_up(check: Any, tmp_path: Path) -> None:
    done = check(SITE)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{tmp_path}/site.yaml: fine: 2 devices, 73 tags, 1 sink",
        "  meter     72 tags  tcp://plc",
        "  spare      1 tags  sim:",
        "  tcp://plc: needs 0.02 s per 1 s cycle: 2.0 % of its time",
    ]


def test_virtual_devices_are_listed_with_their_tags(check: Any, tmp_path: Path) -> None:
    virtual = "virtual: [{name: line-number-1, inputs: {x: spare/a}, derived: {y: x + 1, z: 2 * x}}]\n"
    done = check(SITE + virtual)
    head, meter, _, line = done.stdout.splitlines()[:4]
    assert head == f"{tmp_path}/site.yaml: fine: 2 devices, 73 tags, 1 virtual device, 1 sink"
    assert (meter, line) == (f"  meter{72:15} tags  tcp://plc", "  line-number-1      2 tags  virtual")
    (found,) = json.loads(check(SITE + virtual, "--json").stdout)["files"]
    assert found["virtual"] == [{"name": "line-number-1", "tags": 2, "oee": False}]
    assert json.loads(check(SITE, "--json").stdout)["files"][0]["virtual"] == []


def test_every_problem_goes_to_stderr(check: Any, tmp_path: Path) -> None:
    done = check(SITE.replace("gw-1", "gw 1").replace("sim,", "sym,"))
    assert (done.exit_code, done.stdout) == (78, "")
    first, second, count = done.stderr.splitlines()
    assert first.startswith(f"{tmp_path}/site.yaml:1:15: gateway: id: 'gw 1' is not a name")
    assert second.startswith(
        f"{tmp_path}/site.yaml:4:27: device 'spare': driver: 'sym' is not known (did you mean 'sim'?)"
    )
    assert count == "2 problems"


def test_what_is_odd_is_told_and_the_file_is_fine(check: Any, tmp_path: Path) -> None:
    text = SITE.replace("{name: a}", "{name: kwh_total, unit: kWh, kind: counter}")
    done = check(text)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{tmp_path}/site.yaml: fine")
    said, count = done.stderr.splitlines()
    assert said.startswith(
        f"{tmp_path}/site.yaml:4:46: warning: device 'spare', tag 'kwh_total': 'kwh_total' is not in"
    )
    assert count == "1 warning"
    found = json.loads(check(text, "--json").stdout)
    assert (found["ok"], found["problems"]) == (True, [])
    (warning,) = found["warnings"]
    assert (warning["line"], warning["column"]) == (4, 46)
    assert warning["hint"].startswith("did you mean 'energy_total'")


def test_what_is_odd_is_told_beside_what_is_wrong(check: Any) -> None:
    done = check(SITE.replace("{name: a}", "{name: kwh_total}").replace("gw-1", "gw 1"))
    assert done.exit_code == 78
    assert [line.split(" ")[1] for line in done.stderr.splitlines()] == ["warning:", "gateway:", "warning", "problem"]


def test_several_files_are_checked_whatever_the_first_says(check: Any, write: Any) -> None:
    good, bad = write("good.yaml", SITE), write("bad.yaml", "a: [")
    done = CliRunner().invoke(main, ["check", str(bad), str(good), str(bad.parent / "none.yaml")])
    assert done.exit_code == 78
    assert "good.yaml: fine" in done.stdout
    assert [line.rpartition("/")[2][:8] for line in done.stderr.splitlines()] == ["bad.yaml", "none.yam", "2 proble"]


def test_a_device_map_is_checked_as_one(write: Any) -> None:
    path = configs_dir() / "devices" / "eastron-sdm630.yaml"
    done = CliRunner().invoke(main, ["check", str(path)])
    assert done.exit_code == 0
    model = "Eastron SDM630-Modbus V2/V3, SDM630MCT"
    assert done.stdout == f"{path}: fine: {model}, 72 tags for modbus; confirmed, 4 sources\n"
    found = json.loads(CliRunner().invoke(main, ["check", str(path), "--json"]).stdout)["files"][0]
    assert (found["status"], found["sources"]) == ("confirmed", 4)
    wrong = write("wrong.yaml", path.read_text("utf-8").replace("address: 0x0000", "address: -1"))
    assert "tag 'voltage_l1': address: -1 is less than 0" in CliRunner().invoke(main, ["check", str(wrong)]).stderr


def test_a_map_that_does_not_say_how_sure_it_is_is_a_draft(write: Any) -> None:
    text = "device: {vendor: Acme, model: M1}\ndriver: modbus\nsources: [manual]\ntags: [{name: a, address: 0}]\n"
    done = CliRunner().invoke(main, ["check", str(write("m.yaml", text))])
    assert done.stdout.endswith("m.yaml: fine: Acme M1, 1 tags for modbus; draft, 1 source\n")


def test_json_for_a_good_file(check: Any, tmp_path: Path) -> None:
    done = check(SITE, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "ok": True,
        "problems": [],
        "warnings": [],
        "files": [
            {
                "file": f"{tmp_path}/site.yaml",
                "gateway": "gw-1",
                "devices": [
                    {"name": "meter", "driver": "modbus", "endpoint": "tcp://plc", "tags": 72},
                    {"name": "spare", "driver": "sim", "endpoint": "sim:", "tags": 1},
                ],
                "virtual": [],
                "sinks": [{"name": "p", "type": "mqtt", "enabled": True}],
                "lines": [
                    {
                        "line": "tcp://plc",
                        "driver": "modbus",
                        "devices": 1,
                        "utilisation": 0.02,
                        "fits": True,
                        "needs": "0.02 s per 1 s cycle",
                        "groups": [{"group": "1s", "interval": 1.0, "devices": 1, "seconds": 0.02}],
                        "advice": [],
                    }
                ],
            }
        ],
    }


def test_json_for_a_wrong_file(check: Any, tmp_path: Path) -> None:
    done = check(SITE.replace("url:", "uri:"), "--json")
    assert done.exit_code == 78
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert found["problems"][1] == {
        "file": f"{tmp_path}/site.yaml",
        "line": 5,
        "column": 31,
        "message": "sink 'p': unknown key 'uri'",
        "hint": "did you mean 'url'?",
    }


def test_the_command_needs_a_file() -> None:
    assert CliRunner().invoke(main, ["check"]).exit_code == 2
