"""Mean power of a window that moves on by steps: the last 15 minutes with each minute."""

from collections.abc import Iterable, Sequence

from agent.model.quality import Quality
from agent.normalise.api import Sheet
from agent.normalise.counters.ask import HOUR
from agent.normalise.counters.span import Closed, worse
from agent.normalise.counters.uses import Outbox, Peaks


class Sliding:
    """What was counted in the steps of the window; nothing is told before there are enough of them.

    A step that is longer than it should be, as after a gap of which nobody knows, may begin before the window: then it
    has the share of its time. After a clock was put back beyond what is told the window begins anew.
    """

    __slots__ = ("_column", "_every", "_sheet", "peaks", "steps")

    def __init__(self, sheet: Sheet, column: int, every: int, peaks: Peaks) -> None:
        self._sheet, self._column, self._every, self.peaks = sheet, column, every, peaks
        self.steps: list[Closed] = []

    def __call__(self, closed: Closed, scale: int | None, out: Outbox) -> None:
        steps, begin = self.steps, closed.edge - self._every
        if steps and steps[-1].edge != closed.start:
            steps.clear()
        steps.append(closed)
        while steps[0].edge <= begin:
            del steps[0]
        if steps[0].start > begin:
            return
        grown, doubt = _sum(steps, begin)
        power = grown * HOUR / ((scale or 1) * self._every)
        out.put(closed.edge, self._sheet, self._column, power, doubt)
        self.peaks.see(Closed(begin, closed.edge, grown, doubt), power, out, always=False)

    def rescale(self, factor: int) -> None:
        self.steps = [step._replace(grown=step.grown * factor) for step in self.steps]

    def restore(self, steps: Iterable[Closed]) -> None:
        """Only of steps each of which begins where the one before has ended."""
        self.steps = []
        for step in steps:
            if step.start >= step.edge or (self.steps and self.steps[-1].edge != step.start):
                self.steps = []
                return
            self.steps.append(step)


def _sum(steps: Sequence[Closed], begin: int) -> tuple[int, int]:
    """What was counted since `begin`, and how far that can be trusted."""
    first, doubt = steps[0], 0
    grown = sum(step.grown for step in steps)
    for step in steps:
        doubt = worse(doubt, step.doubt)
    if first.start < begin:
        grown -= first.grown * (begin - first.start) // (first.edge - first.start)
        doubt = int(Quality.ESTIMATED)
    return grown, doubt
