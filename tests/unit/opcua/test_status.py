"""Status codes as qualities."""

import pytest
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from agent.model.quality import FIRST_BAD, Quality
from drivers.opcua.status import TABLE, is_bad, overflowed, quality


@pytest.mark.parametrize("name", TABLE)
def test_the_table_names_codes_of_the_standard(name: str) -> None:
    assert TABLE[name][0] == getattr(StatusCodes, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Good", Quality.GOOD),
        ("GoodLocalOverride", Quality.SUBSTITUTED),
        ("GoodSubscriptionTransferred", Quality.GOOD),
        ("UncertainLastUsableValue", Quality.STALE),
        ("UncertainSensorNotAccurate", Quality.ESTIMATED),
        ("UncertainEngineeringUnitsExceeded", Quality.CLAMPED),
        ("Bad", Quality.BAD_DEVICE),
        ("BadSensorFailure", Quality.BAD_DEVICE),
        ("BadNoCommunication", Quality.BAD_COMM),
        ("BadNodeIdUnknown", Quality.BAD_CONFIG),
    ],
)
def test_a_code_has_the_quality_that_says_most(name: str, expected: Quality) -> None:
    assert quality(getattr(StatusCodes, name)) == expected


@given(st.integers(0, 0xFFFFFFFF))
def test_usable_and_bad_follow_the_severity(code: int) -> None:
    """Whatever a server makes up: a bad code is never a usable value, nor the other way round."""
    assert (quality(code) >= FIRST_BAD) == is_bad(code)


@given(st.sampled_from(sorted(TABLE)), st.integers(0, 0xFFFF))
def test_info_bits_do_not_change_the_quality(name: str, bits: int) -> None:
    code, expected = TABLE[name]
    assert quality(code | bits) == expected


def test_a_queue_that_was_too_short_is_seen() -> None:
    assert overflowed(0x0480)
    assert overflowed(0x40900480)
    assert not overflowed(0x0400)
    assert not overflowed(0x0080)
