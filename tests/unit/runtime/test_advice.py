"""What would help a line that has too much to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.advice import MOST, ROUND, needs, remedy, spoken, utilisation, widened
from drivers.api import ScanCost


def costs(*groups: tuple[str, float, float], devices: int = 1) -> list[ScanCost]:
    """Group, interval, seconds; each in all of the devices."""
    return [ScanCost(f"d{number}", *group) for number in range(devices) for group in groups]


def test_what_is_needed_is_told_per_shortest_interval() -> None:
    some = costs(("1s", 1.0, 1.5), ("slow", 10.0, 4.2))
    assert utilisation(some) == pytest.approx(1.92)
    assert needs(some, utilisation(some)) == "1.92 s per 1 s cycle"
    half = costs(("5s", 5.0, 2.0))
    assert needs(half, utilisation(half)) == "2 s per 5 s cycle"


def test_a_line_that_fits_needs_nothing() -> None:
    assert widened(costs(("1s", 1.0, 0.8))) == []


def test_one_group_is_widened_to_a_round_interval_if_that_does() -> None:
    """The one whose interval grows least."""
    some = costs(("1s", 1.0, 0.5), ("slow", 2.0, 1.2))
    assert [str(each) for each in widened(some)] == ["group slow from 2s to 5s"]
    assert str(widened(costs(("1s", 1.0, 0.6), ("slow", 1.0, 0.6)))[0]) == "interval 1s to 3s"
    assert str(widened(costs(("1s", 1.0, 0.06), ("slow", 1.0, 0.06), devices=10))[0]) == "interval 1s to 3s"
    assert str(widened(costs(("fast", 1.0, 0.1), ("slow", 1.0, 0.9)))[0]) == "group slow from 1s to 2s"


def test_all_are_widened_when_one_does_not_do() -> None:
    some = costs(("a", 1.0, 0.9), ("b", 1.0, 0.9), ("c", 1.0, 0.9))
    assert [str(each) for each in widened(some)] == [f"group {name} from 1s to 5s" for name in "abc"]


def test_of_many_groups_three_are_named() -> None:
    some = costs(*((name, 1.0, 0.9) for name in "abcde"))
    assert spoken(widened(some)).endswith(" and group c from 1s to 10s and 2 more likewise")


def test_the_remedy_reads_as_a_sentence() -> None:
    said = remedy(costs(("1s", 1.0, 0.064), devices=30))
    assert said == "it needs 1.92 s per 1 s cycle; widen interval 1s to 3s, or give it fewer devices"


def test_what_no_interval_helps_is_said_without_one() -> None:
    assert remedy(costs(("d", 86400.0, 86400.0 * 99))) == (
        "it needs 8.55e+06 s per 86400 s cycle; give it fewer devices"
    )


@given(
    groups=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(ROUND[:20]), st.floats(1e-6, 100.0)), max_size=8)
)
def test_what_is_advised_is_enough(groups: list[tuple[str, float, float]]) -> None:
    some = costs(*groups)
    found = {(each.group, each.interval): each.to for each in widened(some)}
    eased = [ScanCost(c.device, c.group, found.get((c.group, c.interval), c.interval), c.seconds) for c in some]
    if utilisation(some) <= MOST:
        assert found == {}
    elif found:
        assert utilisation(eased) <= MOST * 1.001
    else:
        assert max(interval * utilisation(some) for _, interval, _ in groups) > MOST * ROUND[-1]
    assert all(to >= interval for (_, interval), to in found.items())
