"""What tags say of themselves as counters: as `agent.normalise` wants it, and whether it can be."""

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.lists import title
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown
from agent.model.text import LONGEST_NAME
from agent.normalise.counters.ask import SECOND, Counter
from agent.normalise.counters.names import peak_names
from agent.registry import TagConfig


def counter_of(said: Any) -> Counter:
    """What `counter:` asks."""
    return Counter(
        said.rollover,
        said.max_rate,
        said.confirm,
        said.total,
        tuple(round(every * SECOND) for every in said.intervals),
        round(said.demand.every * SECOND) if said.demand else 0,
        said.tariff or "",
    )


def check_counters(raws: Sequence, tags: Iterable[TagConfig], calendars: Collection[str], scope: Scope) -> None:
    """What the counters of one device must have beside a section that is right by itself."""
    for index, tag in enumerate(tags):
        if tag.counter is not None and not scope.full:
            raw = raws[index]
            assert isinstance(raw, Mapping)
            _check(raw, tag, calendars, scope.within(title(raw, "tag", index)))


def _check(raw: Mapping, tag: Any, calendars: Collection[str], scope: Scope) -> None:
    mark = _place(raw, "counter")
    dtype = getattr(tag, "dtype", None) or getattr(tag, "type", None)
    if dtype == "str" or getattr(tag, "wave", "") == "text":
        scope.add(mark, "counter: its values are text", "only numbers can be counted")
    elif tag.kind != "counter":
        scope.add(mark, f"counter: it is a {tag.kind}", "add `kind: counter`")
    longest = max(map(len, chain(*peak_names(tag.name))))
    if longest > LONGEST_NAME:
        what = f"counter: what is made of it has names of up to {longest} characters"
        scope.add(_place(raw, "name"), what, f"at most {LONGEST_NAME}: give it a shorter name")
    tariff = tag.counter.tariff
    if tariff and tariff not in calendars:
        said = raw.get("counter")
        at = _place(said, "tariff") if isinstance(said, Mapping) else mark
        scope.add(
            at, f"counter: there is no calendar {shown(tariff)}", known_calendar(tariff, dict.fromkeys(calendars))
        )


def _place(raw: Mapping, key: str) -> Mark:
    return raw.value_marks.get(key, raw.mark)
