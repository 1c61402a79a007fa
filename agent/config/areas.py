"""The words of a PLC as addresses: a driver says where they are, and the files which `areas` there are.

Tags stay as they are written; what their words stand for is put in when they are validated.
"""

from collections.abc import Mapping as Table
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from agent.config.lists import of_item
from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping, Sequence, merge
from agent.registry import DriverConfig
from drivers.placing import Placed, Placer

KEY = "areas"


class Places:
    """The areas of a device or a map. `known` are the validated ones; of wrong ones, which are told elsewhere, there
    are none, and `broken` says so."""

    __slots__ = ("_place", "broken", "known")

    def __init__(self, config: type[DriverConfig], kind: Any, said: Any) -> None:
        self.known: dict[str, Any] | None = None
        self.broken = False
        self._place: Placer | None = None
        if said is None or not has_areas(config):
            return
        try:
            self.known = _adapter(config).validate_python(said)
        except ValidationError:
            self.broken = True
            return
        self._place = kind.placer(self.known)

    def of(self, raws: Sequence, indexes: list[int], scope: Scope) -> tuple[list[Any], bool]:
        """The tags at `indexes` with their words replaced, and whether all of them could be."""
        if self._place is None:
            return [raws[index] for index in indexes], True
        found: list[Any] = []
        fine = True
        told: set[str] = set()
        for index in indexes:
            raw, mark = raws[index], raws.item_marks[index]
            fine = fine and not scope.full  # what comes after so many problems, nobody reads
            placed = self._place(raw) if isinstance(raw, Mapping) and not scope.full else None
            if placed is None:
                found.append(raw)
                continue
            for said in placed.problems:
                inner = of_item(raw, "tag", index, scope)
                inner.add(_mark(raw, said.key), f"{said.key}: {said.message}", said.hint)
                fine = False
            for said in placed.doubts:
                if said.message not in told:  # an area is doubted once
                    inner = of_item(raw, "tag", index, scope)
                    inner.warn(_mark(raw, said.key), f"{said.key}: {said.message}", said.hint)
                told.add(said.message)
            found.append(_with(raw, {**placed.keys, **_echoes(raw, placed)}, raw.value_marks.get("address", mark)))
        return found, fine


NOWHERE = Places(DriverConfig, None, None)


def has_areas(config: type[DriverConfig]) -> bool:
    return KEY in config.model_fields


@cache
def _adapter(config: type[DriverConfig]) -> TypeAdapter[dict[str, Any]]:
    field = config.model_fields[KEY]
    said: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(said)


def _echoes(raw: Mapping, placed: Placed) -> dict[str, Any]:
    """What was told already, so that the class says nothing more of it."""
    if not placed.problems:
        return {}
    keys = {said.key for said in placed.problems} | ({"address"} if not placed.keys else set())
    return {key: Unresolved(str(raw.get(key))) for key in keys}


def _mark(raw: Mapping, key: str) -> Mark:
    found: Mark = raw.value_marks.get(key, raw.mark)
    return found


def _with(raw: Mapping, keys: Table[str, Any], mark: Mark) -> Mapping:
    found = merge(raw, Mapping(raw.mark))
    for key, value in keys.items():
        at = raw.value_marks[key] if key in raw and key != "address" and not raw.origin_of(key) else mark
        found.put(key, value, at, at)
    return found
