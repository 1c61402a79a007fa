"""The value that a cell stands for, by what its column can hold. `spelt.py` is the way back."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from unicodedata import normalize

from pydantic import BaseModel

from agent.config.problems import Invalid, Mark, Problem, Report
from agent.config.reader import read
from agent.config.scalars import scalar
from agent.config.tables.forms import PROSE, Form, is_numeric, literals
from agent.config.tables.grid import Cell, Odd, Refused
from agent.config.tables.names import Names, squeezed
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown
from agent.model.unit_hints import spelt
from agent.model.units import is_unit

ABSENT: Final = object()  # the cell says nothing
DANGEROUS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # a spreadsheet may take what begins with one of these for a formula
ESCAPED = re.compile(f"'+[{re.escape(DANGEROUS)}]")
EXACT = 1 << 53  # whole numbers that a cell of numbers keeps
UNITS = frozenset({("unit",), ("as",)})
ORDERED = re.compile(r"(.+?)(abcd|cdab|badc|dcba|ab|ba)")

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_COMMA = re.compile(r"[-+]?\d+(,\d+)+(\.\d+)?|[-+]?\d+(\.\d{3})*,\d+")
_HEX = re.compile(r"([0-9a-f]{1,4})h", re.IGNORECASE)
_BARE_HEX = re.compile(r"(?:0x)?([0-9a-f]{1,4})h?", re.IGNORECASE)
_HEXADECIMAL = frozenset({"hex", "h", "十六进制", "16进制", "hexadecimal", "0x"})
_BYTES = frozenset({"字节", "bytes", "byte", "b", "字节数"})
_PAIR = re.compile(r"\s*([^:=]+?)\s*[:=]\s*(.+?)\s*", re.DOTALL)  # full-width ones are plain by then
_BETWEEN = re.compile(r"[;,、\n]+")
_FLOW = ("{", "[", '"')
FORMULA = "paste its value instead of the formula; text that begins so is written with ' before it"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is used: `at` is its place from 0, `path` the keys that it leads to, `qualifier` what stands in
    parentheses behind its title."""

    at: int
    title: str
    path: tuple[str, ...]
    form: Form
    kind: type[BaseModel]
    qualifier: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """`value`, and `order` where a type says it as well; `taken` is a word of ours for another one that is not sure."""

    value: Any
    taken: str = ""
    order: str = ""


def read_cell(cell: Cell, column: Column, mark: Mark, names: Names) -> Read | None:
    """What the cell stands for, all of it placed at `mark`, or None when it is empty. Raises Refused."""
    if isinstance(cell, Odd):
        raise Refused(cell.message, cell.hint)
    if column.form == "text":
        found = _text(cell, column.path, names)
        return None if found is ABSENT else _unit(str(found)) if column.path in UNITS else Read(found)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT:
        cell = int(cell)
    raw = str(cell).lower() if isinstance(cell, bool) else "" if cell is None else str(cell).strip()
    if not raw or normalize("NFKC", raw).casefold() in names.empty:
        return None
    if raw.startswith(_FLOW):
        return Read(flow(raw, mark))
    return _plain(cell, normalize("NFKC", raw), column, mark, names)


def _plain(cell: Cell, raw: str, column: Column, mark: Mark, names: Names) -> Read:
    """What is not written as YAML: yes or no, a word, a number, or several of them. `raw` is the cell as text."""
    if column.form == "truth":
        return Read(_truth(raw, names))
    if column.form in ("pairs", "list") and (several := _several(raw, column.form, mark)) is not None:
        return Read(several)
    if known := _word(raw, column, names):
        return known
    return Read(cell if not isinstance(cell, str) and not column.qualifier else _number(raw, column))


def _text(cell: Cell, path: tuple[str, ...], names: Names) -> Any:
    if isinstance(cell, bool):
        raise Refused("the table has true or false here, and this is text", "format the cell as text, and type it anew")
    if isinstance(cell, int | float):
        whole = isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT
        return str(int(cell)) if whole else str(cell)
    text, is_prose = str(cell or "").strip(), path in PROSE
    if not text or (not is_prose and normalize("NFKC", text).casefold() in names.empty):
        return ABSENT
    if ESCAPED.match(text):
        return text[1:]
    if len(text) > 1 and text[0] == text[-1] == '"' and (quoted := unquoted(text)) is not None:
        return quoted
    if not is_prose:
        _is_no_formula(text)
    return text


def unquoted(text: str) -> str | None:
    """The text that stands in quotes, with the escapes of YAML; None when it is none."""
    found, problem = _composed(text)
    return found if problem is None and isinstance(found, str) else None


