"""What is doubtful about a device map although it can be used: warnings, for `check` and `maps test`."""

from collections.abc import Iterator
from typing import Any

from agent.config.lists import name_of
from agent.config.maps import DeviceMap
from agent.config.oddities import same_place
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping
from agent.config.words import shown
from agent.model.units import conversion

_NARROW = {"uint16": 65_536, "int16": 32_768}  # numbers until a counter of that type begins anew


def lint(found: DeviceMap, scope: Scope) -> None:
    """Where somebody asks, warn of what will make a person doubt the values of this map."""
    if scope.report.vocabulary is None or found.tags is None:
        return
    for key, message, hint in _head(found):
        scope.warn(found.said.value_marks.get(key, found.said.mark), message, hint)
    marks = {name_of(raw): raw for raw in found.raws if name_of(raw)}
    same_place(found.tags, marks, scope)
    for tag in found.tags:
        raw = marks.get(tag.name)
        for key, message, hint in _tag(tag) if raw is not None else ():
            scope.within(f"tag {shown(tag.name)}").warn(_mark(raw, key), message, hint)


def _mark(raw: Mapping | None, key: str) -> Mark:
    assert raw is not None
    return raw.value_marks.get(key, raw.mark)


def _head(found: DeviceMap) -> Iterator[tuple[str, str, str]]:
    """(key, message, hint)"""
    if not found.head.sources:
        yield "sources", "sources: none is named", "say where the registers come from, so that who doubts one can look"
    if not found.head.device.kind:
        yield "device", "device: it has no kind", "such as `kind: power_meter_3ph`, by which the map is found"
    if found.head.status == "draft" and not found.head.notes:
        yield "status", "status: a draft without notes", "say in `notes` what is not sure, and what to compare"


def _tag(tag: Any) -> Iterator[tuple[str, str, str]]:
    scaled = getattr(tag, "scale", 1.0) != 1.0
    if scaled and not tag.unit and tag.kind != "state" and "factor" not in tag.name and "ratio" not in tag.name:
        yield "scale", "it is scaled and has no unit", 'what is the number in? `unit: "1"` for a plain one'
    energy = (
        bool(tag.unit) and "N" not in tag.unit and any(_converts(tag.unit, unit) for unit in ("kWh", "kvarh", "kVAh"))
    )
    if energy and tag.kind != "counter":
        yield "unit", f"it is in {tag.unit} and no counter", "`kind: counter`, if it only grows"
    limit = _NARROW.get(getattr(tag, "type", ""))
    if limit and energy and tag.kind == "counter" and tag.enabled and "today" not in tag.name:
        most = f"{limit * getattr(tag, 'scale', 1.0):g} {tag.unit}"
        yield "type", f"it begins anew after {most}", "is it the low half of a 32-bit counter?"


def _converts(unit: str, other: str) -> bool:
    try:
        conversion(unit, other)
    except ValueError:
        return False
    return True
