"""What tags ask of windows: read as it is meant, or refused at its place."""

from collections.abc import Callable

import pytest

from agent.config import Site
from agent.normalise.windows.ask import Window
from tests.unit.config.conftest import GATEWAY

SECOND = 10**9


def tags(*listed: str) -> str:
    return GATEWAY + "devices:\n- name: m\n  driver: sim\n  tags:\n" + "".join(f"  - {{{each}}}\n" for each in listed)


def test_a_tag_has_one_kind_of_windows_or_several(site: Callable[..., Site]) -> None:
    two = "[{every: 1000ms, of: [min], late: 0s}, {every: 1d, of: [good, late], hold: 1h}]"
    rules = site(tags("name: a, aggregate: {every: 15m, of: [min, max]}", f"name: b, aggregate: {two}")).recipes.tags
    assert rules["m", "a"].windows == (Window(900 * SECOND, ("min", "max")),)
    assert rules["m", "b"].windows == (
        Window(SECOND, ("min",), 0),
        Window(86400 * SECOND, ("good", "late"), hold=3600 * SECOND),
    )
    assert [window.group for window in rules["m", "b"].windows] == ["window-1s", "window-1d"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{every: 7m, of: [min]}", "aggregate.every: 420 s does not divide an hour: such as 15m or 8h"),
        ("{every: 5h, of: [min]}", "aggregate.every: 18000 s does not divide a day"),
        ("{every: 2d, of: [min]}", "aggregate.every: '2d' is more than 86400"),
        ("{every: 500ms, of: [min]}", "aggregate.every: '500ms' is less than 1"),
        ("{every: 15m, of: []}", "aggregate.of: has fewer than 1 items"),
        ("{every: 15m}", "aggregate: of is missing"),
        ("{every: 15m, of: [min, avg]}", "aggregate.of[1]: 'avg' is not known here (one of: count"),
        ("{every: 15m, of: [min, min]}", "aggregate.of: 'min' is there twice"),
        ("{every: 15m, of: [min], late: 15m}", "aggregate.late: 900 s is not less than the 900 s of a window"),
        ("{every: 15m, of: [min], hold: 0s}", "aggregate.hold: '0s' is not more than 0"),
        ("{every: 15m, of: [min], hod: 1s}", "aggregate: unknown key 'hod' (did you mean 'hold'?)"),
        ("15m", "aggregate: must be a list"),
        (
            "[{every: 15m, of: [min]}, {every: 900s, of: [max]}]",
            "aggregate: two have windows of 15m: ask for all of them in one `of`",
        ),
    ],
)
def test_what_windows_cannot_be(complaint: Callable[..., str], said: str, message: str) -> None:
    found = complaint(tags(f"name: a, aggregate: {said}"))
    assert found.startswith("site.yaml:6:")
    assert f"device 'm', tag 'a': {message}" in found


def test_there_is_no_mean_of_text(complaint: Callable[..., str]) -> None:
    found = complaint(tags("name: a, type: str, aggregate: {every: 15m, of: [last, mean]}"))
    assert found == (
        "site.yaml:6:54: device 'm', tag 'a': aggregate: of: there is no mean of text"
        " (of text there are first, last, count, good)"
    )


def test_what_is_made_has_a_name_of_its_own(problems: Callable[..., list[str]]) -> None:
    found = problems(tags("name: a, aggregate: {every: 15m, of: [min]}", "name: a_min_15m"))
    wanted = "aggregate: 'a_min_15m' is the tag 'a_min_15m' of this device (give one another name)"
    assert found == [f"site.yaml:6:26: device 'm', tag 'a': {wanted}"]
    (long,) = problems(tags(f"name: {'a' * 120}, aggregate: {{every: 15m, of: [min, time_mean]}}"))
    assert "would be longer than 128 characters (give the tag a shorter name)" in long