def _unit(text: str) -> Read:
    code = _code(text)
    return Read(code, taken=code if code != text else "")


@lru_cache(maxsize=1024)
def _code(text: str) -> str:
    """The UCUM code of a unit, or the text itself where nobody knows it."""
    return text if not text or is_unit(text) else spelt(text) or text


def _is_no_formula(text: str) -> None:
    if text[0] in DANGEROUS and not _NUMBER.fullmatch(text):
        raise Refused(f"{shown(text)} looks like a formula", FORMULA)


def _truth(raw: str, names: Names) -> bool:
    found = names.truths.get(squeezed(raw))
    if found is None:
        _is_no_formula(raw)
        raise Refused(f"{shown(raw)} is neither yes nor no", "write true or false, 是 or 否")
    return found


def _word(raw: str, column: Column, names: Names) -> Read | None:
    """A word of ours, as it is or as others say it; None where the cell is none."""
    allowed = literals(column.kind, column.path)
    if not allowed:
        return None
    if raw in allowed:
        return Read(raw)
    plain = squeezed(raw)
    ours = next((word for word in allowed if isinstance(word, str) and squeezed(word) == plain), None)
    if ours is not None:
        return Read(ours)
    key = column.path[-1]
    found = next((word for word in names.words.get(key, {}).get(plain, ()) if word in allowed), None)
    if found is not None:
        return Read(found, taken=found if plain in names.assumed.get(key, ()) else "")
    if key == "type" and (ordered := ORDERED.fullmatch(plain.strip("()"))):
        inner = _word(ordered[1].strip("("), column, names)
        return inner and Read(inner.value, inner.taken, ordered[2].upper())
    return None


def _number(raw: str, column: Column) -> Any:
    """What is no word: a number, or text that the driver judges."""
    if _COMMA.fullmatch(raw) and is_numeric(column.kind, column.path):
        raise Refused(f"{shown(raw)} has a comma", "write 1.5 with a point, and nothing between thousands")
    if column.path == ("address",):
        pattern = _BARE_HEX if column.qualifier in _HEXADECIMAL else _HEX
        if found := pattern.fullmatch(raw):
            return int(found[1], 16)
    _is_no_formula(raw)
    value = scalar(raw)
    if column.path == ("length",) and column.qualifier in _BYTES and isinstance(value, int):
        return -(-value // 2)
    allowed = literals(column.kind, column.path)
    if isinstance(value, str) and allowed and not is_numeric(column.kind, column.path):
        words = [word for word in allowed if isinstance(word, str)]
        raise Refused(f"{shown(raw)} is not known here", did_you_mean(raw, words))
    return value


def _several(raw: str, form: Form, mark: Mark) -> Any:
    """`0:off;1:on` and `32767; 65535`, as people write them; None for what is one value."""
    parts = [part for part in _BETWEEN.split(raw) if part.strip()]
    if form == "list":
        if len(parts) < 2:
            return None
        items = Sequence(mark)
        for part in parts:
            items.put(scalar(part.strip()), mark)
        return items
    pairs = [_PAIR.fullmatch(part) for part in parts]
    if not all(pairs):
        raise Refused(f"{shown(raw)} names no numbers", "write 0: stopped; 1: running")
    found = Mapping(mark)
    for pair in filter(None, pairs):
        if pair[1] in found:
            raise Refused(f"{pair[1]} has two names: {found[pair[1]]!r} and {pair[2]!r}", "keep one")
        found.put(pair[1], pair[2], mark, mark)
    return found


def flow(text: str, mark: Mark) -> Any:
    """What a cell with YAML in braces, brackets or quotes stands for. Raises Refused."""
    found, problem = _composed(text)
    if problem is not None:
        raise Refused(f"{shown(text)}: {problem.message}", problem.hint)
    return placed(found, mark)


@lru_cache(maxsize=256)
def _composed(text: str) -> tuple[Any, Problem | None]:
    """Rows say the same again and again."""
    report = Report()
    found = read(text.encode("utf-8", "replace"), "", report)
    try:
        report.settle()
    except Invalid as error:
        return None, error.problems[0]
    return found, None


def placed(node: Any, mark: Mark) -> Any:
    """The same, with everything in it at one place."""
    if isinstance(node, Mapping):
        found = Mapping(mark)
        for key, value in node.items():
            found.put(key, placed(value, mark), mark, mark)
        return found
    if isinstance(node, Sequence):
        items = Sequence(mark)
        for value in node:
            items.put(placed(value, mark), mark)
        return items
    return node
