"""The secrets of a file as YAML or CSV reads them: through anchors, escapes, lists and lines that are folded.

`redact` goes by lines, whatever the file is; this goes by what the file means, as far as it can be read.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, MappingStartEvent, ScalarEvent

from agent.cli.support.scrub import NAMES

MOST = 20_000  # values that aliases may stand for
DEEPEST = 100
_KEY = re.compile(rf"(?i)(?:{NAMES})(?![a-rt-z])|^headers$")
_NOTHING = re.compile(r"(?i)(?:file|credential):\S.*|.*\$\{.*|true|false|yes|no|on|off|null|~|")


@dataclass(slots=True)
class _Open:
    """A map or list that is being read. `key` is None where the next value is one."""

    is_map: bool
    secret: bool
    anchor: str | None
    key: str | None = None


def of_yaml(text: str) -> Iterator[str]:
    """What stands below a key that names a secret, up to where the text is no YAML; no references."""
    with suppress(YAMLError, UnicodeError):
        reader = _Reader()
        parser = CParser(text)
        while parser.check_event():
            for value in reader.take(parser.get_event()):
                if not _NOTHING.fullmatch(value):
                    yield value


class _Reader:
    """Events one after the other."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._anchors: dict[str, list[str]] = {}
        self._kept = 0

    def take(self, event: Any) -> list[str]:
        """The secrets of an event."""
        if isinstance(event, CollectionEndEvent):
            self._open.pop()
            return []
        if not isinstance(event, (ScalarEvent, AliasEvent, CollectionStartEvent)):
            return []
        top = self._open[-1] if self._open else _Open(is_map=False, secret=False, anchor=None)
        is_key = top.is_map and top.key is None
        secret = top.secret or bool(top.is_map and top.key and _KEY.search(top.key))
        if top.is_map:
            top.key = None if not is_key else event.value[:200] if isinstance(event, ScalarEvent) else ""
        if isinstance(event, CollectionStartEvent):
            if len(self._open) == DEEPEST:
                raise YAMLError
            self._open.append(_Open(isinstance(event, MappingStartEvent), secret, event.anchor))
            if event.anchor:
                self._anchors[event.anchor] = []
            return []
        return self._values(event, secret=secret) if not is_key else []

    def _values(self, event: Any, *, secret: bool) -> list[str]:
        if isinstance(event, AliasEvent):
            values = self._anchors.get(event.anchor or "", [])[:MOST]
        else:
            values = [event.value]
            if event.anchor:
                self._anchors[event.anchor] = values
        for each in self._open:
            if each.anchor and self._kept < MOST:
                self._kept += len(values)
                self._anchors[each.anchor] += values
        return values if secret else []


def of_csv(text: str) -> Iterator[str]:
    """What stands in columns whose title names a secret."""
    lines = text.splitlines()
    for delimiter in ",;\t":
        columns: set[int] = set()
        with suppress(csv.Error):
            for row in csv.reader(lines, delimiter=delimiter):
                yield from (row[at].strip() for at in columns if at < len(row))
                columns |= {at for at, title in enumerate(row) if len(row) > 1 and _KEY.search(title[:200])}
