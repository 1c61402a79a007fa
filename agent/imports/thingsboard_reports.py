"""ThingsBoard's report strategies as `report:`."""

from typing import Any

from agent.imports.node import Node

WHEN = {
    "ON_RECEIVED": "always",
    "ON_CHANGE": "on_change",
    "ON_REPORT_PERIOD": "period",
    "ON_CHANGE_OR_REPORT_PERIOD": "on_change_or_period",
    "DISABLED": "always",
}


def report(node: Node) -> Any:
    """A word or a mapping; None where nothing is said."""
    changes = node.flag("sendDataOnlyOnChange")
    strategy = node.child("reportStrategy")
    if not strategy.data:
        return None if changes is None else "on_change" if changes else "always"
    said = strategy.text("type", "ON_REPORT_PERIOD").upper()
    when = WHEN.get(said)
    if when is None:
        strategy.note("not carried", f"the report strategy {said[:40]!r}", "see `report` in drivers/README.md")
        return None
    ms = strategy.number("reportPeriod")
    if "period" not in when:
        return when
    if ms is None:
        strategy.note("assumed", "no `reportPeriod`: 60 s")
        ms = 60_000
    low, high = 0.1, 86400.0
    period = min(max(ms / 1000, low), high)
    if period != ms / 1000:
        strategy.note("changed", f"a period of {ms / 1000:g} s is beyond what can be: {period:g} s")
    return {"when": when, "period": period}
