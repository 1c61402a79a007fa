"""How `floorgate demo` reports its result."""

import json
from pathlib import Path

import pytest

from agent.cli.demo import _report
from agent.demo.verdict import Result
from agent.model.errors import AgentError

ACCOUNT = {
    "sink": "platform",
    "device": "main-meter",
    "read": 1000,
    "delivered": 1000,
    "buffered": 0,
    "set_aside": 0,
    "made": 0,
    "suppressed": {},
    "dropped": {},
    "balanced": True,
}


def result(*problems: str) -> Result:
    return Result((ACCOUNT,), frames=10, samples=1000, history=3, problems=problems)


def test_people_get_the_ledger_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    _report(result(), None, as_json=False)
    said = capsys.readouterr().out
    assert "main-meter" in said
    assert "read 1,000 = delivered 1,000 samples, nothing lost." in said
    assert "3 of the frames had waited on disk" in said
    assert "kept" not in said


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    _report(result(), Path("/tmp/x"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "ledger": [ACCOUNT],
        "received": {"frames": 10, "samples": 1000, "history": 3},
        "problems": [],
        "folder": "/tmp/x",
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_a_missing_frame_ends_the_command_with_an_error(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """An AgentError is exit code 1 (agent/cli/__init__.py)."""
    with pytest.raises(AgentError, match="not every sample has arrived"):
        _report(result("main-meter: 990 samples have arrived, the ledger says 1,000"), None, as_json=as_json)
    assert "990 samples have arrived" in capsys.readouterr().out
