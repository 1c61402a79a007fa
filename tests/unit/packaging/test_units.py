"""The units of systemd: that it takes them, how much they leave open, and that they go with what the agent does."""

import re
import subprocess
from pathlib import Path

import pytest

from agent.cli import BAD_CONFIG
from agent.config.problems import Mark, Report
from agent.config.references import CREDENTIALS, References
from agent.runtime.app import DRAIN, GRACE
from agent.runtime.tasks import CLOSE
from tests.house import ROOT

FOLDER = ROOT / "packaging/systemd"
ONE, MANY = FOLDER / "floorgate.service", FOLDER / "floorgate@.service"
BOTH = pytest.mark.parametrize("unit", [ONE, MANY], ids=["floorgate", "floorgate@"])
WORST = 1.5  # of what systemd-analyze finds open, from 0 to 10


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def differing(unit: Path) -> set[str]:
    return {f"{key}={value}" for key, values in settings(unit).items() for value in values}


@BOTH
def test_systemd_takes_it_without_a_word(unit: Path, tmp_path: Path) -> None:
    """With a program that is there instead of ours; the man page is not installed here either."""
    text = unit.read_text("utf-8").replace("/opt/floorgate/current/floorgate", "/bin/true")
    copy = tmp_path / unit.name.replace("@", "@north")
    copy.write_text(text, "utf-8")
    done = analyze("verify", "--man=no", copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@BOTH
def test_little_is_left_open(unit: Path) -> None:
    done = analyze("security", "--offline=true", unit)
    (found,) = re.findall(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert float(found) <= WORST, done.stdout


def test_a_second_instance_differs_in_its_file_and_its_data_alone() -> None:
    assert differing(ONE) ^ differing(MANY) == {
        "Description=Floorgate edge gateway",
        "Description=Floorgate edge gateway, %i",
        "ExecStart=/opt/floorgate/current/floorgate run -c /etc/floorgate/floorgate.yaml --data /var/lib/floorgate",
        "ExecStart=/opt/floorgate/current/floorgate run -c /etc/floorgate/%i.yaml --data /var/lib/floorgate-%i",
        "StateDirectory=floorgate",
        "StateDirectory=floorgate-%i",
    }


def test_a_wrong_configuration_is_not_tried_again() -> None:
    assert settings(ONE)["RestartPreventExitStatus"] == [str(BAD_CONFIG)]


def test_a_stop_has_the_time_that_all_of_its_steps_may_take() -> None:
    """In the order of `App._stop`: each step may be cut short, and then has as long to be let go; the store is last."""
    steps = [CLOSE, 2 * CLOSE, CLOSE, CLOSE, DRAIN, CLOSE, GRACE, CLOSE]
    (given,) = settings(ONE)["TimeoutStopSec"]
    assert float(given) >= sum(steps) + CLOSE * len(steps) + 10


def test_the_names_of_its_examples_are_what_a_configuration_refers_to(tmp_path: Path) -> None:
    examples = re.findall(r"^#LoadCredential(?:Encrypted)?=([^:]+):(/\S+)$", ONE.read_text("utf-8"), re.MULTILINE)
    assert {Path(path).parent for _, path in examples} == {Path("/etc/floorgate/credentials")}
    for name, _ in examples:
        (tmp_path / name).write_text("hush\n", "utf-8")
        (tmp_path / name).chmod(0o400)
        report = Report()
        found = References({CREDENTIALS: str(tmp_path)}, tmp_path, report)(
            f"credential:{name}", Mark("site.yaml", 1, 1)
        )
        assert (found, report.found) == ("hush", False)
