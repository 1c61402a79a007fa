"""What tags say of themselves as counters: as `agent.normalise` wants it, and whether it can be."""

from collections.abc import Collection
from collections.abc import Sequence as Several
from itertools import chain
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.dtypes import a, dtype_of, range_of
from agent.config.lists import of_item
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


def check_counters(raws: Several[Any], tags: Several[Any], calendars: Collection[str] | None, scope: Scope) -> None:
    """What the counters of one device must have beside a section that is right by itself."""
    for index, tag in enumerate(tags):
        if tag.counter is not None and isinstance(raws[index], Mapping) and not scope.full:
            inner = of_item(raws[index], "tag", index, scope)
            _check(raws[index], tag, calendars, inner)


def _check(raw: Mapping, tag: Any, calendars: Collection[str] | None, scope: Scope) -> None:
    said, mark = tag.counter, _place(raw, "counter")
    dtype, inner = dtype_of(tag), raw.get("counter")
    if dtype in ("str", "bool"):
        what = "text" if dtype == "str" else "true and false"
        return scope.add(mark, f"counter: its values are {what}", "only numbers can be counted")
    if tag.kind != "counter":
        scope.add(mark, f"counter: it is a {tag.kind}", "add `kind: counter`")
    longest = max(map(len, chain(*peak_names(tag.name, sliding=bool(said.demand and said.demand.sliding)))))
    if longest > LONGEST_NAME:
        what = f"counter: what is made of it has names of up to {longest} characters"
        scope.add(raw.value_marks.get("name", raw.mark), what, f"at most {LONGEST_NAME}: give it a shorter name")
    if dtype and not (tag.as_ or tag.ratio) and not isinstance(said.rollover, str):
        most = range_of(dtype)[1]
        if said.rollover > most + 1:
            at = _place(inner, "rollover") if isinstance(inner, Mapping) else mark
            what = f"counter.rollover: {said.rollover:g} is more than {a(dtype)} can show"
            scope.add(at, what, f"it begins again at {most + 1:g} at the latest")
    if said.tariff and calendars is not None and said.tariff not in calendars:
        at = _place(inner, "tariff") if isinstance(inner, Mapping) else mark
        hint = known_calendar(said.tariff, dict.fromkeys(calendars))
        scope.add(at, f"counter.tariff: there is no calendar {shown(said.tariff)}", hint)
    return None


def _place(raw: Mapping, key: str) -> Mark:
    return raw.value_marks.get(key, raw.mark)
