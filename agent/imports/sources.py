"""The files of other products, read: bounded, in any usual encoding, with line and column where they are broken."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config.files import Unreadable, read_bytes
from agent.config.problems import Report
from agent.config.reader import read as read_yaml
from agent.imports import jsons, tables
from agent.imports.node import DEEPEST, Node
from agent.imports.notes import Notes
from agent.model.errors import AgentError

MAX_FILE = 5 << 20
MOST_FILES = 100
_TOML_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_SECTION = re.compile(r"^\s*\[\[?[A-Za-z][\w.]*\]", re.MULTILINE)
_HIGH = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")


@dataclass(frozen=True, slots=True)
class Source:
    """`data` is the root of a JSON, TOML or YAML file; `rows` are those of a table, from its first line on."""

    name: str
    kind: str  # json, toml, yaml, csv, xlsx
    data: Any = None
    rows: tuple[tables.Row, ...] = ()

    @property
    def root(self) -> Mapping[str, Any]:
        return self.data if isinstance(self.data, Mapping) else {}

    def node(self, notes: Notes) -> Node:
        return Node(self.root, self.name, "", notes)

    def nodes(self, notes: Notes) -> list[Node]:
        """The roots, where a file may be a list of them."""
        if not isinstance(self.data, list):
            return [self.node(notes)]
        for index, each in enumerate(self.data):
            if not isinstance(each, Mapping):
                notes.add("not carried", f"{self.name}:[{index}]", "an item that is no mapping")
        pairs = [(index, each) for index, each in enumerate(self.data) if isinstance(each, Mapping)]
        return [Node(each, self.name, f"[{index}]", notes) for index, each in pairs]


def take(path: Path, notes: Notes) -> Source:
    """Raises AgentError: it is not there, too large, or broken."""
    try:
        data = read_bytes(path, MAX_FILE)
    except Unreadable as error:
        hint = "import it in parts" if "larger" in str(error.args[0]) else error.hint
        raise AgentError(f"{path}: {error.args[0]}", hint=hint) from error
    name, suffix = path.name, path.suffix.lower()
    if data[:4] == b"PK\x03\x04":
        return Source(name, "xlsx", rows=tables.sheets(data, name, notes))
    text = decode(data, name, notes)
    if not text.strip():
        raise AgentError(f"{name}: the file is empty")
    if suffix == ".csv" or (suffix not in (".json", ".toml", ".conf", ".yaml", ".yml") and tables.looks_so(text)):
        return Source(name, "csv", rows=tables.lines(text, name))
    kind = {".json": "json", ".toml": "toml", ".conf": "toml", ".yaml": "yaml", ".yml": "yaml"}.get(suffix, "")
    kind = kind or ("toml" if _SECTION.search(text) else "json" if text.lstrip()[:1] in "{[/" else "yaml")
    found = _READ[kind](text, name, notes)
    _is_shallow(found, name)
    return Source(name, kind, found)


def decode(data: bytes, name: str, notes: Notes) -> str:
    """UTF-8 and UTF-16 with their marks; else what Chinese and western Windows write, which is told."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        guesses = ["utf-16"]
    else:
        guesses = ["utf-8-sig", *(["cp1252", "gb18030"] if _HIGH.search(data) else ["gb18030", "cp1252"])]
    for guess in guesses:
        try:
            text = data.decode(guess)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        if guess not in ("utf-8-sig", "utf-16"):
            said = "GBK" if guess == "gb18030" else "Windows-1252"
            notes.add("assumed", name, f"the file is no UTF-8, and read as {said}", "look at names that are not ASCII")
        return text
    raise AgentError(f"{name}: this is no text", hint="is it the file that was exported? save text as UTF-8")


def _json(text: str, name: str, notes: Notes) -> Any:
    return jsons.read(text, name, notes)


def _toml(text: str, name: str, _notes: Notes) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_AT.search(str(error))
        last = text.count("\n") + 1, 1
        line, column = (int(found[1]), int(found[2])) if found and found[1] else last
        what = str(error)[: found.start()] if found else str(error)
        hint = "a value such as ${NAME} needs quotes here" if "${" in text else "correct the line, or export it anew"
        raise AgentError(f"{name}:{line}:{column}: this is not TOML: {what}", hint=hint) from None
    except (RecursionError, ValueError, OverflowError):  # nested without end, a number without end
        raise AgentError(f"{name}: this is no TOML that can be read: nested too deep, or a number too long") from None


def _yaml(text: str, name: str, _notes: Notes) -> Any:
    report = Report()
    found = read_yaml(text.encode("utf-8", "replace"), name, report)
    tables.refuse(report)
    return found


_READ = {"json": _json, "toml": _toml, "yaml": _yaml}


def _is_shallow(root: Any, name: str) -> None:
    level = [root]
    for _ in range(DEEPEST):
        level = [each for found in level for each in _below(found)]
        if not level:
            return
    raise AgentError(f"{name}: nested deeper than {DEEPEST} levels", hint="is it the file that was exported?")


def _below(found: Any) -> list[Any]:
    inner = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ()
    return [each for each in inner if isinstance(each, Mapping | list)]
