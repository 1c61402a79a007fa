"""The section `commands` of a sink: what it lets through, and which patterns are none."""

import pytest
from pydantic import ValidationError

from agent.northbound.api import Commanded, Commands, SinkConfig, fits


class Sink(Commanded, SinkConfig):
    """A kind of sink that takes commands."""


def test_without_the_section_a_sink_takes_none() -> None:
    assert Sink(name="up", type="x").commands is None


def test_the_defaults_are_thirty_seconds_and_ten_a_minute() -> None:
    commands = Sink.model_validate({"name": "up", "type": "x", "commands": {"allow": ["a/b"]}}).commands
    assert commands == Commands(allow=["a/b"], max_age="30s", per_minute=10)  # type: ignore[arg-type]  # as in a file


@pytest.mark.parametrize(
    ("pattern", "name", "fitting"),
    [
        ("press-3/start", "press-3/start", True),
        ("press-3/start", "press-31/start", False),
        ("press-3/start", "press-3/start2", False),
        ("press-*/start", "press-/start", True),
        ("press-*/start", "press-3/x/start", False),
        ("press-?/st*", "press-3/stop", True),
        ("press-?/st*", "press-33/stop", False),
        ("*/*", "a/b", True),
        ("*/s*p*t", "a/setpoint", True),
        ("*/s*p*t", "a/setpoints", False),
        ("a*b/c*", "axbxb/c", True),
        ("a[1]/b.c", "a[1]/b.c", True),
        ("a[1]/b.c", "a1/bxc", False),
        ("料/温?", "料/温度", True),
    ],
)
def test_stars_and_question_marks_stay_within_a_name(pattern: str, name: str, fitting: bool) -> None:
    assert fits(pattern, name) is fitting
    assert Commands(allow=["no/no", pattern]).allows(*name.split("/", 1)) is fitting


@pytest.mark.parametrize("allow", [[], ["press-3"], ["/start"], ["press-3/"], ["a/b/c"], ["a/" + "b" * 300]])
def test_what_is_no_pattern_is_refused(allow: list[str]) -> None:
    with pytest.raises(ValidationError):
        Commands(allow=allow)


def test_a_pattern_of_many_stars_is_done_soon() -> None:
    assert not fits("*a" * 120 + "/b", "a" * 127 + "c/b")
