"""`floorgate check --blocks` shows the requests before anything is wired up."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main

SITE = """\
gateway: {id: gw-1}
devices:
  - name: meter
    driver: modbus
    endpoint: ENDPOINT
    groups: {slow: {interval: 1m}}
    tags:
      - {name: a, register: input, address: 0, type: float32}
      - {name: b, register: input, address: 4, type: float32}
      - {name: c, register: input, address: 200}
      - {name: d, register: coil, address: 7, group: slow}
  - {name: spare, driver: sim, tags: [{name: a}]}
"""
RTU = "rtu:///dev/ttyS0?baud=9600&parity=E"
MAP = """\
device: {vendor: Acme, model: M1, kind: power_meter}
driver: modbus
sources: [manual]
quirks: {strict: true}
tags:
  - {name: a, address: 0}
  - {name: b, address: 4}
"""


@pytest.fixture
def check(tmp_path: Path) -> Any:
    def run(text: str, *options: str) -> Result:
        (tmp_path / "file.yaml").write_text(text)
        return CliRunner().invoke(main, ["check", "--blocks", str(tmp_path / "file.yaml"), *options])

    return run


def test_each_group_has_its_requests_with_their_cost_on_the_wire(check: Any) -> None:
    done = check(SITE.replace("ENDPOINT", RTU))
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "meter, every 1s (group 1s): 2 requests, 40 bytes, 61.9 ms of the wire" in lines
    assert "input registers 0-5 30001-30006 6 2 2 25 36.7" in lines
    assert "input registers 200 30201 1 1 0 15 25.2" in lines
    assert "meter, every 1m (group slow): 1 request, 14 bytes, 24.1 ms of the wire" in lines
    assert "coils 7 00008 1 1 0 14 24.1" in lines
    assert not any(line.startswith("spare, ") for line in lines)


@pytest.mark.parametrize(
    ("endpoint", "size", "ms"),
    [("tcp://plc", 33, None), ("rtu+tcp://plc", 25, None), ("ascii:///dev/ttyS0?baud=9600", 52, 46.9)],
)
def test_bytes_are_those_of_the_framing(check: Any, endpoint: str, size: int, ms: float | None) -> None:
    (file,) = json.loads(check(SITE.replace("ENDPOINT", endpoint), "--json").stdout)["files"]
    first = file["blocks"][0]["requests"][0]
    assert (first["bytes"], first["ms"]) == (size, ms)


def test_json_has_every_request(check: Any) -> None:
    (file,) = json.loads(check(SITE.replace("ENDPOINT", RTU), "--json").stdout)["files"]
    assert [(row["device"], row["group"], row["interval"], len(row["requests"])) for row in file["blocks"]] == [
        ("meter", "1s", 1.0, 2),
        ("meter", "slow", 60.0, 1),
    ]
    assert file["blocks"][0]["requests"][0] == {
        "table": "input registers",
        "first": 0,
        "last": 5,
        "numbers": "30001-30006",
        "registers": 6,
        "tags": 2,
        "bridged": 2,
        "bytes": 25,
        "ms": 36.7,
    }


def test_a_map_alone_is_shown_as_on_a_network(check: Any) -> None:
    done = check(MAP)
    assert done.exit_code == 0
    assert "file, every 1s (group 1s): 2 requests, 46 bytes\n" in done.stdout


def test_a_wrong_file_has_no_requests(check: Any) -> None:
    done = check(MAP.replace("address: 4", "address: x"))
    assert done.exit_code == 78
    assert "requests" not in done.stdout
