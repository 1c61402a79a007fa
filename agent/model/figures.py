"""Numbers and times as people read them: no digit that nobody can vouch for."""

from datetime import UTC, datetime

from agent.model.frame import Value

DIGITS = {"float32": 7, "float64": 15}  # as many as the type can vouch for
_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"))


def figure(value: Value, dtype: str) -> str:
    """A value with the digits that its type has; empty for none."""
    if isinstance(value, float):
        return f"{value:.{DIGITS.get(dtype, 15)}g}"
    return "" if value is None else str(value)


def moment(ns: int) -> str:
    """ns UTC as ISO 8601 with milliseconds; empty for 0."""
    return datetime.fromtimestamp(ns // 10**6 / 1e3, UTC).isoformat(timespec="milliseconds") if ns else ""


def span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3.2 min`, `5 h`: two or three digits."""
    seconds = max(0.0, seconds)
    for length, unit in _STEPS:
        if seconds >= 2 * length:
            return f"{_short(seconds / length)} {unit}"
    return f"{_short(seconds)} s"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
