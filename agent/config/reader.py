"""YAML text into plain values with their places: one document, no tags, no merge keys, no duplicate keys, bounded.

libyaml's event stream is composed here rather than by PyYAML's constructor, whose YAML 1.1 scalars, silent duplicate
keys and unbounded aliases are what this module exists to keep out.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from agent.config.problems import Mark, Report
from agent.config.scalars import scalar
from agent.config.tree import Mapping, Sequence
from agent.config.yaml_errors import plain_words

MAX_DEPTH = 32
MAX_COPIED = 100_000  # values that aliases may add; those that are written out are bounded by the size of the file

_LONE = ("file:", "credential:")

Expand = Callable[[str, Mark], str]


class _Stop(Exception):
    """The rest of the text cannot be read."""


def read(data: bytes, file: str, report: Report, expand: Expand | None = None, *, optional: bool = False) -> Any:
    """The root value of the one document in `data`: Mapping, Sequence or a scalar.

    Problems go to `report`; None when the text cannot be read to its end. `expand(text, mark)` is asked for the value
    of every text scalar that holds `${` or starts with `file:` or `credential:`. A file that is `optional` may be
    empty: then it is an empty mapping.
    """
    try:
        text = data.decode("utf-8-sig")
        return _Composer(text, file, report, expand).document(optional=optional)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        report.add(_mark_at(before, file), "this is not UTF-8 text", "save the file as UTF-8")
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


def _mark_at(before: str, file: str) -> Mark:
    return Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Composer:
    def __init__(self, text: str, file: str, report: Report, expand: Expand | None) -> None:
        self._next = CParser(text).get_event
        self._file = file
        self._report = report
        self._expand = expand
        self._nodes = 0  # written so far, copies included
        self._copied = 0
        self._anchors: dict[str, tuple[Any, int, int]] = {}  # value, nodes below, levels below

    def document(self, *, optional: bool) -> Any:
        start = Mark(self._file, 1, 1)
        self._next()
        is_empty = isinstance(self._next(), StreamEndEvent)
        root = None if is_empty else self._node(self._next(), 0)[0]
        if root is None:
            return Mapping(start) if optional and is_empty else self._stop(start, "the file is empty")
        self._next()
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            self._stop(self._mark(after), "a second document starts here", "keep one document per file")
        return root

    def _node(self, event: Any, depth: int) -> tuple[Any, int]:
        """The value that starts with `event`, and how many levels it has."""
        self._nodes += 1
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        before = self._nodes
        value, levels = self._content(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._nodes - before + 1, levels
        return value, levels

    def _content(self, event: Any, depth: int) -> tuple[Any, int]:
        if event.tag is not None:
            self._stop(self._mark(event), f"the tag {event.tag[:40]!r} is not supported", "write the plain value")
        if isinstance(event, ScalarEvent):
            return self._scalar(event), 0
        if depth >= MAX_DEPTH:
            self._stop(self._mark(event), f"nested deeper than {MAX_DEPTH} levels")
        return self._mapping(event, depth) if isinstance(event, MappingStartEvent) else self._sequence(event, depth)

    def _alias(self, event: Any, depth: int) -> tuple[Any, int]:
        if event.anchor not in self._anchors:
            self._stop(
                self._mark(event),
                f"nothing complete is named &{event.anchor[:40]} above",
                "define it before it is used",
            )
        value, nodes, levels = self._anchors[event.anchor]
        self._nodes += nodes
        self._copied += nodes
        if self._copied > MAX_COPIED:
            self._stop(self._mark(event), f"aliases (*) stand for more than {MAX_COPIED:,} values", "use a device map")
        if depth + levels > MAX_DEPTH:
            self._stop(self._mark(event), f"nested deeper than {MAX_DEPTH} levels")
        return value, levels

    def _scalar(self, event: ScalarEvent) -> Any:
        text = str(event.value)
        value = scalar(text) if event.implicit[0] else text
        if self._expand and isinstance(value, str) and ("${" in value or value.startswith(_LONE)):
            return self._expand(value, self._mark(event))
        return value

    def _sequence(self, start: SequenceStartEvent, depth: int) -> tuple[Sequence, int]:
        found = Sequence(self._mark(start))
        levels = 0
        while not isinstance(event := self._next(), CollectionEndEvent):
            value, below = self._node(event, depth + 1)
            found.put(value, self._mark(event))
            levels = max(levels, below)
        return found, levels + 1

    def _mapping(self, start: MappingStartEvent, depth: int) -> tuple[Mapping, int]:
        found = Mapping(self._mark(start))
        levels = 0
        while not isinstance(event := self._next(), CollectionEndEvent):
            key, mark = self._key(event), self._mark(event)
            event = self._next()
            value, below = self._node(event, depth + 1)
            levels = max(levels, below)
            if key in found:
                line = found.key_marks[key].line
                self._report.add(mark, f"the key {key[:60]!r} is written twice", f"first on line {line}; keep one")
            else:
                found.put(key, value, mark, self._mark(event))
        return found, levels + 1

    def _key(self, event: Any) -> str:
        self._nodes += 1
        if not isinstance(event, ScalarEvent):
            self._stop(self._mark(event), "a key must be a plain word")
        if event.tag is not None:
            self._stop(self._mark(event), f"the tag {event.tag[:40]!r} is not supported", "write the plain key")
        if event.value == "<<" and event.implicit[0]:
            self._stop(
                self._mark(event), "merge keys (<<) are not supported", "write the keys out, or use a device map"
            )
        return str(event.value)

    def _mark(self, event: Any) -> Mark:
        mark = event.start_mark
        return Mark(self._file, mark.line + 1, mark.column + 1)

    def _stop(self, mark: Mark, message: str, hint: str = "") -> NoReturn:
        self._report.add(mark, message, hint)
        raise _Stop
