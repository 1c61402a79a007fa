"""All alarms of a site, for people: how they stand, and those that are shelved."""

from collections.abc import Collection, Iterator, Mapping

from agent.normalise.alarms.cell import LONGEST_SHELF
from agent.normalise.alarms.panel import Panel, Standing
from agent.normalise.alarms.rule import GROUP
from agent.normalise.api import Context


class Board:
    """One for all steps (`Context.one`)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._panels: dict[str, Panel] = {}
        self._others: dict[str, set[str]] = {}
        self.renew(())

    def renew(self, devices: Collection[str]) -> None:
        """Other recipes hold now; the panels of these devices are made anew."""
        self._others.clear()
        for (device, _), rules in self._context.recipes.tags.items():
            for alarm in rules.alarms:
                if alarm.other:
                    self._others.setdefault(device, set()).add(alarm.other)
        for device in devices:
            self._panels.pop(device, None)

    def panel(self, device: str) -> Panel:
        if device not in self._panels:
            key = f"alarms/{device}"
            self._panels[device] = self._context.one(key, lambda context: Panel(device, context.sheet(device, GROUP)))
        return self._panels[device]

    def others(self, device: str) -> set[str]:
        """The tags of a device from which alarms of other tags measure how far those are away."""
        return self._others.get(device, set())

    def standings(self) -> Iterator[Standing]:
        for panel in self._panels.values():
            yield from panel.standings()

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """How many are active and not shelved, and how many are shelved, by device."""
        found: dict[str, tuple[int, int]] = {}
        for device, panel in self._panels.items():
            states = [each.state for each in panel.standings()]
            found[device] = states.count("active") + states.count("chattering"), states.count("shelved")
        return found

    def shelve(self, device: str, name: str, until: int, wall: int) -> Standing:
        """Until then (ns UTC) nothing is told of it; 0: no longer. Raises LookupError; ValueError for more than 7 d."""
        panel = self._panels.get(device)
        cell = panel.find(name) if panel else None
        if panel is None or cell is None:
            raise LookupError(name)
        if until and not wall < until <= wall + LONGEST_SHELF:
            raise ValueError("an alarm is shelved for more than nothing, and 7d at most")
        cell.shelve(until)
        panel.changed()
        return next(each for each in panel.standings() if each.name == name)
