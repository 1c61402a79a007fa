"""YAML text into plain values with their places: one document, no tags, no merge keys, no duplicate keys, bounded.

libyaml's event stream is composed here rather than by PyYAML's constructor, whose YAML 1.1 scalars, silent duplicate
keys and unbounded aliases are what this module exists to keep out.
"""

import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from agent.config.encoding import not_text, not_utf8
from agent.config.problems import Mark, Report
from agent.config.scalars import scalar
from agent.config.tree import Mapping, Sequence, packed
from agent.config.yaml_errors import plain_words

MAX_DEPTH = 32
MAX_WEIGHT = 400_000  # values of a file, where one that holds others counts as several
COLLECTION = 5  # as many
MAX_KEYS = 5000  # of one mapping
SHORT = 32  # characters of a key that is kept once
MAX_COPIED = 100_000  # values that aliases may add; those that are written out are bounded by the size of the file

_LONE = ("file:", "credential:")

Expand = Callable[[str, Mark], str]


@dataclass(slots=True)
class Room:
    """What files that are read together have used of what they may hold together."""

    most: int = MAX_WEIGHT
    weight: int = 0
    copied: int = 0  # values that aliases stand for


class _Stop(Exception):
    """The rest of the text cannot be read."""


def read(
    data: bytes,
    file: str,
    report: Report,
    expand: Expand | None = None,
    *,
    optional: bool = False,
    room: Room | None = None,
) -> Any:
    """The root value of the one document in `data`: Mapping, Sequence or a scalar.

    Problems go to `report`; None when the text cannot be read to its end. `expand(text, mark)` is asked for the value
    of every text scalar that holds `${` or starts with `file:` or `credential:`. A file that is `optional` may be
    empty: then it is an empty mapping. Files of one `room` share it.
    """
    if other := not_text(data):
        report.add(Mark(file, 1, 1), *other)
        return None
    try:
        text = data.decode("utf-8-sig")
        return _Composer(text, file, report, expand, room or Room()).document(optional=optional)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        report.add(_mark_at(before, file), *not_utf8(data, error.start))
    except ReaderError as error:
        report.add(_mark_at(text[: error.position], file), "a control character does not belong in YAML", "remove it")
    except MarkedYAMLError as error:
        mark, message, hint = plain_words(error, text)
        report.add(Mark(file, *mark), message, hint)
    except YAMLError as error:
        report.add(Mark(file, 1, 1), f"this is not YAML: {error}")
    except _Stop:
        pass
    return None


def keys_of(data: bytes, until: Collection[str]) -> set[str]:
    """The keys of the mapping that is the root of `data`, up to the first that is one of `until`, or to what cannot be
    read. Nothing else is kept of it."""
    found: set[str] = set()
    depth, is_key = 0, True
    if not_text(data):
        return found
    with suppress(YAMLError, UnicodeDecodeError):
        following: Callable[[], Any] = CParser(data.decode("utf-8-sig")).get_event
        while (kind := type(event := following())) is not StreamEndEvent:
            if depth == 0 and kind is SequenceStartEvent:
                break
            if depth == 1 and kind is ScalarEvent and is_key:
                found.add(event.value)
                if event.value in until:
                    break
            if kind in (MappingStartEvent, SequenceStartEvent):
                depth += 1
                is_key = depth == 1
            elif kind in (MappingEndEvent, SequenceEndEvent):
                depth -= 1
                is_key = True
            elif depth == 1:
                is_key = not is_key
    return found


