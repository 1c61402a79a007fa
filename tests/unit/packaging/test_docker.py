"""The container's files, as far as they can be looked at without an engine: a linter, and what they must agree with."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from agent import __version__
from agent.cli import COMMANDS
from tests.house import ROOT

FOLDER = ROOT / "packaging/docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
SERVICE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]["floorgate"]


def hadolint(text: str) -> list[str]:
    """The rules that it breaks."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    linter = shutil.which("hadolint", path=path)
    assert linter, "hadolint is not there: it is in packaging/requirements-dev.txt"
    done = subprocess.run([linter, "--format", "json", "-"], input=text, capture_output=True, text=True, check=False)
    return [each["code"] for each in json.loads(done.stdout)]


def said(instruction: str) -> list[str]:
    """The words of an instruction of the last stage that is written as a list."""
    found = re.findall(rf"^\s*{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return [str(word) for word in json.loads(found[-1])]


def test_the_linter_has_nothing_to_say() -> None:
    assert hadolint(DOCKERFILE) == []


def test_the_linter_would_say_it() -> None:
    assert {"DL3006", "DL3002"} <= set(hadolint("FROM debian\nUSER root\nRUN true\n"))


def test_it_runs_as_a_user_with_a_number() -> None:
    """A platform can check that a number is not root; a name it would have to look up in the image."""
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_its_commands_are_those_of_floorgate() -> None:
    program, run, health = (
        said("ENTRYPOINT"),
        said("CMD"),
        re.search(r"HEALTHCHECK(?:.*\\\n)*\s*CMD (\[.*\])", DOCKERFILE),
    )
    assert health is not None
    check = json.loads(health[1])
    assert program == [check[0]] and {run[0], check[1]} <= set(COMMANDS)
    assert run[run.index("--data") + 1] == check[check.index("--data") + 1] == said("VOLUME")[0]


def test_only_the_offline_bundle_goes_to_the_engine() -> None:
    assert (FOLDER / "Dockerfile.dockerignore").read_text().split() == ["*", "!dist/floorgate-*-offline-linux-*.tar.gz"]


def test_the_example_gives_it_no_more_than_it_needs() -> None:
    assert SERVICE["read_only"] is True and SERVICE["cap_drop"] == ["ALL"] and "privileged" not in SERVICE
    assert SERVICE["security_opt"] == ["no-new-privileges:true"] and "cap_add" not in SERVICE
    assert SERVICE["image"] == f"floorgate:{__version__}"


def test_the_example_waits_as_long_for_its_end_as_systemd_does() -> None:
    unit = (ROOT / "packaging/systemd/floorgate.service").read_text("utf-8")
    assert re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE) == [SERVICE["stop_grace_period"].rstrip("s")]
