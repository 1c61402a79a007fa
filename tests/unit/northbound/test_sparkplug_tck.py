"""Each assertion of the Sparkplug 3.0 specification that concerns an edge node, by its id, on the wire to mosquitto.

`pytest -k tck-id-payloads-nbirth-qos` runs the proof of one of them. Those that no such day shows are
proven in the files that `ELSEWHERE` names.
"""

import pytest

from tests.house import ROOT
from tests.sim.mqtt_tap import PUBLISH
from tests.unit.northbound.sparkplug_checks import CHECKS
from tests.unit.northbound.sparkplug_checks_life import kind
from tests.unit.northbound.sparkplug_world import day

LISTED = (ROOT / "tests/unit/northbound/sparkplug_assertions.txt").read_text("utf-8").splitlines()
IDS = [line.split()[0] for line in LISTED if not line.startswith("#")]
UNUSED = {line.split()[0] for line in LISTED if line.endswith(" *")}
ELSEWHERE = {
    "intro-group-id-chars": "test_sparkplug_config.py",
    "intro-edge-node-id-chars": "test_sparkplug_config.py",
    "intro-device-id-chars": "test_sparkplug_config.py",
    "topic-structure-namespace-valid-group-id": "test_sparkplug_config.py",
    "topic-structure-namespace-valid-edge-node-id": "test_sparkplug_config.py",
    "topic-structure-namespace-valid-device-id": "test_sparkplug_config.py",
    "operational-behavior-primary-application-state-with-multiple-servers-single-server": "test_sparkplug_hosts.py",
    "operational-behavior-primary-application-state-with-multiple-servers-walk": "test_sparkplug_hosts.py",
}


@pytest.mark.xdist_group("sparkplug-day")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("name", [pytest.param(name, id=f"tck-id-{name}") for name in CHECKS])
def test_an_assertion_holds(name: str, version: str) -> None:
    CHECKS[name](day(version))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.xdist_group("sparkplug-day")
def test_a_strict_host_finds_no_fault_in_a_whole_day(version: str) -> None:
    found = day(version)
    assert found.host.faults == []
    assert len(kind(found, PUBLISH)) > 25


def test_no_assertion_is_missing() -> None:
    assert len(IDS) == len(set(IDS)) == 202
    assert set(IDS) == set(CHECKS) | UNUSED | set(ELSEWHERE)
    assert not set(CHECKS) & (UNUSED | set(ELSEWHERE))


@pytest.mark.parametrize("name", [pytest.param(name, id=f"tck-id-{name}") for name in ELSEWHERE])
def test_what_is_proven_elsewhere_is_named_there(name: str) -> None:
    proof = (ROOT / "tests/unit/northbound" / ELSEWHERE[name]).read_text("utf-8")
    assert f"tck-id-{name}" in proof
