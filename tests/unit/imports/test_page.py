"""The page on imports says what the importers do: each format has a section, and its keys are in the code."""

import re

import pytest

from agent.imports import FORMATS
from tests.house import ROOT

FOLDER = ROOT / "agent/imports"
PAGE = (FOLDER / "README.md").read_text("utf-8")
SHARED = ("modbus.py", "nodes.py")


def section(name: str) -> str:
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def code(name: str) -> str:
    module = FORMATS[name].__name__.rpartition(".")[2]  # type: ignore[attr-defined]  # a format is a module
    also = ["telegraf_modbus.py", "telegraf_opcua.py"] if module in ("umh", "publisher") else []
    files = [*sorted(path.name for path in FOLDER.glob(f"{module}*.py")), *also, *SHARED]
    return "\n".join((FOLDER / file).read_text("utf-8") for file in files).lower()


@pytest.mark.parametrize("name", FORMATS)
def test_every_key_on_the_page_is_in_the_code(name: str) -> None:
    rows = [line for line in section(name).splitlines() if line.startswith("| ")]
    assert len(rows) >= 3
    keys = {key.lower() for row in rows for key in re.findall(r"`([^`]+)`", row)} - {*FORMATS, "on_change"}
    known = code(name)
    assert {key for key in keys if key not in known} == set()


def test_every_option_is_on_the_page() -> None:
    from agent.cli.import_ import command

    flags = {flag for option in command.params for flag in option.opts if flag.startswith("--") and flag != "--out"}
    assert {flag for flag in flags if f"`{flag}`" not in PAGE} == set()
