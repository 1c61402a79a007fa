"""`floorgate export` writes a map of the shelf, of a file or of a device for Excel, and nothing that is not its own."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.config import load, load_map
from tests.house import ROOT

SITE = """\
gateway: {id: gw-1}
devices:
  - name: main-meter
    driver: modbus
    endpoint: tcp://192.168.1.20:502
    unit: 7
    map: eastron-sdm630
    interval: 5s
    max_registers: 40
    groups: {slow: {interval: 1m, defaults: {kind: state}}}
    tags:
      - {name: voltage_l1, enabled: false}
      - {name: relay, register: coil, type: bool, address: 0, group: slow}
  - name: press
    driver: opcua
    endpoint: opc.tcp://10.0.0.3
    user: operator
    password: "${SECRET}"
    tags: [{name: speed, node: "ns=2;s=Speed", type: float32, unit: r/min}]
"""


def export(*args: object) -> Result:
    return CliRunner(env={"SECRET": "hush"}).invoke(main, ["export", *map(str, args)])


@pytest.mark.parametrize("ending", ["csv", "xlsx", "yaml"])
def test_a_map_of_the_shelf_becomes_a_file(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"points.{ending}"
    done = export("eastron-sdm630", "-o", out)
    assert (done.exit_code, done.stdout) == (0, f"{out}: 72 tags of Eastron SDM630-Modbus V2/V3, SDM630MCT\n")
    assert len(load_map(out).tags or ()) == 72


def test_titles_may_be_chinese(tmp_path: Path) -> None:
    out = tmp_path / "points.csv"
    assert export("xy-md02", "-o", out, "--lang-headers", "zh").exit_code == 0
    text = out.read_text("utf-8-sig")
    assert "\n# 驱动: modbus\n" in text and "\n名称,寄存器类型,地址," in text
    assert load_map(out).head.device.kind == "env_sensor"


@pytest.mark.parametrize("ending", ["csv", "xlsx", "yaml"])
def test_a_device_becomes_a_map_without_what_is_its_own(tmp_path: Path, ending: str) -> None:
    site, out = tmp_path / "site.yaml", tmp_path / f"own.{ending}"
    site.write_text(SITE)
    done = export("-c", site, "main-meter", "-o", out)
    assert (done.exit_code, done.stderr) == (0, "left out, as they belong to the device alone: unit, interval\n")
    again = tmp_path / "again.yaml"
    again.write_text(
        "gateway: {id: gw-1}\ndevices:\n"
        f"  - {{name: main-meter, driver: modbus, endpoint: 'tcp://192.168.1.20:502', unit: 7, map: {out.name}}}\n"
    )
    (one, *_), (other,) = load(site, {"SECRET": "x"}).devices, load(again, {}).devices
    assert getattr(one, "tags", 1) == getattr(other, "tags", 2)
    assert (one.groups, getattr(one, "max_registers", 1)) == (other.groups, getattr(other, "max_registers", 2))


def test_no_secret_leaves_with_a_device(tmp_path: Path) -> None:
    site, out = tmp_path / "site.yaml", tmp_path / "press.csv"
    site.write_text(SITE)
    done = export("-c", site, "press", "-o", out)
    assert done.stderr == "left out, as they belong to the device alone: user, password\n"
    text = out.read_text("utf-8-sig")
    assert "speed,ns=2;s=Speed,float32,r/min" in text
    assert not any(word in text for word in ("hush", "operator", "SECRET", "10.0.0.3"))
    site.write_text(SITE.replace("ns=2;s=Speed", "${SECRET}"))
    done = CliRunner(env={"SECRET": "ns=2;s=x"}).invoke(main, ["export", "-c", str(site), "press", "-o", f"{out}2.csv"])
    assert (done.exit_code, "${SECRET} cannot be exported: a map is pure data" in done.stderr) == (78, True)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["eastron-sdm630", "-o", "x.xls"], 2, "OUT must end in one of .csv, .xlsx, .yaml, .yml, not .xls"),
        (["eastron-sdm63", "-o", "x.csv"], 78, "there is no device map 'eastron-sdm63'"),
        (["no.csv", "-o", "x.csv"], 78, "no.csv:1:1: there is no such file"),
        (["-c", "site.yaml", "prss", "-o", "x.csv"], 78, "no device 'prss' is in the file"),
        (["-c", "none.yaml", "press", "-o", "x.csv"], 78, "there is no such file"),
        (["eastron-sdm630", "-o", "there.csv"], 1, "there.csv is there already"),
        (["eastron-sdm630", "-o", "none/x.csv"], 1, "cannot be written"),
        (["eastron-sdm630"], 2, "Missing option '-o'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "there.csv").write_text("mine")
    done = export(*args)
    assert (done.exit_code, says in done.stderr) == (code, True), done.output
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_a_file_that_is_there_is_written_over_only_on_demand(tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    out.write_text("mine")
    assert export("xy-md02", "-o", out, "--force").exit_code == 0
    assert len(load_map(out).tags or ()) == 2


def test_without_openpyxl_an_xlsx_is_read_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # as where the extra is not installed
    done = export("xy-md02", "-o", tmp_path / "x.xlsx")
    assert (done.exit_code, "pip install 'floorgate[xlsx]', or export it as CSV" in done.stderr) == (1, True)
    assert not (tmp_path / "x.xlsx").exists()
    assert len(load_map(ROOT / "tests/cases/tables/points.xlsx").tags or ()) == 3
