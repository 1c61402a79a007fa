"""The keys of a `thingsboard` sink, and how devices are called there."""

from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.text import Referenced
from agent.northbound.thingsboard.config import Config
from agent.northbound.thingsboard.names import Names


def config(**keys: Any) -> Config:
    return Config.model_validate({"name": "tb", "type": "thingsboard", "url": "mqtt://tb.example", **keys})


def test_defaults_are_those_of_the_readme() -> None:
    made = config()
    assert (made.device, made.profile, made.quality, made.max_payload) == ("{device}", "default", True, 8192)
    assert (made.hold_off, made.batch, made.window) == (5.0, 100, 200)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"token": "plain"}, "a secret is not written into the file"),
        ({"token": Referenced("t"), "username": "u"}, "keep one of them"),
        ({"device": "meter"}, "must stand there, once"),
        ({"device": "{device}{device}"}, "must stand there, once"),
        ({"device": "{device} {tag}"}, r"\{tag\} is not a placeholder"),
        ({"device": "{device} }"}, "no single brace"),
        ({"device": "{device}\n"}, "printable"),
        ({"max_payload": "100B"}, "greater than or equal to 512"),
        ({"hold_off": "5m"}, "less than or equal to 60"),
        ({"profile": ""}, "at least 1 character"),
        ({"shape": "envelope"}, "Extra inputs"),
    ],
)
def test_a_wrong_key_is_named(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        config(**keys)


@pytest.mark.parametrize(
    ("template", "name"),
    [("{device}", "press-3"), ("{gateway} {device}", "gw press-3"), ("{site}/{device} !", "acme/hz/press-3 !")],
)
def test_names_go_there_and_back(template: str, name: str) -> None:
    names = Names(template, "gw", ("acme", "hz"))
    assert names.name("press-3") == name
    assert names.device(name) == "press-3"
    assert names.device("x" + name) == ("xpress-3" if template == "{device}" else "")


def test_a_name_in_which_the_ends_overlap_is_none_of_ours() -> None:
    names = Names("ab{device}bc", "gw", ())
    assert names.device("abc") == ""
    assert names.device("abxbc") == "x"
