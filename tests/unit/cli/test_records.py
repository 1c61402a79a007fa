"""`--json` is JSON whatever a device holds, and what it holds does not steer the terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import Commands, main, tables
from agent.cli.records import dumped
from agent.model.errors import ConfigError, Refused
from agent.model.text import plain

RED = "\x1b[31mRed\n\u202e \udcff"
SPELT = r"\x1b[31mRed\x0a\u202e \udcff"
HELD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def no_such_number(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@given(HELD, st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_whatever_is_dumped_is_json_that_the_terminal_can_show(value: object, encoding: str) -> None:
    text = dumped([value], encoding)
    text.encode(encoding)
    json.loads(text, parse_constant=no_such_number)


def test_numbers_that_json_does_not_have_go_by_their_names() -> None:
    assert dumped({"old": float("nan"), "found": [float("-inf"), 1.5]}) == '{"old": "nan", "found": ["-inf", 1.5]}'


def test_text_for_people_is_kept_as_it_is() -> None:
    assert dumped(["grün"]) == '["grün"]'


@given(st.text())
def test_plain_text_is_printable_and_one_line(text: str) -> None:
    assert plain(text).isprintable()


def test_cells_of_tables_do_not_steer_the_terminal() -> None:
    assert str(tables.cell(RED)) == SPELT


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Refused(f"{RED}: no"), 1, r"floorgate: \x1b[31mRed"),
        (ConfigError("a: wrong\nb: wrong"), 78, "floorgate: a: wrong\nb: wrong\n"),
        (PermissionError(13, "Permission denied", "/pki/trusted"), 1, "floorgate: /pki/trusted: Permission denied\n"),
    ],
)
def test_an_error_is_said_and_steers_no_terminal(error: Exception, code: int, said: str) -> None:
    group = Commands("floorgate", package="agent.cli", names=())
    group.get_command = lambda ctx, name: click.Command("x", callback=lambda: _raise(error))  # type: ignore[method-assign]
    result = CliRunner().invoke(group, ["x"])
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(said)
    assert "\x1b" not in result.stderr and "\u202e" not in result.stderr


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "arguments",
    [
        ["pki", "trust", "a" * 5000],
        ["pki", "list", "--data", "/tmp/" + "a" * 5000],
        ["audit", "--data", "a" * 5000],
        ["check", "a" * 5000],
        ["browse", "opc.tcp://" + "a" * 5000, "--security", "none"],
    ],
)
def test_a_name_that_is_too_long_for_the_system_is_an_error(arguments: list[str], tmp_path: Path) -> None:
    data = [] if "--data" in arguments or arguments[0] == "check" else ["--data", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, *data])
    assert result.exit_code in (1, 2, 78)
    assert isinstance(result.exception, SystemExit), result.exception


def test_a_name_that_is_no_text_is_an_error_and_no_crash(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent", "check", "--json", b"\xff.yaml"]
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, check=False, capture_output=True, env=environ, timeout=30)
    assert done.returncode == 78, done.stderr
    assert json.loads(done.stdout)["problems"][0]["file"] == "\udcff.yaml"
