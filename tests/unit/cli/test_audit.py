"""`floorgate audit --verify`, `--archive` and `--refused`."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.model.errors import Newer
from agent.runtime.audit import FILE, Claim, Entry, Refusal, Who, audit


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with audit(tmp_path / "data") as book:
        for number in (1, 2, 3):
            entry = Entry("press", "tcp://press", "recipe", None, "tea\x1b[2J", "raw")
            book.begin(Who("sink platform", -1, via="li, command 7"), entry, lambda last: None, number)
            book.end(number, "done", "tea", "", number)
        text = ("platform", "li\x1b[2J", "7", "press", "recipe", '"\\u001b"', "forbidden", "no")
        book.refuse(Refusal(5, *text), Claim("platform", "7"))
    return tmp_path / "data"


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", "--data", str(data), *arguments])


def test_a_chain_that_fits_says_so_with_its_end(data: Path) -> None:
    result = run(data, "--verify")
    assert (result.exit_code, result.stdout.startswith("6 rows fit; the last is 6:")) == (0, True), result.output
    row = json.loads(run(data, "--verify", "--json").stdout)
    assert (row["ok"], row["rows"], row["fault"], row["first"]) == (True, 6, "", f"0:{'00' * 32}")


def test_a_row_that_was_changed_is_named_and_the_exit_code_says_so(data: Path) -> None:
    with closing(sqlite3.connect(data / FILE)) as db:
        db.execute("DROP TRIGGER entry_stays")
        db.execute("UPDATE entry SET user = 'nobody' WHERE id = 2")
        db.commit()
    result = run(data, "--verify")
    assert (result.exit_code, result.stderr) == (1, "row 3 (entry 2): does not fit: it was changed, or put here\n")
    row = json.loads(run(data, "--verify", "--json").stdout)
    assert (row["ok"], row["rows"], row["fault"][:5]) == (False, 2, "row 3")


def test_what_is_archived_can_be_looked_into_and_verified(data: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    result = run(data, "--archive", str(old))
    assert (result.exit_code, "all up to row 6; keep it" in result.stdout) == (0, True)
    assert json.loads(run(data, "--json").stdout) == []
    assert [row["id"] for row in json.loads(run(data, "--json", "--file", str(old)).stdout)] == [1, 2, 3]
    assert "6 rows fit" in run(data, "--verify", "--file", str(old)).stdout
    assert "0 rows fit; the last is 6:" in (said := run(data, "--verify").stdout)
    assert "what was before is in a file that ends with 6:" in said
    again = run(data, "--archive", str(old))
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)


def test_what_was_turned_away_is_listed_apart(data: Path) -> None:
    (row,) = json.loads(run(data, "--refused", "--json").stdout)
    assert (row["sink"], row["command"], row["outcome"], row["count"]) == ("platform", "7", "forbidden", 1)
    assert "forbidden" in run(data, "--refused").stdout


@pytest.mark.parametrize("arguments", [(), ("--refused",)])
def test_nothing_that_a_platform_sent_steers_the_terminal(data: Path, arguments: tuple[str, ...]) -> None:
    assert "\x1b[2J" not in run(data, *arguments).stdout
    assert "\\x1b[2J" in run(data, *arguments).stdout


def test_three_things_at_once_are_none(data: Path) -> None:
    result = run(data, "--refused", "--verify")
    assert (result.exit_code, "three different things" in result.stderr) == (2, True)


def test_the_audit_of_a_newer_version_is_left_as_it_is(data: Path) -> None:
    with closing(sqlite3.connect(data / FILE)) as db:
        db.execute("PRAGMA user_version = 9")
    before = (data / FILE).read_bytes()
    result = run(data)
    assert (result.exit_code, "by a newer floorgate in format 9" in result.stderr) == (78, True)
    with pytest.raises(Newer, match="in format 9"), audit(data):
        pass
    assert (data / FILE).read_bytes() == before
