"""The few spellings that every file shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.text import duration, duration_text, size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("1s", 1), ("1.5s", 1.5), ("5m", 300), ("2h", 7200), ("7d", 604800)]
)
def test_durations_carry_their_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["5", 5, "", "s", "-1s", "1 s", "1sec", None, "1s ", "٣s"])
def test_what_is_not_a_duration_says_what_one_looks_like(text: object) -> None:
    with pytest.raises(ValueError, match="250ms") if text != "٣s" else pytest.raises(ValueError, match="duration"):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1s"), (0.25, "250ms"), (60, "1m"), (90, "90s"), (86400, "1d"), (3600, "1h"), (0, "0ms")]
)
def test_the_canonical_spelling_uses_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.integers(1, 10**9))
def test_canonical_durations_read_back(ms: int) -> None:
    assert duration(duration_text(ms / 1000)) == pytest.approx(ms / 1000)


@pytest.mark.parametrize(("text", "count"), [("64MB", 64 << 20), ("1GB", 1 << 30), ("1.5KB", 1536), ("10B", 10)])
def test_sizes_are_powers_of_1024(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["64", 64, "64mb", "-1MB", "GB", ""])
def test_what_is_not_a_size_says_what_one_looks_like(text: object) -> None:
    with pytest.raises(ValueError, match="64MB"):
        size(text)
