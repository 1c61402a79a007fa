"""The head of a table, key by key, as the sections of a device map."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from agent.config.problems import Mark, Scope
from agent.config.sections import MapDevice, MapHead
from agent.config.tables.cells import Column, flow, read_cell
from agent.config.tables.forms import form_of
from agent.config.tables.grid import Pair, Refused
from agent.config.tables.names import Names, squeezed
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown

SECTIONS = ("quirks", "defaults", "groups", "areas")
LISTS = ("sources", "notes")  # one row for each
KEYS = ("driver", "status", "extends", *LISTS, *(f"device.{key}" for key in MapDevice.model_fields))


def driver_of(pairs: Iterable[Pair], names: Names) -> str:
    """The driver that the head names, or nothing."""
    said = (pair.cell for pair in pairs if _key(pair.key, names)[0] == "driver")
    return next((cell.strip() for cell in said if isinstance(cell, str)), "")


def read_head(
    pairs: Iterable[Pair],
    start: Mark,
    names: Names,
    kinds: tuple[type[BaseModel], type[BaseModel]] | None,
    scope: Scope,
) -> Mapping:
    """The map without its tags. `kinds` are the classes of a device and of a tag of its driver, where it is known;
    `start` is where a head without a key stands. Vendor and model are those of the file's name unless told."""
    root = Mapping(start)
    device = Mapping(start)
    root.put("device", device, start, start)
    for pair in pairs:
        section, key = _key(pair.key, names)
        if section in SECTIONS and key:
            _put_in(root, section, key, pair, names, kinds, scope)
        elif section in (*SECTIONS, "device") and not key:
            _put_whole(root, section, pair, scope)
        elif (found := ".".join(filter(None, (section, key)))) in KEYS:
            _put(root, found, pair, names, scope)
        else:
            known = [*KEYS, *(f"{name}." for name in SECTIONS)]
            scope.warn(
                pair.key_mark, f"{shown(pair.key)} is no key of a map's head, so it is not used", _near(pair, known)
            )
    vendor, _, model = Path(start.file).stem.partition("-")
    for key, said in (("vendor", vendor), ("model", model or vendor)):
        if key not in device:
            device.put(key, said, start, start)
    return root


def _near(pair: Pair, known: list[str]) -> str:
    return did_you_mean(squeezed(pair.key), known)


def _key(text: str, names: Names) -> tuple[str, str]:
    """(section, key in it) that a key means; the second is empty for a key of the map itself."""
    plain = names.head.get(squeezed(text))
    if plain is not None:
        first, _, rest = plain.partition(".")
        return first, rest
    first, dot, rest = text.partition(".")
    section = names.head.get(squeezed(first), squeezed(first))
    return (section, rest.strip()) if dot else (section, "")


def _put(root: Mapping, key: str, pair: Pair, names: Names, scope: Scope) -> None:
    holder = root
    path = tuple(key.split("."))
    if path[0] == "device":
        holder, path = root["device"], path[1:]
    column = Column(0, pair.key, ("description",), "text", MapHead)  # text as it is written
    try:
        found = read_cell(pair.cell, column, pair.mark, names)
    except Refused as refused:
        scope.add(pair.mark, f"{key}: {refused.message}", refused.hint)
        return
    if found is None:
        return
    if key in LISTS:
        if key not in root:
            root.put(key, Sequence(pair.mark), pair.key_mark, pair.mark)
        root[key].put(found.value, pair.mark)
    else:
        _once(holder, path[0], found.value, pair, scope)


def _put_whole(root: Mapping, section: str, pair: Pair, scope: Scope) -> None:
    """A whole section in braces: `quirks: {pause: 20ms}`."""
    text = pair.cell.strip() if isinstance(pair.cell, str) else ""
    try:
        found = flow(text, pair.mark) if text.startswith("{") else None
    except Refused as refused:
        scope.add(pair.mark, f"{section}: {refused.message}", refused.hint)
        return
    if not isinstance(found, Mapping):
        scope.add(pair.mark, f"{section}: must be a mapping", f"such as {section}.KEY with a value, or {{KEY: value}}")
        return
    if section not in root:
        root.put(section, Mapping(pair.mark), pair.key_mark, pair.mark)
    for key, value in found.items():
        _once(root[section], key, value, pair, scope)


def _put_in(
    root: Mapping,
    section: str,
    key: str,
    pair: Pair,
    names: Names,
    kinds: tuple[type[BaseModel], type[BaseModel]] | None,
    scope: Scope,
) -> None:
    """A key of `quirks`, `defaults`, `groups` or `areas`: `quirks.pause`, `groups.slow`, `areas.D`."""
    if section not in root:
        root.put(section, Mapping(pair.mark), pair.key_mark, pair.mark)
    kind = None if kinds is None or section in ("groups", "areas") else kinds[section == "defaults"]
    form = form_of(kind, (key,)) if kind else None
    column = Column(0, pair.key, (key,), form or "flow", kind or MapHead)
    try:
        found = read_cell(pair.cell, column, pair.mark, names)
    except Refused as refused:
        scope.add(pair.mark, f"{section}.{key}: {refused.message}", refused.hint)
        return
    if found is not None:
        if found.taken:
            scope.warn(pair.mark, f"{section}.{key}: {shown(pair.cell)} is taken for {found.taken}", "")
        _once(root[section], key, found.value, pair, scope)


def _once(holder: Mapping, key: str, value: object, pair: Pair, scope: Scope) -> None:
    if key in holder:
        scope.add(
            pair.key_mark, f"{shown(pair.key)} is written twice", f"first in row {holder.key_marks[key].line}; keep one"
        )
    else:
        holder.put(key, value, pair.key_mark, pair.mark)
