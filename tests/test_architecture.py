"""The house rules that a reader can rely on: who imports whom, who catches, who makes tasks, how long a file is."""

import ast

import pytest

from tests import house
from tests.house import ROOT, Rule, faults, listed, sources

CODE = ("agent", "drivers", "buffer")
TOP_LEVEL = {
    *("agent", "drivers", "buffer", "configs", "packaging", "tests", ".ci"),
    *("pyproject.toml", "Makefile", "LICENSE", ".gitignore"),
    *("README.md", "README.zh-CN.md", "CHANGELOG.md", "SECURITY.md"),
}
OPTIONAL = {"README.zh-CN.md", "SECURITY.md"}
LONGEST = 400
ONCE = pytest.mark.xdist_group("house")  # so that each file is parsed once, for tests/unit/lang as well


@ONCE
@pytest.mark.parametrize(
    "rule",
    [
        house.import_table,
        house.no_loop_in_pure_code,
        house.asks_the_host,
        house.tasks_from_a_group,
        house.no_blocking_sleep,
        house.no_print,
        house.speaks_by_voice,
        house.starts_with_a_sentence,
    ],
)
def test_the_code_keeps(rule: Rule) -> None:
    assert faults(rule, sources(*CODE)) == []


@ONCE
@pytest.mark.parametrize("rule", [house.no_mock, house.starts_with_a_sentence])
def test_the_tests_keep(rule: Rule) -> None:
    assert faults(rule, sources("tests")) == []


@ONCE
def test_one_place_catches_everything_and_it_is_the_supervisor() -> None:
    found = faults(house.broad_excepts, sources(*CODE))
    assert [where.split(":")[0] for where in found] == [house.SUPERVISOR], found


def test_no_file_is_longer_than_a_person_reads() -> None:
    ours = [p for p in listed() if p.endswith((".py", ".c", ".js", ".mjs", ".sh", "Makefile"))]
    long = {path: n for path in ours if (n := len((ROOT / path).read_text("utf-8").splitlines())) > LONGEST}
    assert long == {}


def test_the_top_level_holds_what_the_plan_says_and_no_more() -> None:
    top = {path.split("/")[0] for path in listed(tracked_only=True)}
    assert top - TOP_LEVEL == set()
    assert {name for name in TOP_LEVEL - OPTIONAL if not (ROOT / name).exists()} == set()


@ONCE
def test_a_group_of_tests_is_one(request: pytest.FixtureRequest) -> None:
    """Its name must stand in their ids: without it each worker has some of them, and starts their servers again."""
    assert request.node.nodeid.endswith("@house") or not hasattr(request.config, "workerinput")


@pytest.mark.parametrize("folder", ["packaging", "configs"])
def test_a_folder_of_data_never_becomes_a_package(folder: str) -> None:
    """`packaging/__init__.py` would hide PyPI's `packaging` from everything that runs in the checkout."""
    assert list((ROOT / folder).rglob("__init__.py")) == []


