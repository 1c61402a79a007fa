"""What tags say of themselves as counters: as `agent.normalise` wants it, and whether it can be."""

from collections.abc import Collection
from collections.abc import Sequence as Several
from itertools import chain
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.lists import title
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping
from agent.config.words import shown
from agent.model.text import LONGEST_NAME
from agent.normalise.counters.ask import SECOND, Counter
from agent.normalise.counters.names import peak_names


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
        round(said.demand.sliding * SECOND) if said.demand and said.demand.sliding else 0,
    )


def check_counters(raws: Several[Any], tags: Several[Any], calendars: Collection[str], scope: Scope) -> None:
    """What the counters of one device must have beside a section that is right by itself."""
    for index, tag in enumerate(tags):
        if tag.counter is not None and isinstance(raws[index], Mapping) and not scope.full:
            inner = scope.within(title(raws[index], "tag", index))
            if getattr(tag, "dtype", None) == "str" or getattr(tag, "wave", "") == "text":
                inner.add(_place(raws[index], "counter"), "counter: its values are text", "only numbers can be counted")
            _check(raws[index], tag, calendars, inner)


def _check(raw: Mapping, tag: Any, calendars: Collection[str], scope: Scope) -> None:
    said, mark = tag.counter, _place(raw, "counter")
    if tag.kind != "counter":
        scope.add(mark, f"counter: it is a {tag.kind}", "add `kind: counter`")
    longest = max(map(len, chain(*peak_names(tag.name, sliding=bool(said.demand and said.demand.sliding)))))
    if longest > LONGEST_NAME:
        what = f"counter: what is made of it has names of up to {longest} characters"
        scope.add(raw.value_marks.get("name", raw.mark), what, f"at most {LONGEST_NAME}: give it a shorter name")
    if said.tariff and said.tariff not in calendars:
        inner = raw.get("counter")
        at = _place(inner, "tariff") if isinstance(inner, Mapping) else mark
        hint = known_calendar(said.tariff, dict.fromkeys(calendars))
        scope.add(at, f"counter.tariff: there is no calendar {shown(said.tariff)}", hint)


def _place(raw: Mapping, key: str) -> Mark:
    return raw.value_marks.get(key, raw.mark)
