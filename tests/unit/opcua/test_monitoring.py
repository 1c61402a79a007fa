"""How a server watches a node, from what is said of the tag, its group and its device; and its own clock."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.opcua.config import Config
from drivers.opcua.monitoring import Watch
from drivers.opcua.plan import plans
from drivers.opcua.watch import JUMP, STANDSTILL, ServerClock

S = 10_000_000


def watches(device: dict[str, Any], group: dict[str, Any], tag: dict[str, Any]) -> Watch:
    config = Config.model_validate(
        {
            "name": "p",
            "driver": "opcua",
            "endpoint": "opc.tcp://h",
            "security": "none",
            "groups": {"g": {"interval": "2s", **group}},
            "tags": [{"name": "t", "node": "i=1", "group": "g", **tag}],
            **device,
        }
    )
    return plans(config)[0].watches[0]


def test_without_a_word_the_server_looks_once_per_interval() -> None:
    assert watches({}, {}, {}) == Watch(2.0, 10, True, "value", None)


def test_the_tag_goes_before_the_group_and_that_before_the_device() -> None:
    device = {"sampling_interval": "1s", "queue_size": 2, "trigger": "status", "deadband": {"percent": 5}}
    group = {"sampling_interval": "500ms", "queue_size": 3, "discard_oldest": False}
    assert watches(device, {}, {}) == Watch(1.0, 2, True, "status", (2, 5.0))
    assert watches(device, group, {}) == Watch(0.5, 3, False, "status", (2, 5.0))
    tag = {"sampling_interval": "0ms", "discard_oldest": True, "deadband": {"absolute": 0.5}}
    assert watches(device, group, tag) == Watch(0.0, 3, True, "status", (1, 0.5))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deadband", {}),
        ("deadband", {"absolute": 1.0, "percent": 1}),
        ("deadband", {"percent": 101}),
        ("deadband", {"absolute": 0}),
        ("deadband", 0.5),
        ("trigger", "change"),
        ("queue_size", 0),
        ("sampling_interval", "2h"),
    ],
)
def test_a_mistake_is_told_at_its_key(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        watches({}, {}, {key: value})
    assert all(error["loc"][:3] == ("tags", 0, key) for error in caught.value.errors())


def test_thousands_of_tags_that_are_watched_alike_share_what_says_so() -> None:
    tags = [{"name": f"t{n}", "node": f"i={n}"} for n in range(5)]
    config = {"name": "p", "driver": "opcua", "endpoint": "opc.tcp://h", "security": "none", "tags": tags}
    assert len({id(each) for each in plans(Config.model_validate(config))[0].watches}) == 1


def told(*said: tuple[float, float], start: int = 5) -> list[str]:
    """What is found wrong at each (server's time, our time), in seconds."""
    clock = ServerClock()
    return [clock.note(int(server * S), start, server, now) for server, now in said]


def test_a_clock_that_goes_is_well() -> None:
    assert told((100, 0), (105, 5), (110, 10), (130, 30)) == [""] * 4


def test_a_clock_that_stops_is_noticed_after_a_while() -> None:
    stops = told((100, 0), (105, 5), (105, 10), (105, 5 + STANDSTILL), (105, 6 + STANDSTILL))
    assert stops[:4] == [""] * 4
    assert stops[4] == "the server's clock has stood still for 11 s"


def test_a_clock_that_is_set_right_is_no_restart_and_a_jump_is() -> None:
    assert told((100, 0), (105, 5), (105 - JUMP + 1, 10)) == [""] * 3
    assert told((100, 0), (105, 5), (50, 10))[2] == "the server's clock went back by 55 s"


def test_a_server_that_says_no_time_is_not_judged() -> None:
    assert told((0, 0), (0, 100), (0, 1000)) == [""] * 3
    assert ServerClock().skew is None


def test_another_start_is_a_restart() -> None:
    clock = ServerClock()
    assert clock.note(100 * S, 5, 98.0, 0.0) == ""
    assert clock.skew == 2.0
    assert clock.note(105 * S, 6, 103.0, 5.0) == "the server was started anew"
