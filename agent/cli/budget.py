"""What each line of a site will need of its wire's time, in words and as data."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil
from typing import Any

from agent import registry
from agent.config import Report, Site
from agent.model.text import public
from agent.runtime.advice import MOST, needs, spoken, utilisation, widened
from agent.runtime.wiring import lines_of
from drivers.api import Budget, ScanCost


def budgets(site: Site, report: Report | None = None) -> list[dict[str, Any]]:
    """One row per wire of those drivers that can tell; `report` is warned of those that have too little time."""
    rows = []
    for (driver, endpoint), members in lines_of(site.devices).items():
        tell = registry.driver_budget(driver)
        for budget in tell(site.line(endpoint), members) if tell is not None else ():
            row = _row(driver, budget)
            rows.append(row)
            if report is not None and row["advice"]:
                said = "does not fit" if row["utilisation"] > 1 else "is tight"
                mark = report.places[f"device/{budget.costs[0].device}"]
                report.warn(mark, f"line {row['line']}: what is asked of it {said}", ", or ".join(row["advice"]))
    return rows


def said(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line of text for each."""
    return [f"  {row['line']}: {_verdict(row)}" for row in rows]


def _verdict(row: dict[str, Any]) -> str:
    need = f"needs {row['needs']}"
    if row["utilisation"] <= MOST:
        return f"{need}: {_percent(row['utilisation'])} of its time"
    fits = "does not fit" if row["utilisation"] > 1 else f"{_percent(row['utilisation'])} of its time, which is tight"
    return f"{need}: {fits}; {', or '.join(row['advice'])}"


def _row(driver: str, budget: Budget) -> dict[str, Any]:
    share = utilisation(budget.costs)
    names = {cost.device for cost in budget.costs}
    return {
        "line": public(budget.wire),
        "driver": driver,
        "devices": len(names),
        "utilisation": round(share, 4),
        "fits": share <= 1,
        "needs": needs(budget.costs, share),
        "groups": _groups(budget.costs),
        "advice": _advice(budget, share, len(names)) if share > MOST else [],
    }


def _groups(costs: Sequence[ScanCost]) -> list[dict[str, Any]]:
    """`seconds` is what one scan of the group takes of all devices that have it."""
    seconds: defaultdict[tuple[str, float], float] = defaultdict(float)
    devices = Counter((cost.group, cost.interval) for cost in costs)
    for cost in costs:
        seconds[cost.group, cost.interval] += cost.seconds
    return [
        {"group": group, "interval": interval, "devices": devices[group, interval], "seconds": round(took, 6)}
        for (group, interval), took in seconds.items()
    ]


def _advice(budget: Budget, share: float, devices: int) -> list[str]:
    """What would bring the line down to `MOST`: less often, another setting, more wires."""
    advice = []
    if wide := widened(budget.costs):
        advice.append(f"widen {spoken(wide)}")
    enough = next(((what, left) for what, left in budget.remedies if left <= MOST), None)
    if enough is not None:
        advice.append(f"set {enough[0]} ({_percent(enough[1])})")
    wires = ceil(share / MOST)
    if devices > 1:
        advice.append(f"spread its {devices} devices over {min(wires, devices)} lines")
    return advice or ["read fewer tags"]


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.1 else 1}f} %"
