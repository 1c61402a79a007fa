"""What a sparkplug sink may be told, and what it calls itself when it is told nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.northbound.broker.packet import topic
from agent.northbound.sparkplug.config import Config
from agent.northbound.sparkplug.names import Names, check, clean


def config(**keys: object) -> Config:
    return Config.model_validate({"name": "scada", "type": "sparkplug", "url": "mqtt://broker", **keys})


@pytest.mark.parametrize("key", ["group", "edge", "primary_host"])
@pytest.mark.parametrize("text", ["a/b", "a+", "#", "x\ny", " ", "\udc80", "ä" * 501])
def test_an_id_that_cannot_stand_in_a_topic_is_refused(key: str, text: str) -> None:
    """tck-id-intro-group-id-chars, tck-id-topic-structure-namespace-valid-group-id, tck-id-intro-edge-node-id-chars,
    tck-id-topic-structure-namespace-valid-edge-node-id"""
    with pytest.raises(ValidationError, match=f"{key}(.|\n)*Sparkplug id"):
        config(**{key: text})


@pytest.mark.parametrize(
    "keys",
    [
        {"group": "STATE"},
        {"compat": "1.0"},
        {"barrier": "none"},
        {"settle": "11s"},
        {"settle": -1},
        {"statistics": "-1s"},
        {"batch": 0},
        {"batch": 1001},
        {"others": ["http://elsewhere"]},
        {"others": ["mqtts://elsewhere"]},
        {"others": ["mqtt://elsewhere"] * 17},
        {"others": "mqtt://elsewhere"},
        {"unknown": 1},
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(keys))):
        config(**keys)


def test_all_brokers_are_alike_but_for_their_url() -> None:
    brokers = config(others=["mqtt://second:1884", "ws://third/mqtt"], username="me", timeout="3s").brokers()
    assert [each.url for each in brokers] == ["mqtt://broker", "mqtt://second:1884", "ws://third/mqtt"]
    assert [each.where for each in brokers][1:] == ["sparkplug second:1884", "sparkplug third:80"]
    assert {(each.username, each.timeout) for each in brokers} == {("me", 3.0)}


def test_ids_may_have_all_other_characters_of_any_language() -> None:
    for text in ("Werk 1", "杭州", "a.b:c$d", "x" * 1000):
        assert check(text) == text
        assert clean(text) == text


@given(group=st.text(), edge=st.text(), device=st.text())
def test_names_from_elsewhere_become_levels_of_a_topic(group: str, edge: str, device: str) -> None:
    """tck-id-intro-device-id-chars, tck-id-topic-structure-namespace-valid-device-id; a DCMD finds its way back."""
    names = Names(clean(group), clean(edge))
    levels = names.topic("DBIRTH", device).split("/")
    assert len(levels) == (5 if device else 4)
    assert not any(char in level for level in levels for char in "+#\0")
    assert topic((names.head("DDATA", device), b"", False)) == names.topic("DDATA", device)
    assert names.commanded(names.topic("DCMD", "x" + device)) == clean("x" + device)
    assert names.commanded(names.node_commands) is None
