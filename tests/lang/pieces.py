"""An expression that makes text, as the texts that it can make: literals with holes.

`f"{'virtual ' if far else ''}device {name}"` can be `virtual device {0}` and `device {0}`. What is chosen within the
expression is told apart as long as there are few ways; what comes from elsewhere is a hole.
"""

import ast
from collections.abc import Iterator
from itertools import product
from math import prod

Piece = str | ast.expr  # a literal, or what fills a hole
Text = tuple[Piece, ...]
Local = dict[str, ast.expr]  # names that have one value
WAYS = 12  # of one expression that are told apart


def is_text(node: ast.AST) -> bool:
    """Whether this makes text by itself."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right) | ast.IfExp(body=left, orelse=right):
            return is_text(left) or is_text(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return is_text(left) and _is_condition(right)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return True
    return False


def _is_condition(node: ast.expr) -> bool:
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Call(func=ast.Name(id="bool")):
            return True
    return False


def texts(node: ast.expr, local: Local, fields: frozenset[str], inlined: set[int]) -> list[Text]:
    """What `node` can make; of a constant those `{fields}` are holes that a later `.format` fills.

    What a name stands for and was told here as a part goes to `inlined`, by its `id`.
    """
    return [merged(way) for way in _Ways(local, fields, inlined).of(node)]


class _Ways:
    def __init__(self, local: Local, fields: frozenset[str], inlined: set[int]) -> None:
        self._local, self._fields, self._inlined = local, fields, inlined

    def of(self, node: ast.expr) -> list[Text]:  # noqa: PLR0911  # a table of forms
        match node:
            case ast.Constant(value=str(text)):
                return [tuple(_constant(text, self._fields))]
            case ast.JoinedStr(values=values):
                return self._each([self.of(value) for value in values], node)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None) if self._chosen(value):
                return self.of(self._chosen(value) or value)
            case ast.FormattedValue(value=value):
                return [(value,)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._each([self.of(self._chosen(side) or side) for side in (left, right)], node)
            case ast.BinOp(left=left, op=ast.Mult()) if is_text(node):
                return [*self.of(left), ()]
            case ast.IfExp(body=body, orelse=other):
                return [*self.of(body), *self.of(other)]
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), keywords=given):
                return [tuple(_constant(text, self._fields | {word.arg for word in given if word.arg}))]
        return [(node,)]

    def _each(self, parts: list[list[Text]], whole: ast.expr) -> list[Text]:
        """All ways to put the parts together; where they are too many, what differs is a hole."""
        if prod(map(len, parts)) > WAYS:
            parts = [part if len(part) == 1 else [(whole,)] for part in parts]
        return [tuple(piece for part in way for piece in part) for way in product(*parts)]

    def _chosen(self, node: ast.expr) -> ast.expr | None:
        """`node`, or what its name stands for, when it is text that is chosen here."""
        if not isinstance(node, ast.Name):
            return node if is_text(node) else None
        value = self._local.get(node.id)
        if value is None or not _is_optional(value):
            return None
        self._inlined.add(id(value))
        return value


def _is_optional(node: ast.expr) -> bool:
    """Text that may be none at all: nothing would say where it begins."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            return is_text(node) and any(isinstance(each, ast.Constant) and each.value == "" for each in (body, other))
        case ast.BinOp(op=ast.Mult()):
            return is_text(node)
    return False


def _constant(text: str, fields: frozenset[str]) -> Iterator[Piece]:
    """`{name}`, `{name!r}` and `{name:g}` are holes, for each name in `fields`."""
    while True:
        starts = [text.find("{" + name + mark) for name in fields for mark in "}!:"]
        at = min((start for start in starts if start >= 0), default=-1)
        if at < 0:
            break
        end = text.index("}", at)
        yield text[:at]
        yield ast.Name(text[at + 1 : end].split("!", maxsplit=1)[0].split(":", maxsplit=1)[0])
        text = text[end + 1 :]
    yield text


def merged(text: Text) -> Text:
    """Literals side by side are one."""
    made: list[Piece] = []
    for piece in text:
        before = made[-1] if made else None
        if isinstance(piece, str) and isinstance(before, str):
            made[-1] = before + piece
        elif piece != "":
            made.append(piece)
    return tuple(made)
