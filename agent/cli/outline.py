"""What was browsed, for people and files: an outline of the tree, rows of data, and a device map."""

from collections.abc import Iterator, Sequence
from typing import Any

from agent.cli.query import Query
from agent.model.text import escaped, plain
from agent.model.units import is_unit
from drivers.browsing import Place
from drivers.opcua.naming import check, formed, path, tag_names, unique

_ESCAPES = {'"': '\\"', "\\": "\\\\"}
CAN_BE_WRITTEN = "  # the server lets it be written"


def quoted(text: str) -> str:
    """Text for a YAML file, in quotation marks."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else escaped(c)) for c in text) + '"'


def tree(found: Sequence[Place], query: Query, values: dict[int, str]) -> Iterator[str]:
    """A line per place that fits and per place on the way to one, indented, children below their parent."""
    fits = [query.fits(at) for at in range(len(found))]
    shown = list(fits)
    for at in range(len(found) - 1, 0, -1):
        if shown[at]:
            shown[found[at].parent] = True
    children: dict[int, list[int]] = {}
    for at, place in enumerate(found):
        if shown[at]:
            children.setdefault(place.parent, []).append(at)
    waiting = [(at, 0) for at in reversed(children.get(-1, []))]
    while waiting:
        at, depth = waiting.pop()
        yield _line(found[at], depth, values.get(at), whole=fits[at])
        waiting += [(child, depth + 1) for child in reversed(children.get(at, []))]


def _line(place: Place, depth: int, value: str | None, *, whole: bool) -> str:
    name = "  " * depth + plain(place.name)
    if not whole:
        return name
    kind = place.source or place.type or place.kind
    holds = f"{kind}{'[]' if place.array else ''}" if place.kind != "method" else "method"
    words = [name, plain(place.address), plain(holds), "writable" * place.writable, plain(place.unit)]
    if value is not None:
        words.append(f"= {plain(value)}")
    return "  ".join(word for word in words if word)


def rows(found: Sequence[Place], query: Query, values: dict[int, str]) -> Iterator[dict[str, Any]]:
    """A row of data per place that fits."""
    for at, place in enumerate(found):
        if query.fits(at):
            row: dict[str, Any] = {"path": list(path(found, at)), "browse_path": browse_path(found, at)}
            row |= {"node": place.address, "kind": place.kind, "type": place.type, "data_type": place.source}
            row |= {"array": place.array, "writable": place.writable, "unit": place.unit}
            yield row | ({"value": values[at]} if at in values else {})


def browse_path(found: Sequence[Place], at: int) -> str:
    """The way to a place from where browsing began, which holds on every server with the same nodes."""
    ways = []
    while at >= 0:
        ways.append(found[at].way)
        at = found[at].parent
    return "".join(f"/{way}" for way in reversed(ways))


def device_map(found: Sequence[Place], query: Query, *, model: str, source: str, naming: str) -> Iterator[str]:
    """The lines of a device map with a tag for each place that fits and can be one. Raises ValueError for `naming`."""
    places = [at for at in range(len(found)) if query.is_tag(at)]
    names = _named(found, query, places, naming)
    yield f"device: {{vendor: unknown, model: {quoted(model)}}}"
    yield "driver: opcua"
    yield f"sources: [{quoted(source)}]"
    yield "tags:"
    for at, name in zip(places, names, strict=True):
        place = found[at]
        unit = f", unit: {quoted(place.unit)}" if place.unit and is_unit(place.unit) else ""
        note = CAN_BE_WRITTEN if place.writable else ""
        note += f"   # the server says {quoted(place.unit)}: which unit is that?" if place.unit and not unit else ""
        yield f"  - {{name: {quoted(name)}, node: {quoted(place.address)}, type: {place.type}{unit}}}{note}"


def _named(found: Sequence[Place], query: Query, places: Sequence[int], naming: str) -> list[str]:
    if not naming:
        return tag_names([path(found, at) for at in places])
    names = []
    for at in places:
        texts = query.captures(at)
        check(naming, len(texts))
        names.append(formed(naming, texts, path(found, at)))
    return unique(names)
