"""S20: a command in two steps. The second works once, in time, and for what was selected."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.northbound.command import parse, reply
from agent.northbound.house import Answer, Command
from agent.runtime.selection import MOST, WITHIN
from tests.unit.runtime.commanding import Rig, rig


async def selected(run: Rig, **changed: Any) -> str:
    answer = await run(id=changed.pop("id", "first"), select=True, **changed)
    assert (answer.outcome, answer.audit) == ("selected", 0), answer
    assert run.device.writes == []
    return answer.nonce


async def test_what_was_selected_is_done_once(tmp_path: Path) -> None:
    async with rig(tmp_path, select=True) as run:
        nonce = await selected(run)
        assert (await run(id="second", nonce=nonce)).outcome == "done"
        again = await run(id="third", nonce=nonce)
        assert (again.outcome, run.device.writes) == ("forbidden", [("setpoint", 20.0)])
        assert "was used" in again.message


async def test_without_a_selection_nothing_is_written_where_two_steps_are_asked_for(tmp_path: Path) -> None:
    async with rig(tmp_path, select=True) as run:
        answer = await run()
        assert (answer.outcome, run.device.writes) == ("forbidden", [])
        assert "it was not selected" in answer.message
        assert "select: true" in answer.hint


@pytest.mark.parametrize(
    "changed", [{"value": 20.5}, {"value": 20}, {"tag": "near", "value": 10.0}, {"who": "other"}, {"nonce": "x" * 22}]
)
async def test_another_value_tag_sender_or_nonce_is_forbidden_and_costs_the_selection(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    async with rig(tmp_path) as run:
        nonce = await selected(run, who="li")
        meant = {"nonce": nonce, "who": "li", **changed}
        assert (await run(id="second", **meant)).outcome == "forbidden"
        if "nonce" not in changed:
            assert (await run(id="third", nonce=nonce, who="li")).outcome == "forbidden"
        assert run.device.writes == []


async def test_a_selection_that_comes_too_late_is_forbidden(tmp_path: Path) -> None:
    async with rig(tmp_path, select=True) as run:
        nonce = await selected(run)
        run.time.pass_by(WITHIN + 0.1)
        answer = await run(id="second", nonce=nonce)
        assert (answer.outcome, run.device.writes) == ("forbidden", [])
        assert "more than 10 s ago" in answer.message


async def test_what_may_not_be_written_cannot_be_selected(tmp_path: Path) -> None:
    async with rig(tmp_path, select=True) as run:
        assert (await run(value=1000.0, select=True)).outcome == "forbidden"
        assert (await run(tag="read_only", value=1, select=True)).outcome == "forbidden"


async def test_of_many_selections_the_oldest_are_forgotten(tmp_path: Path) -> None:
    async with rig(tmp_path, select=True) as run:
        nonces = [await selected(run, id=f"s{n}") for n in range(MOST + 1)]
        assert (await run(id="old", nonce=nonces[0])).outcome == "forbidden"
        assert (await run(id="new", nonce=nonces[-1])).outcome == "done"


def test_both_steps_as_json() -> None:
    told = {"id": "1", "device": "press", "tag": "setpoint", "value": 20.0, "issued_at": 1_700_000_000_123}
    assert parse(json.dumps({**told, "select": True}).encode()).select
    assert parse(json.dumps({**told, "nonce": "abc"}).encode()).nonce == "abc"
    answer = json.loads(reply(Command("press", "setpoint", 20.0, "1"), Answer("selected", nonce="abc"), 0))
    assert (answer["outcome"], answer["nonce"]) == ("selected", "abc")
    assert "nonce" not in json.loads(reply(Command("press", "setpoint", 20.0, "1"), Answer("done"), 0))
