"""`floorgate store` on a file at rest; on a running agent it is tried in tests/e2e."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.cli.store import NAMES
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.store import Store

NOON = 1_700_000_000_123_456_789
METER = Schema("meter", "1s", (Tag("voltage", "float32", "V"), Tag("count", "int64"), Tag("label", "str")), 1.0)
PRESS = Schema("press", "500ms", (Tag("running", "bool"),), 0.5)


def frames(count: int) -> list[Frame]:
    return [Frame(METER, NOON + i * 10**9, (i + 0.5, 2**60 + i, "on"), bytes(3)) for i in range(count)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What an agent left behind: `a` is owed ten frames and refused one, `b` has all."""
    store = Store.open(tmp_path / "store.db", boot="b", keep=3600.0, max_size=32 << 20, reserve=0)
    store.attach(["a", "b"])
    store.append(frames(10))
    store.append([Frame(PRESS, NOON, (None,), b"\x42")])
    store.ack("b", store.read("b", 20))
    store.set_aside("a", store.read("a", 4)[3:], "too strange", 3)
    store.close()
    return tmp_path


def store(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["store", *arguments, "--data", str(data)])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, ["store", name, "--help"])
    assert (result.exit_code, f"main store {name}" in result.output) == (0, True)


def test_a_directory_without_a_store_is_named(tmp_path: Path) -> None:
    result = store(tmp_path, "stats")
    assert result.exit_code == 1
    assert f"store {tmp_path / 'store.db'} does not exist" in result.output


def test_stats_say_how_full_the_store_is(data: Path) -> None:
    found = json.loads(store(data, "stats", "--json").output)
    assert {key: found[key] for key in ("frames", "last_seq", "oldest_ts", "limit", "running")} == {
        "frames": 11,
        "last_seq": 11,
        "oldest_ts": NOON // 1_000_000,
        "limit": 32 << 20,
        "running": False,
    }
    assert (found["owed"], found["set_aside"]) == ({"a": 10, "b": 0}, {"a": 1, "b": 0})
    assert found["hours_left"] is None
    said = store(data, "stats").output
    assert "of at most 32 MB" in said
    assert "oldest       2023-11-14 22:13:20.123+00:00" in said
    assert "a: owed 10 frames, 1 set aside" in said
