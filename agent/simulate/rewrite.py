"""The user's own file with other endpoints: replaced in the text, where they stand, so that all else stays as it is.

Where the site has a `conf.d/`, its parts are rewritten too, all into a folder of their own; what starts at the folder
of the site file (`map:`, `file:`) is told by its whole path then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from yaml._yaml import CParser
from yaml.events import AliasEvent, ScalarEvent, StreamEndEvent

from agent.config import canonical, shared
from agent.config.problems import Mark
from agent.config.tree import Mapping as Section
from agent.config.tree import Sequence

NOTE = "# Written by `floorgate simulate`: {name} with the endpoints of a simulated plant. Written anew each time.\n"


class Extent(NamedTuple):
    """Where a scalar begins and ends in the text; `anchor` is what stands before it (`&plc `)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Swap:
    """New text for the scalar at a place."""

    mark: Mark
    text: str


def swaps(root: Section, new: Mapping[str, str], *, ca: str = "") -> Iterator[Swap]:
    """All endpoints of devices and lines that have a new one, by their canonical spelling; `ca` is the certificate that
    lines with TLS are to trust."""
    for device in _each(root, "devices"):
        given = device.get("endpoint")
        if isinstance(given, Sequence):
            for text, mark in zip(given, given.item_marks, strict=True):
                yield from _swap(text, mark, new)
        elif given is not None:
            yield from _swap(given, device.value_marks["endpoint"], new)
    wires = {shared(old): text for old, text in new.items()}
    for line in _each(root, "lines"):
        given = line.get("endpoint")
        if given is None:
            continue
        found = list(_swap(given, line.value_marks["endpoint"], {**wires, **new}))
        if found and not canonical(str(given)).partition("?")[2]:  # a line may stand for all ids at a port
            found = [Swap(each.mark, shared(each.text)) if each.text.startswith("listen:") else each for each in found]
        yield from found
        if found and ca and found[0].text.startswith("tls:") and "ca" in line:
            yield Swap(line.value_marks["ca"], ca)


def moved(root: Section, folder: Path) -> Iterator[Swap]:
    """Paths that start at the folder of the site file, as whole paths."""
    for device in _each(root, "devices"):
        name = device.get("map")
        if isinstance(name, str) and ("/" in name or name.endswith((".yaml", ".yml", ".csv", ".xlsx"))):
            yield Swap(device.value_marks["map"], str((folder / name).absolute()))
    for text, mark in _scalars(root):
        source = getattr(text, "source", "")
        if source.startswith("file:"):
            yield Swap(mark, f"file:{(folder / source.removeprefix('file:')).absolute()}")


def _each(root: Section, key: str) -> Iterator[Section]:
    listed = root.get(key)
    for item in listed if isinstance(listed, Sequence) else ():
        if isinstance(item, Section):
            yield item


def _swap(given: object, mark: Mark, new: Mapping[str, str]) -> Iterator[Swap]:
    text = new.get(canonical(str(given)))
    if text is not None:
        yield Swap(mark, text)


def _scalars(node: Any) -> Iterator[tuple[Any, Mark]]:
    pairs: Iterator[tuple[Any, Mark]]
    if isinstance(node, Section):
        pairs = ((value, node.value_marks[key]) for key, value in node.items())
    elif isinstance(node, Sequence):
        pairs = zip(node, node.item_marks, strict=True)
    else:
        return
    for value, mark in pairs:
        if isinstance(value, Section | Sequence):
            yield from _scalars(value)
        else:
            yield value, mark


def rewritten(data: bytes, found: Mapping[tuple[int, int], str]) -> str:
    """The text of a file with other scalars at these places (line and column from 1)."""
    text = data.decode("utf-8-sig")
    extents = _extents(text)
    wanted = {extents[place]: new for place, new in found.items()}
    for extent in sorted(wanted, reverse=True):
        before = text[extent.start : extent.end]
        anchor = f"{before.split(maxsplit=1)[0]} " if before.startswith("&") else ""
        text = text[: extent.start] + anchor + _quoted(wanted[extent]) + text[extent.end :]
    return text


def _extents(text: str) -> dict[tuple[int, int], Extent]:
    """Every scalar and alias by its line and column."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: dict[tuple[int, int], Extent] = {}
    parser = CParser(text)
    while not isinstance(event := parser.get_event(), StreamEndEvent):
        if isinstance(event, ScalarEvent | AliasEvent):
            first, last = event.start_mark, event.end_mark
            assert first is not None and last is not None  # noqa: PT018  # of text there always are
            start, end = starts[first.line] + first.column, starts[last.line] + last.column
            end -= len(text[start:end]) - len(text[start:end].rstrip())  # a block ends with the line after it
            found[first.line + 1, first.column + 1] = Extent(start, end)
    return found


def _quoted(text: str) -> str:
    """Single quotes know no escapes but their own; `$$` keeps a reference from being one."""
    return "'" + text.replace("'", "''").replace("${", "$${") + "'"
