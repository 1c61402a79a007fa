"""For each stage of a value's way something goes wrong just there, and the agent names it with the next step."""

from pathlib import Path
from typing import Any

import pytest

from agent.status.people import People
from agent.status.web import Refusal, Request
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import faulty_device
from tests.unit.runtime.explaining import explained, running, states

SITE = """\
gateway: {{id: gw}}
lines: [{{endpoint: 'tcp://127.0.0.1:{port}', timeout: 200ms}}]
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    interval: 100ms
    tags:
      - {{name: fine, address: 16, unit: V}}
      - {{name: beyond, address: 600, group: far}}
      - {{name: swapped, address: 200, type: float32}}
      - {{name: absent, address: 32, invalid: 32}}
      - {{name: limited, address: 48, unit: Wh, as: kWh, limits: {{max: 0.04}}}}
      - {{name: still, address: 49, report: on_change}}
      - {{name: wild, address: 50, report: {{when: on_change, deadband: 5}}}}
      - {{name: clamped, address: 51, limits: {{max: 40, outside: clamp}}}}
      - {{name: energy, address: 52, kind: counter, unit: kWh, counter: {{intervals: [1h]}}}}
    groups: {{far: {{interval: 100ms}}}}
    derived: {{sum: fine + limited, double: 2 * fine}}
  - name: stranger
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    unit: 9
    tags: [{{name: a, address: 0}}]
  - {{name: off, driver: modbus, endpoint: 'tcp://127.0.0.1:1', interval: 100ms, tags: [{{name: a, address: 0}}]}}
  - {{name: boiler, driver: sim, interval: 100ms, tags: [{{name: heat, wave: constant, low: 65.5}}]}}
sinks: [{{name: file, type: file, path: {folder}/out.jsonl}}]
buffer: {{commit: 20ms, max_size: 64MB, reserve: 64MB}}
"""
# device, tag: stage, state, what is wrong, what to do
SCENES: dict[tuple[str, str], tuple[str, str, str, str]] = {
    ("mter", "fine"): ("configured", "failed", "the agent has no device 'mter'", "did you mean 'meter'?"),
    ("meter", "fin"): ("configured", "failed", "reads no tag 'fin' of device 'meter'", "did you mean 'fine'?"),
    ("off", "a"): (
        "line",
        "failed",
        "cannot connect: connection refused",
        "is the device on, its address",
    ),
    ("stranger", "a"): ("line", "failed", "no answer in 0.2 s", "is unit 9 the right one, and the device on?"),
    ("meter", "beyond"): ("exchange", "failed", "illegal data address", "does the device have all of these"),
    ("meter", "absent"): (
        "decode",
        "failed",
        "32 (0x20) is one of `invalid`",
        "is what it measures connected, and on?",
    ),
    ("meter", "swapped"): ("decode", "doubt", "is hardly what is meant", "`order: CDAB` gives 230.7"),
    ("meter", "limited"): ("value", "failed", "0.048 kWh is beyond its limits: to 0.04 kWh", "is `limits` right"),
    ("meter", "clamped"): ("value", "doubt", "it was beyond a limit, which is told instead", "are `limits` right?"),
    ("meter", "still"): ("report", "held", "was left out: it is what was told last", "it is told when it changes"),
    ("meter", "wild"): ("report", "held", "within the deadband", "when it moves by more than 5"),
    ("meter", "sum"): ("source", "failed", "meter/limited is not well", "is `limits` right"),
}
WELL = [("meter", "fine"), ("meter", "energy"), ("meter", "energy_total"), ("meter", "double"), ("boiler", "heat")]


def behave(adu: bytes) -> list[fault.Act]:
    """Unit 9 is nobody; from register 500 on there is nothing; 200 and 201 are 230.7 with its words swapped."""
    first = int.from_bytes(adu[8:10], "big")
    if adu[6] == 9:
        return []
    if first >= 500:
        return fault.exception(2)(adu)
    if first == 200:
        return [fault.answer(adu, b"\x03\x04" + bytes.fromhex("b333 4366"))]
    return fault.good(adu)


async def test_the_stage_that_fails_is_named_with_the_next_step(tmp_path: Path) -> None:
    wrong: dict[tuple[str, str], Any] = {}
    async with faulty_device(behave) as found, running(tmp_path, SITE.format(port=found.port, folder=tmp_path)) as ask:
        for (device, tag), (stage, state, why, hint) in SCENES.items():
            row = await explained(ask, device, tag, stage, state)
            verdict = row["verdict"]
            if why not in verdict["wrong"] or hint not in verdict["hint"]:
                wrong[device, tag] = verdict
        rows = {pair: await explained(ask, *pair, "", "") for pair in WELL}
        asked = {adu.hex() for adu in found.asked}
    assert wrong == {}
    assert {state for row in rows.values() for state in states(row).values()} == {"ok"}
    fine = rows["meter", "fine"]
    assert fine["value"]["value"] == 16 and fine["value"]["unit"] == "V"
    (shown,) = [stage["hex"] for stage in fine["stages"] if "hex" in stage]
    assert shown["sent"] in asked
    assert shown["received"][slice(*(2 * at for at in shown["mine"]))] == "0010"
    assert rows["meter", "energy_total"]["origin"] == {"how": "the group total of energy", "of": ["meter/energy"]}
    source = rows["meter", "double"]["source"]
    assert (source["tag"], rows["meter", "double"]["value"]["value"]) == ("fine", 32)


DOWN = """\
gateway: {{id: gw}}
devices: [{{name: boiler, driver: sim, interval: 100ms, tags: [{{name: heat, wave: ramp}}]}}]
sinks:
  - {{name: away, type: mqtt, url: 'mqtt://127.0.0.1:1'}}
  - {{name: apps, type: pull, token: 'file:{folder}/token', scopes: [frames]}}
buffer: {{commit: 20ms, max_size: 64MB, reserve: 64MB}}
"""


async def test_a_sink_that_is_away_owes_the_row_and_says_what_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token-of-apps-0123456789")
    (tmp_path / "token").chmod(0o600)
    async with running(tmp_path, DOWN.format(folder=tmp_path)) as ask:
        row = await explained(ask, "boiler", "heat", "sink away", "failed")
    assert states(row) == {
        **dict.fromkeys(["configured", "line", "exchange", "decode", "value", "report", "store"], "ok"),
        "sink away": "failed",
        "sink apps": "ok",
    }
    assert "Connection refused" in row["verdict"]["wrong"]
    assert row["verdict"]["hint"].startswith("is the broker running")
    assert ["row", "owed"] in row["verdict"]["seen"]


async def test_without_a_sink_it_says_that_nothing_leaves(tmp_path: Path) -> None:
    text = DOWN.partition("sinks:")[0].format() + "buffer: {commit: 20ms, max_size: 64MB, reserve: 64MB}\n"
    async with running(tmp_path, text) as ask:
        row = await explained(ask, "boiler", "heat", "sink", "doubt")
    assert row["verdict"]["hint"] == "add one under `sinks:`"


@pytest.mark.parametrize(
    "query", [{}, {"device": "a"}, {"device": "a", "tag": "b", "more": "c"}, {"device": "x" * 301, "tag": "b"}]
)
async def test_a_question_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    people = People(None, None)  # type: ignore[arg-type]  # nobody is asked
    with pytest.raises(Refusal):
        await people.explain(Request("GET", "/api/v1/explain", {key: [value] for key, value in query.items()}))