def _mark_at(before: str, file: str) -> Mark:
    return Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Composer:
    """One document out of libyaml's events. Plain scalars, of which there are most, are taken where they are met."""

    def __init__(self, text: str, file: str, report: Report, expand: Expand | None, room: Room) -> None:
        self._next: Callable[[], Any] = CParser(text).get_event
        self._start = Mark(file, 1, 1)
        self._report = report
        self._expand = expand
        self._known: dict[str, Any] = {}  # the values of scalars, so that equal ones are one
        self._nodes = 0  # written so far, copies included
        self._room = room
        self._weight = room.weight  # what they need, in that of a scalar
        self._anchors: dict[str, tuple[Any, int, int]] = {}  # value, nodes below, levels below

    def document(self, *, optional: bool) -> Any:
        self._next()
        root = None if isinstance(self._next(), StreamEndEvent) else self._node(self._next(), 0)[0]
        self._room.weight = self._weight
        if root is None:
            return Mapping(self._start) if optional else self._stop(self._start, "the file is empty")
        self._next()
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            self._stop(self._mark(after), "a second document starts here", "keep one document per file")
        return root

    def _node(self, event: Any, depth: int) -> tuple[Any, int]:
        """The value that starts with `event`, and how many levels it has."""
        kind = type(event)
        self._nodes += 1
        if kind is AliasEvent:
            return self._alias(event, depth)
        if event.tag is not None:
            self._stop(self._mark(event), f"the tag {event.tag[:40]!r} is not supported", "write the plain value")
        before = self._nodes
        if kind is ScalarEvent:
            value, levels = self._scalar(event), 0
        else:
            if depth >= MAX_DEPTH:
                self._stop(self._mark(event), f"nested deeper than {MAX_DEPTH} levels")
            self._weigh(event, COLLECTION)
            value, levels = (self._mapping if kind is MappingStartEvent else self._sequence)(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._nodes - before + 1, levels
        return value, levels

    def _alias(self, event: Any, depth: int) -> tuple[Any, int]:
        if event.anchor not in self._anchors:
            self._stop(
                self._mark(event),
                f"nothing complete is named &{event.anchor[:40]} above",
                "define it before it is used",
            )
        value, nodes, levels = self._anchors[event.anchor]
        self._nodes += nodes
        self._room.copied += nodes
        if self._room.copied > MAX_COPIED:
            self._stop(self._mark(event), f"aliases (*) stand for more than {MAX_COPIED:,} values", "use a device map")
        if depth + levels > MAX_DEPTH:
            self._stop(self._mark(event), f"nested deeper than {MAX_DEPTH} levels")
        return value, levels

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.implicit[0]:
            value = self._known.get(text, self)
            if value is self:
                value = self._known[text] = scalar(text)
        else:
            value = text
        if self._expand and isinstance(value, str) and ("${" in value or value.startswith(_LONE)):
            return self._expand(value, self._mark(event))
        return value

    def _sequence(self, start: Any, depth: int) -> tuple[Sequence, int]:
        following, scalar_of, found, levels = self._next, self._scalar, Sequence(self._start), 0
        found.start, places = self._place(start), found.places
        while (kind := type(event := following())) is not SequenceEndEvent:
            mark = event.start_mark
            places.append((mark.line + 1) << 24 | mark.column + 1)
            if kind is ScalarEvent and event.tag is None and event.anchor is None:
                self._nodes += 1
                self._weight += 1
                found.append(scalar_of(event))
            else:
                value, below = self._node(event, depth + 1)
                levels = max(levels, below)
                found.append(value)
        self._weigh(start, 0)
        return found, levels + 1

    def _mapping(self, start: Any, depth: int) -> tuple[Mapping, int]:
        following, scalar_of, found, levels = self._next, self._scalar, Mapping(self._start), 0
        found.start, places = self._place(start), found.places
        while type(event := following()) is not MappingEndEvent:
            key = self._key(event)
            at, event = event, following()
            if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
                self._nodes += 2
                self._weight += 1
                value = scalar_of(event)
            else:
                self._nodes += 1
                value, below = self._node(event, depth + 1)
                levels = max(levels, below)
            if len(found) > MAX_KEYS:
                self._stop(self._mark(at), f"a mapping has more than {MAX_KEYS:,} keys", "is this a list?")
            if key in found:
                if self._report.full:
                    raise _Stop
                line = found.key_marks[key].line
                self._report.add(
                    self._mark(at), f"the key {key[:60]!r} is written twice", f"first on line {line}; keep one"
                )
                continue
            found[key] = value
            mark = at.start_mark
            places.append((mark.line + 1) << 24 | mark.column + 1)
            mark = event.start_mark
            places.append((mark.line + 1) << 24 | mark.column + 1)
        self._weigh(start, 0)
        return found, levels + 1

    def _key(self, event: Any) -> str:
        if type(event) is not ScalarEvent:
            self._stop(self._mark(event), "a key must be a plain word")
        if event.tag is not None:
            self._stop(self._mark(event), f"the tag {event.tag[:40]!r} is not supported", "write the plain key")
        if event.value == "<<" and event.implicit[0]:
            self._stop(
                self._mark(event), "merge keys (<<) are not supported", "write the keys out, or use a device map"
            )
        key = str(event.value)
        return sys.intern(key) if len(key) <= SHORT else key

    def _weigh(self, event: Any, more: int) -> None:
        """A file of brackets is small, and what it says is not."""
        self._weight += more
        if self._weight > self._room.most:
            what = "there is too much in this file"
            if self._room.weight:
                what = "there is too much in this file and those before it"
            self._stop(self._mark(event), what, "let devices share a map, or split the site")

    def _place(self, event: Any) -> int:
        mark = event.start_mark
        return packed(mark.line + 1, mark.column + 1)

    def _mark(self, event: Any) -> Mark:
        mark = event.start_mark
        return self._start._replace(line=mark.line + 1, column=mark.column + 1)

    def _stop(self, mark: Mark, message: str, hint: str = "") -> NoReturn:
        self._report.add(mark, message, hint)
        raise _Stop
