"""A figure beside its bar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`ok` is None where a figure is shown without a bar."""

    what: str
    seen: str
    bar: str = "-"
    ok: bool | None = None

    def line(self, area: str) -> str:
        verdict = "-" if self.ok is None else "ok" if self.ok else "MISS"
        return f"{area} | {self.what} | {self.seen} | {self.bar} | {verdict}"


def shown(what: str, value: float, unit: str = "") -> Row:
    return Row(what, _text(value, unit))


def at_most(what: str, value: float, bar: float, unit: str = "") -> Row:
    return Row(what, _text(value, unit), f"≤ {_text(bar, unit)}", value <= bar)


def at_least(what: str, value: float, bar: float, unit: str = "") -> Row:
    return Row(what, _text(value, unit), f"≥ {_text(bar, unit)}", value >= bar)


def _text(value: float, unit: str) -> str:
    digits = 0 if value == int(value) or abs(value) >= 1000 else 3 if 99 < value < 100 or value < 1 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
