"""Limits of a tag that no value of its type can keep, or that nothing could ever be beyond."""

from collections.abc import Iterator
from math import ceil
from typing import Any

from agent.config.dtypes import a, dtype_of, range_of
from agent.config.problems import Scope
from agent.config.tree import Mapping
from agent.registry import LimitsConfig, TagConfig


def check_limits(raw: Any, tag: TagConfig, scope: Scope) -> None:
    """What is wrong with `limits` of one tag, at the place of the key in question."""
    dtype: str | None = dtype_of(tag)
    if tag.limits is None or dtype is None:
        return
    if (tag.as_ or tag.ratio) and dtype not in ("bool", "str"):
        dtype = "float64"  # it leaves in another unit, with other numbers
    said = raw.get("limits") if isinstance(raw, Mapping) else None
    for key, message, hint in _objections(tag.limits, dtype):
        mark = said.value_marks.get(key, said.mark) if isinstance(said, Mapping) else raw.mark
        scope.add(mark, f"limits.{key}: {message}", hint)


def _objections(limits: LimitsConfig, dtype: str) -> Iterator[tuple[str, str, str]]:
    if dtype in ("bool", "str"):
        what = "a bool" if dtype == "bool" else "text"
        for key in ("min", "max", "rate"):
            if getattr(limits, key) is not None:
                yield key, f"{what} has none", "only `stuck` says something of it"
        return
    least, most = range_of(dtype)
    for key in ("min", "max"):
        edge = getattr(limits, key)
        if edge is not None and not least <= edge <= most:
            yield key, f"{edge:g} is nothing that {a(dtype)} can be", f"it goes from {least:g} to {most:g}"
    if limits.min is not None and limits.max is not None and "int" in dtype and ceil(limits.min) > limits.max:
        yield "max", f"between {limits.min:g} and {limits.max:g} is no whole number", f"the tag is {a(dtype)}"
