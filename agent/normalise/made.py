"""The names of all that is made of a value, known without making it."""

from collections.abc import Iterator, Mapping

from agent.model.text import duration_text
from agent.normalise.alarms.rule import GROUP as ALARM
from agent.normalise.alarms.rule import columns_of as alarm_columns
from agent.normalise.calendar import Calendar
from agent.normalise.counters.ask import SECOND, Counter
from agent.normalise.counters.names import demand_name, interval_name, peak_names, tariff_name, total_name
from agent.normalise.rules import Rules
from agent.normalise.states import columns_of as state_columns

_PROBE = "\0"  # stands for a tag's name where names are worked out once for many tags; no name has it


class Names:
    """Whose tags are tariffs by these calendars."""

    def __init__(self, calendars: Mapping[str, Calendar]) -> None:
        self._calendars = calendars
        self._known: dict[tuple[int, bool], tuple[list[str], str, Rules]] = {}

    def made(self, tag: str, rules: Rules) -> list[tuple[str, str]]:
        """(group, name) of each that is made of a tag of which this is asked."""
        groups, names = self._shared(tag, rules)
        return list(zip(groups, names, strict=True))

    def names(self, tag: str, rules: Rules) -> list[str]:
        return self._shared(tag, rules)[1]

    def _shared(self, tag: str, rules: Rules) -> tuple[list[str], list[str]]:
        """Equal rules make names that are equal up to the tag's, but for the total of a tag that is called so."""
        key = id(rules), tag.endswith("_total")
        if key not in self._known:
            found = list(self._of(f"{_PROBE}_total" if key[1] else _PROBE, rules))
            self._known[key] = [group for group, _ in found], "\n".join(name for _, name in found), rules
        groups, text, _ = self._known[key]
        return groups, text.replace(_PROBE, tag.removesuffix("_total")).split("\n") if groups else []

    def _of(self, tag: str, rules: Rules) -> Iterator[tuple[str, str]]:
        if rules.counter:
            yield from self._counted(tag, rules.counter)
        for window in rules.windows:
            for name in window.named(tag):
                yield window.group, name
        if rules.states:
            for name in state_columns(tag, rules.states.names):
                yield "state", name
        for alarm in rules.alarms:
            for name in alarm_columns(alarm.called(tag), alarm.kind, alarm.text):
                yield ALARM, name

    def _counted(self, tag: str, asked: Counter) -> Iterator[tuple[str, str]]:
        if asked.total:
            yield "total", total_name(tag)
        for every in asked.intervals:
            length = duration_text(every / SECOND)
            yield f"interval-{length}", interval_name(tag, length)
        if asked.demand:
            for sliding in (False, True) if asked.sliding else (False,):
                yield "demand", demand_name(tag, duration_text(asked.demand / SECOND), sliding=sliding)
                for pair in peak_names(tag, sliding=sliding):
                    yield from (("demand", name) for name in pair)
        if asked.tariff in self._calendars:
            for period in self._calendars[asked.tariff].names:
                yield "tariff", tariff_name(tag, period)
