"""How everything is at a moment, for the judgement of a trial: taken from health and from the newest values."""

from collections.abc import Iterable

from agent.health import Health, Part
from agent.model.frame import Frame
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema
from agent.runtime.trial import Key, Vitals

_JUDGED = ("device", "line", "sink")
_PROCESS = (Quality.BAD_STUCK, Quality.BAD_JUMP)  # a machine that stands still says nothing about a configuration
_GOOD = bytes(code for code in range(256) if code < FIRST_BAD or code in _PROCESS)


def vitals(health: Health, newest: Iterable[tuple[Schema, Frame | None]]) -> Vitals:
    """`newest` has the groups that leave the agent; what is made here, or tells of events, is not judged. A group that
    has given nothing yet is bad."""
    well: dict[Key, bool] = {}
    for part in [*health.parts.values()]:
        if part.kind in _JUDGED:
            well[part.kind, part.name] = _is_well(health, part)
    tags: list[str] = []
    bad: list[str] = []
    for schema, frame in newest:
        if schema.made or any(tag.kind == "event" for tag in schema.tags):
            continue
        names = [f"{schema.device}/{tag.name}" for tag in schema.tags]
        tags += names
        if frame is None:
            bad += names
        elif frame.quality.translate(None, _GOOD):
            bad += (name for name, code in zip(names, frame.quality, strict=True) if code not in _GOOD)
    return Vitals(well, frozenset(tags), frozenset(bad))


def _is_well(health: Health, part: Part) -> bool:
    if part.kind == "line" and (load := health.loads.get(part.name)) and load.overloaded:
        return False
    if part.breaker:
        return part.breaker == "closed" and part.state == "up"
    return part.state == "up"
