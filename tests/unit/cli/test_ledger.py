"""`floorgate ledger` on a file at rest: whole, or of a period."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.cli.ledger import show
from agent.model.clock import Clock
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store

NOON = 1_700_000_000 * 10**9
METER = Schema("meter", "1s", (Tag("a"),))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An hour with two frames and then one with three, of which one was refused."""
    wall = NOON
    clock = Clock(wall=lambda: wall, mono=lambda: wall, synced=lambda: True)
    store = Store.open(tmp_path / "store.db", clock=clock, boot="b", keep=86_400.0, max_size=32 << 20, reserve=0)
    store.attach(["a"])
    for count in (2, 3):
        store.tend()
        store.append([Frame(METER, NOON, (1.0,), bytes(1))] * count)
        store.ack("a", store.read("a", count - 1))
        wall += 3600 * 10**9
    store.set_aside("a", store.read("a", 1), "no")
    store.close()
    return tmp_path


def ledger(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["ledger", "--data", str(data), *arguments])


def test_the_whole_ledger_is_a_list(data: Path) -> None:
    assert json.loads(ledger(data, "--json").output) == [
        {
            "sink": "a",
            "device": "meter",
            "read": 5,
            "delivered": 3,
            "buffered": 1,
            "suppressed": {},
            "dropped": {},
            "set_aside": 1,
            "made": 0,
            "balanced": True,
        }
    ]


def test_a_period_says_since_when(data: Path) -> None:
    found = json.loads(ledger(data, "--json", "--since", "2023-11-14T23:30:00Z").output)
    (account,) = found["accounts"]
    assert found["since_ts"] == NOON // 10**6 + 3_600_000
    assert (account["read"], account["delivered"], account["buffered"], account["set_aside"]) == (3, 2, 1, 1)
    said = ledger(data, "--since", "2023-11-14T23:30:00Z").output
    assert "since 2023-11-14T23:13:20.000+00:00" in said


def test_a_period_of_which_nothing_is_known_is_an_error(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store.db", boot="b", keep=60.0, max_size=32 << 20, reserve=0)
    store.close()
    result = ledger(tmp_path, "--since", "1h")
    assert (result.exit_code, "the agent notes it every hour" in result.stderr) == (1, True)


def test_a_number_is_never_cut_however_narrow_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"read": 1_234_567_890_123, "made": 7, "delivered": 1_234_567_890_000, "buffered": 0, "set_aside": 100}
    reasons = {"suppressed": {"unchanged": 20}, "dropped": {"age": 1, "rejected": 2}}
    show([{"sink": "a [b]", "device": "d" * 60, **counts, **reasons, "balanced": True}])
    said = capsys.readouterr().out
    assert "1,234,567,890,123" in said and "2 rejected" in said and "a [b]" in said and "set aside" in said
    assert "…" not in said