def test_the_import_table_stands_in_the_architecture_page() -> None:
    page = (ROOT / "agent/README.md").read_text("utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    parts = set(house.MAY_IMPORT) - {"agent", "agent.__main__"}
    assert {part for part in parts if f"`{part}`" not in rows} == set()


@pytest.mark.parametrize(
    ("rule", "path", "snippet"),
    [
        (house.import_table, "agent/model/tag.py", "from agent.health import Health"),
        (house.import_table, "agent/model/tag.py", "import msgspec"),
        (house.import_table, "agent/config/site.py", "from agent import lang"),
        (house.import_table, "agent/status/page.py", "from agent.config import load"),
        (house.import_table, "agent/health.py", "def f():\n    from buffer.store import Store"),
        (house.import_table, "agent/config/site.py", "from drivers.modbus.config import Config"),
        (house.import_table, "agent/config/site.py", "from ..runtime import app"),
        (house.import_table, "agent/runtime/app.py", "import agent.cli.run"),
        (house.import_table, "agent/runtime/app.py", "from drivers.modbus import driver"),
        (house.import_table, "agent/northbound/mqtt/sink.py", "from agent.northbound.file.sink import build"),
        (house.import_table, "agent/northbound/encode.py", "from agent.northbound import mqtt"),
        (house.import_table, "agent/northbound/mqtt/sink.py", "import buffer.store"),
        (house.import_table, "drivers/modbus/driver.py", "from drivers import opcua"),
        (house.import_table, "drivers/modbus/driver.py", "from agent.normalise import Steps"),
        (house.import_table, "drivers/api.py", "from drivers.modbus.config import Config"),
        (house.import_table, "buffer/store.py", "from agent.northbound.api import Batch"),
        (house.import_table, "agent/normalise/steps.py", "from agent.config import Site"),
        (house.import_table, "agent/attic/junk.py", ""),
        (house.no_loop_in_pure_code, "buffer/codec.py", "import asyncio"),
        (house.no_loop_in_pure_code, "drivers/modbus/plan.py", "from asyncio import Lock"),
        (house.no_loop_in_pure_code, "agent/normalise/deep/step.py", "import uvloop"),
        (house.no_loop_in_pure_code, "agent/northbound/encode.py", "import asyncio.queues"),
        (house.asks_the_host, "buffer/store.py", "import fcntl"),
        (house.asks_the_host, "agent/cli/run.py", "def command():\n    import resource"),
        (house.asks_the_host, "agent/cli/run.py", "signal.SIGHUP"),
        (house.asks_the_host, "buffer/room.py", "free = os.statvfs(path)"),
        (house.asks_the_host, "agent/cli/run.py", "loop.add_signal_handler(signal.SIGTERM, stop.set)"),
        (house.asks_the_host, "buffer/look.py", "os.open(path, os.O_RDONLY)"),
        (house.broad_excepts, "a.py", "try: ...\nexcept Exception: ..."),
        (house.broad_excepts, "a.py", "try: ...\nexcept: ..."),
        (house.broad_excepts, "a.py", "try: ...\nexcept (OSError, BaseException): ..."),
        (house.broad_excepts, "a.py", "try: ...\nexcept* builtins.Exception: ..."),
        (house.broad_excepts, "a.py", "with contextlib.suppress(Exception): ..."),
        (house.tasks_from_a_group, "agent/runtime/app.py", "asyncio.create_task(f(), name='f')"),
        (house.tasks_from_a_group, "agent/runtime/app.py", "loop.create_task(f(), name='f')"),
        (house.tasks_from_a_group, "agent/runtime/app.py", "asyncio.get_running_loop().create_task(f(), name='f')"),
        (house.tasks_from_a_group, "agent/runtime/app.py", "ensure_future(f())"),
        (house.tasks_from_a_group, "agent/runtime/app.py", "group.create_task(f())"),
        (house.tasks_from_a_group, "drivers/modbus/driver.py", "group.create_task(f(), name='f')"),
        (house.no_blocking_sleep, "a.py", "time.sleep(1)"),
        (house.no_blocking_sleep, "a.py", "from time import sleep"),
        (house.no_print, "agent/runtime/app.py", "print(1)"),
        (house.speaks_by_voice, "agent/cli/run.py", "click.echo(f'{n} devices')"),
        (house.speaks_by_voice, "agent/cli/run.py", "click.confirm('Write?')"),
        (house.speaks_by_voice, "agent/cli/run.py", "@click.confirmation_option(prompt='Go on?')\ndef f(): ..."),
        (house.starts_with_a_sentence, "a.py", "import os"),
        (house.no_mock, "a.py", "from unittest import mock"),
        (house.no_mock, "a.py", "from unittest.mock import patch"),
        (house.no_mock, "a.py", "def test_it(mocker): ..."),
    ],
)
def test_a_breach_is_caught(rule: Rule, path: str, snippet: str) -> None:
    assert list(rule(path, ast.parse(snippet)))


@pytest.mark.parametrize(
    ("rule", "path", "snippet"),
    [
        (house.import_table, "agent/cli/run.py", "from agent.runtime import app\nfrom drivers.modbus import driver"),
        (
            house.import_table,
            "agent/runtime/app.py",
            "from agent import __version__, registry\nfrom drivers.api import Driver",
        ),
        (house.import_table, "agent/northbound/mqtt/sink.py", "from agent.northbound.api import Sink\nimport aiomqtt"),
        (house.import_table, "agent/northbound/mqtt/sink.py", "from agent.northbound.mqtt.config import Config"),
        (
            house.import_table,
            "drivers/modbus/driver.py",
            "from drivers.modbus.plan import plan\nfrom drivers import api",
        ),
        (
            house.import_table,
            "agent/registry.py",
            "from agent.northbound.api import Sink\nfrom drivers.api import Driver",
        ),
        (house.no_loop_in_pure_code, "buffer/writer.py", "import asyncio"),
        (house.asks_the_host, "agent/model/host.py", "import fcntl"),
        (house.asks_the_host, "buffer/look.py", "os.open(path, os.O_RDONLY | host.RAW)\nsignal.SIGTERM"),
        (house.broad_excepts, "a.py", "try: ...\nexcept OSError: ...\nwith suppress(KeyError): ..."),
        (house.tasks_from_a_group, "agent/runtime/app.py", "group.create_task(f(), name='f')"),
        (house.no_blocking_sleep, "a.py", "asyncio.sleep(1)"),
        (house.no_print, "agent/cli/read.py", "print(1)"),
        (house.speaks_by_voice, "agent/cli/run.py", "click.echo(json.dumps(rows))"),
    ],
)
def test_what_is_allowed_passes(rule: Rule, path: str, snippet: str) -> None:
    assert list(rule(path, ast.parse(snippet))) == []


def test_without_git_a_walk_finds_the_same_files() -> None:
    """A release archive has no .git; the rules hold there too."""
    assert set(listed()) <= set(house.walked())
    assert {path for path in house.walked() if path.startswith(CODE)} == {p for p in listed() if p.startswith(CODE)}
