"""`floorgate check` says what each line needs of its wire's time, and what would help where that is too much."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from agent import registry
from agent.cli import main
from drivers.modbus.budget import budget

DEVICE = "  - {name: m%d, driver: modbus, endpoint: 'rtu:///dev/ttyUSB0?baud=9600', unit: %d, interval: %s, tags: [%s]}"
SINKS = "sinks: [{name: p, type: mqtt, url: 'mqtt://127.0.0.1'}]"
TAGS = "{name: a, address: 0, type: string, length: 20}"


def site(folder: Path, devices: int, interval: str) -> Path:
    rows = [DEVICE % (number, number, interval, TAGS) for number in range(1, devices + 1)]
    path = folder / "site.yaml"
    path.write_text("\n".join(["gateway: {id: g}", "devices:", *rows, SINKS, ""]), "utf-8")
    return path


def check(path: Path) -> tuple[str, dict[str, Any]]:
    """The last line of the text, and the row of the line as data; it is no error in either."""
    text = CliRunner().invoke(main, ["check", str(path)])
    data = CliRunner().invoke(main, ["check", str(path), "--json"])
    assert (text.exit_code, data.exit_code) == (0, 0)
    found = json.loads(data.stdout)
    (row,) = found["files"][0]["lines"]
    warned = [(each["line"], each["hint"]) for each in found["warnings"]]
    assert warned == ([(3, ", or ".join(row["advice"]))] if row["advice"] else [])  # at the first device of the line
    return text.stdout.splitlines()[-1], row


def test_a_line_that_fits_tells_its_share(tmp_path: Path) -> None:
    said, row = check(site(tmp_path, 5, "1s"))
    assert said == "  rtu:///dev/ttyUSB0?baud=9600: needs 0.413 s per 1 s cycle: 41 % of its time"
    assert (row["fits"], row["advice"]) == (True, [])


def test_one_that_does_not_is_told_what_would_help(tmp_path: Path) -> None:
    said, row = check(site(tmp_path, 24, "1s"))
    assert said == (
        "  rtu:///dev/ttyUSB0?baud=9600: needs 1.98 s per 1 s cycle: does not fit; widen interval 1s to 3s, "
        "or set baud=57600 (78 %), or spread its 24 devices over 3 lines"
    )
    assert (row["fits"], len(row["advice"]), row["devices"]) == (False, 3, 24)
    assert row["groups"] == [{"group": "1s", "interval": 1.0, "devices": 24, "seconds": 1.98}]


def test_one_that_fits_just_so_is_told_too(tmp_path: Path) -> None:
    said, row = check(site(tmp_path, 11, "1s"))
    assert "needs 0.908 s per 1 s cycle: 91 % of its time, which is tight; widen interval 1s to 2s" in said
    assert row["fits"]


def test_a_single_device_cannot_be_spread(tmp_path: Path) -> None:
    said, _ = check(site(tmp_path, 1, "50ms"))
    assert "spread" not in said
    assert "widen interval 50ms to 200ms" in said


def test_a_budget_is_found_by_the_name_of_the_driver() -> None:
    assert registry.driver_budget("modbus") is budget
    assert registry.driver_budget("sim") is None
