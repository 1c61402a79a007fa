"""Plain scalars mean what YAML 1.2 says, not what YAML 1.1 made of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.scalars import scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("no", "yes", "on", "off", "NO", "Yes", "n", "y", "tRUE", "nil", "none", "None")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        ("010", 10),
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("-12", -12),
        ("0x48", 72),
        ("0xFFff", 65535),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.25e-3", -0.00125),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_a_plain_scalar_means(text: str, value: object) -> None:
    got = scalar(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "12:30:45",
        "1:30",
        "2024-01-31",
        "2024-01-31T10:00:00Z",
        "1_000",
        "0b101",
        "1.2.3",
        "0x",
        "-",
        "+",
        ".",
        "e5",
        "192.168.1.20",
        "1e",
        "--1",
        "0x-1",
        "-0x10",
        "1e12345",
        "١٢",
        "99999999999999999999999999999999999999999",
    ],
)
def test_what_only_looks_like_a_number_stays_text(text: str) -> None:
    assert scalar(text) == text


def test_nan_is_a_float() -> None:
    got = scalar(".nan")
    assert isinstance(got, float)
    assert math.isnan(got)


@given(st.integers(-(10**30), 10**30))
def test_every_integer_survives(number: int) -> None:
    assert scalar(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives(number: float) -> None:
    assert scalar(repr(number)) == number


@given(st.text())
def test_any_text_has_a_value(text: str) -> None:
    assert scalar(text) == text or not isinstance(scalar(text), str)
