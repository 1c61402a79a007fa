"""What the source says to people, as templates: what every catalogue must have.

A message is any text with two words or more that the source makes, unless it is written for machines: a docstring, SQL,
a line of the journal, a pattern. What click shows of a command (its docstring) is one, and so is the head of a column.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import count

from agent.lang.catalogue import BETWEEN, BETWEENS, COLUMN
from tests.house import parsed, sources
from tests.lang import foreign
from tests.lang.pieces import Local, Text, is_text, texts

Key = tuple[str, str]  # context and text, as in a catalogue
SILENT = (  # files whose texts are for machines, or for the journal alone
    "agent/demo/site.py",
    "agent/cli/maps.py",
    "agent/cli/commission/texts.py",
    "agent/cli/outline.py",
    "agent/cli/first_site.py",
    "agent/model/unit_hints.py",
    "agent/status/openapi*.py",
    "agent/status/metrics*.py",
    "agent/status/families.py",
    "agent/cli/support/machine.py",
    "agent/cli/support/readme.py",
    "agent/cli/support/redact.py",
    "agent/lang/*",
)
COUNTERS = {"_n", "_many"}  # f(count, "device") makes `3 devices`

_MACHINE = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|PRAGMA|BEGIN|ALTER|ATTACH|DETACH|WITH|FROM|WHERE|JOIN|ORDER BY|AND"
    r"|LIMIT|VALUES|SAVEPOINT|RELEASE|ROLLBACK|VACUUM|REINDEX|EXPLAIN)\b|.*\b(WHERE|FROM [a-z]+|INTEGER|TEXT|BLOB)\b"
    r"|.*\bcharset=|text/|application/|lambda |(Basic|Bearer|Host:|Proxy-Authorization:) "
)
_WORDY = re.compile(r"(^|[\s(])['\"`]?[A-Za-z][a-z'-]+(?=[\s:,.;?!)…'\"`]|$)")
_YAML = re.compile(r"\s*(- |#|[\w$]+:(\s|$)|[{\[])|.*[{};]\s*$")  # or CSS
_QUESTION = re.compile(r"[A-Z][a-z]+\?")
_ARTICLE = re.compile("an? \0$")  # `a float64`
_JOURNAL = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_LOGGERS = {"log", "logging", "getLogger", "_LOGGER", "QUIET"}
_FOR_MACHINES = {
    *("compile", "fullmatch", "match", "search", "sub", "split", "findall", "finditer", "Struct", "getLogger"),
    *("strftime", "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "index", "find"),
    *(
        "count",
        "execute",
        "executemany",
        "executescript",
        "TypeVar",
        "NewType",
        "ParamSpec",
        "import_module",
        "fromhex",
    ),
}


@dataclass(slots=True)
class Found:
    """Where a message stands, and what fills its holes there."""

    files: dict[str, None] = field(default_factory=dict)
    holes: tuple[str, ...] = ()


class Source:
    """The messages of one file."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path, self._tree, self._nodes = path, tree, tuple(ast.walk(tree))
        self._fields = frozenset(_fields(self._nodes))
        self._wholes: list[tuple[ast.expr, Local]] = []
        self._visit(tree, {})

    def messages(self) -> Iterator[Text]:
        for node in self._nodes:
            if isinstance(node, ast.FunctionDef) and any(
                _name(each) in {"command", "group"} for each in node.decorator_list
            ):
                yield from ((paragraph,) for paragraph in _paragraphs(ast.get_docstring(node) or ""))
        made, inlined = [], set[int]()
        for node, local in self._wholes:
            made += [(id(node), text) for text in texts(node, local, self._fields, inlined)]
        yield from (line for node, text in made if node not in inlined for line in lines_of(text))

    def words(self) -> Iterator[Key]:
        """What stands over columns and progress bars, and what is counted."""
        for node in self._nodes:
            match node:
                case ast.Call(func=func, args=args, keywords=given) if _name(func) in {"table", "progress"}:
                    yield from ((COLUMN, text) for text in _constants(args[:1]) if text)
                    yield from ((COLUMN, each.arg) for each in given if each.arg and _is_side(each.value))
                case ast.Call(func=ast.Attribute(attr="add_column"), args=[head, *_]):
                    inner = head.args if isinstance(head, ast.Call) else [head]
                    yield from ((COLUMN, text) for text in _constants(inner))
                case ast.Dict(keys=keys, values=values) if values and all(map(_is_side, values)):
                    yield from ((COLUMN, text) for text in _constants(keys))
                case ast.Call(func=ast.Attribute(attr="fromkeys"), args=[names, side]) if _is_side(side):
                    yield from ((COLUMN, text) for text in self._listed(names))
                case ast.Call(func=func, args=[_, ast.Constant(value=str(word)), *_]) if _name(func) in COUNTERS:
                    yield from (("", f"{{0}} {word}{ending}") for ending in ("", "s"))

    def _listed(self, names: ast.expr) -> list[str]:
        """The texts of a tuple, or of one that has a name in this file."""
        for node in self._tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == _name(names):
                    names = value
        return list(_constants(names.elts)) if isinstance(names, ast.Tuple) else []

    def _visit(self, node: ast.AST, local: Local) -> None:
        """Each expression that makes text, as a whole, with the names that have one value where it stands."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            local = _assigned(node)
        if isinstance(node, ast.expr) and is_text(node):
            self._wholes.append((node, local))
            children = _within(node)
        else:
            children = _for_people(node)
        for child in children:
            self._visit(child, local)


def from_source() -> dict[Key, Found]:
    """All messages there are, libraries' included."""
    paths = [path for path in sources("agent", "drivers", "buffer") if not any(fnmatch(path, each) for each in SILENT)]
    found = extracted(Source(path, parsed(path)) for path in paths)
    for text in foreign.messages():
        found.setdefault(("", text), Found({"click, the system": None}))
    return found | {(BETWEEN, text): Found({"between messages": None}) for text in BETWEENS}


