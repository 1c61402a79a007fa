"""What the object graph hands to its parts."""

import pytest

from agent.model.tag import Schema
from agent.runtime.app import priority_of
from drivers.sim.config import Config


@pytest.mark.parametrize(
    ("group", "priority"), [("fast", "high"), ("slow", "low"), ("plain", "low"), ("1s", "low")], ids=str
)
def test_a_group_s_priority_goes_before_that_of_its_device(group: str, priority: str) -> None:
    groups = {"fast": {"interval": "1s", "priority": "high"}, "slow": {"interval": "9s", "priority": "low"}}
    config = Config.model_validate(
        {
            "name": "d",
            "driver": "sim",
            "endpoint": "sim:",
            "priority": "low",
            "groups": {**groups, "plain": {"interval": "5s"}},
            "tags": [{"name": "a"}],
        }
    )
    assert priority_of({"d": config}, Schema("d", group, ())) == priority
