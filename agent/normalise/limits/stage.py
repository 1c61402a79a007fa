"""The stage that looks at the values of one schema: first their range, then how fast and how rarely they change."""

from collections.abc import Callable, Mapping, Sequence

from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.normalise.api import Context, Stage
from agent.normalise.limits.asked import Limits
from agent.normalise.limits.band import Band
from agent.normalise.limits.jump import Jump
from agent.normalise.limits.stuck import Stuck
from agent.normalise.rules import Rules


class Checks:
    """Several stages as one."""

    def __init__(self, schema: Schema, checks: Sequence[Stage]) -> None:
        self.schema = schema
        self._checks = checks

    def __call__(self, frame: Frame) -> Frame:
        for check in self._checks:
            frame = check(frame)
        return frame


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> Stage | None:
    """Bools and texts have neither a range nor a speed."""
    del context
    asked = {column: each.limits for column, each in enumerate(rules) if each.limits is not None}
    numbers = {column: limits for column, limits in asked.items() if schema.tags[column].dtype not in ("bool", "str")}
    checks: list[Stage] = []
    if banded := _of(numbers, lambda limits: limits.min is not None or limits.max is not None):
        checks.append(Band(schema, banded))
    if fast := _of(numbers, lambda limits: limits.rate is not None):
        checks.append(Jump(schema, fast))
    checks += [_stuck(schema, asked, most) for most in sorted({limits.stuck for limits in asked.values()} - {0})]
    if len(checks) < 2:
        return checks[0] if checks else None
    return Checks(schema, checks)


def _stuck(schema: Schema, asked: Mapping[int, Limits], most: int) -> Stuck:
    return Stuck(schema, _of(asked, lambda limits: limits.stuck == most), most)


def _of(asked: Mapping[int, Limits], wanted: Callable[[Limits], bool]) -> dict[int, Limits]:
    return {column: limits for column, limits in asked.items() if wanted(limits)}