def extracted(files: Iterable[Source]) -> dict[Key, Found]:
    """All messages of these files, in their order."""
    found: defaultdict[Key, Found] = defaultdict(Found)
    for source in files:
        for text in filter(is_said, source.messages()):
            entry = found["", template(text)]
            entry.files[source.path] = None
            entry.holes = entry.holes or tuple(ast.unparse(piece) for piece in text if not isinstance(piece, str))
        for context, text in source.words():
            found[context, text.replace("_", " ")].files[source.path] = None
    return dict(found)


def template(text: Text) -> str:
    """With numbered placeholders, as `str.format` reads them."""
    number = count()
    return "".join(_escaped(piece) if isinstance(piece, str) else f"{{{next(number)}}}" for piece in text)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def is_said(text: Text) -> bool:
    """Whether a person would read it as words of a sentence."""
    bare = "".join(piece if isinstance(piece, str) else "\0" for piece in text)
    if _MACHINE.match(bare) or "</" in bare:
        return False
    literals = [piece for piece in text if isinstance(piece, str)]
    wordy = re.search(r"\s", bare.strip()) is not None and any(map(_WORDY.search, literals))
    return wordy or any(pattern.fullmatch(bare) for pattern in (_ARTICLE, _QUESTION))


def lines_of(text: Text) -> list[Text]:
    """A text is looked up line by line; of several lines those that are YAML or CSS are for machines."""
    lines: list[list[str | ast.expr]] = [[]]
    for piece in text:
        first, *more = piece.split("\n") if isinstance(piece, str) else [piece]
        lines[-1].append(first)
        lines += [[each] for each in more]
    if len(lines) == 1 or not is_said(text):
        return [text]
    return [tuple(line) for line in lines if not (isinstance(line[0], str) and _YAML.match(line[0]))]


def _fields(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that a `.format(…)` or `.replace("{name}", …)` of this file fills."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=receiver, attr="format"), keywords=given) if not is_text(receiver):
                yield from (word.arg for word in given if word.arg)
            case ast.Call(func=ast.Attribute(attr="replace"), args=[ast.Constant(value=str(old)), *_]):
                yield from re.findall(r"^\{([a-z_]+)\}$", old)


def _constants(nodes: Iterable[ast.expr | None]) -> Iterator[str]:
    yield from (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_side(node: ast.expr) -> bool:
    """Whether it says on which side of a column its cells stand."""
    return isinstance(node, ast.Constant) and node.value in {"left", "right"}


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in filter(str.strip, text.split("\n\n")):
        yield paragraph if paragraph.startswith("\b") else " ".join(paragraph.split())


def _assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Local:
    """Names that are given a value once in it."""
    values: dict[str, ast.expr] = {}
    stored: defaultdict[str, int] = defaultdict(int)
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = value
            case ast.Name(id=name, ctx=ast.Store()):
                stored[name] += 1
    return {name: value for name, value in values.items() if stored[name] == 1}


def _within(node: ast.expr) -> Iterator[ast.AST]:
    """What stands in the holes of an expression that makes text."""
    if isinstance(node, ast.Call):  # of `"…".format(…)`
        yield from [*node.args, *(word.value for word in node.keywords)]
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FormattedValue):
            yield child.value
        elif is_text(child) and isinstance(child, ast.expr):
            yield from _within(child)
        else:
            yield child


def _for_people(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of `node` that may make text for people."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Assert() | ast.arguments() | ast.Subscript():
            pass
        case ast.Call(func=func) if _name(func) in _FOR_MACHINES or _is_journal(func):
            yield from ast.iter_child_nodes(func)
        case ast.Compare(left=left, comparators=others):
            yield from (each for each in (left, *others) if not is_text(each))
        case ast.Dict(values=values):
            yield from values
        case ast.AnnAssign(value=value):
            yield from [value] if value else []
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from [*node.body, *node.decorator_list, *node.args.defaults]
        case _:
            yield from ast.iter_child_nodes(node)


def _is_journal(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr in _JOURNAL and _name(func.value) in _LOGGERS


def _name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Call(func=func):
            return _name(func)
    return ""
