"""Formulas over tags: a short list of what may stand in one, checked before anything of it is compiled.

The text is parsed by Python's own grammar, and every node of the tree must be on the list of what is understood here.
What is compiled is a tree of ours in which a name is a place in a list: no name of the text is ever looked up, and
nothing but the functions below can be called. Numbers, depth and the growth of integers are bounded first, so that
neither the compiler, which works out constants, nor a value of a device can make it slow.
"""

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple, NoReturn, TypeGuard
from unicodedata import normalize

LONGEST = 500  # characters
DEEPEST = 130  # levels; a sum of as many tags is that deep
MOST_NODES = 500
MOST_POWER = 8
MOST_BITS = 16_384  # of an integer on the way; what a device says has 64, a whole number made of a float 1024
LONGEST_WORD = 128  # characters of a text that a tag is compared with
MOST_DIGITS = 15  # after the decimal point, of `round`


class Wrong(ValueError):
    """What is wrong with a formula; `column` counts the characters before it."""

    def __init__(self, message: str, column: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.column, self.hint = column, hint


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that is right. `names` are the tags in the order in which they first stand in it, each after so many
    `columns`; `numbers` are those that must be numbers, `words` those that are compared with text. `truth`: it is
    either true or false."""

    text: str
    names: tuple[str, ...]
    columns: tuple[int, ...]
    numbers: frozenset[str]
    words: frozenset[str]
    truth: bool
    tree: ast.expr


class Arity(NamedTuple):
    """How many arguments a function takes."""

    least: int
    most: int


MANY = 200
FUNCTIONS = {
    "min": Arity(2, MANY),
    "max": Arity(2, MANY),
    "sum": Arity(1, MANY),
    "avg": Arity(1, MANY),
    "abs": Arity(1, 1),
    "round": Arity(1, 2),
    "floor": Arity(1, 1),
    "ceil": Arity(1, 1),
    "sqrt": Arity(1, 1),
    "clamp": Arity(3, 3),
    "good": Arity(1, 1),
    "usable": Arity(1, 1),
}
ASKING = ("good", "usable")  # whether a tag is, in place of its value
WHOLE = ("round", "floor", "ceil")
CONSTANTS = {"true": True, "false": False}
UNDERSTOOD = "numbers, names of tags, + - * / // % **, comparisons, and, or, not, A if B else C, " + ", ".join(
    FUNCTIONS
)
_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_UNARY = (ast.UAdd, ast.USub, ast.Not)
_EQUAL = (ast.Eq, ast.NotEq)
_COMPARE = (*_EQUAL, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def parse(text: str) -> Formula:
    """The formula in `text`. Raises Wrong."""
    return _Reader(text).formula()


class _Reader:
    """Walks one tree; `_bits` below says how many an integer of a node may have."""

    def __init__(self, text: str) -> None:
        self._text, self._lead = text.strip(), len(text) - len(text.lstrip())
        self._names: dict[str, int] = {}
        self._numbers: dict[str, None] = {}
        self._words: dict[str, ast.AST] = {}
        self._nodes = 0
        self._kinds: Mapping[type, Callable[[Any, int], int]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.BoolOp: self._choice,
            ast.IfExp: self._choice,
            ast.Compare: self._compare,
            ast.Call: self._call,
        }

    def formula(self) -> Formula:
        tree = self._tree()
        self._as_written(tree)
        self._number(tree, 0)
        if not self._names:
            raise Wrong("there is no tag in it", hint="write the names of tags, such as p_l1 + p_l2")
        for name, node in self._words.items():
            if name in self._numbers:
                self._no(node, f"{name} is compared with text here and used as a number elsewhere")
        numbers, words, columns = frozenset(self._numbers), frozenset(self._words), tuple(self._names.values())
        return Formula(self._text, tuple(self._names), columns, numbers, words, is_truth(tree), tree)

    def _tree(self) -> ast.expr:
        if not self._text:
            raise Wrong("it is empty", self._lead, hint="such as p_l1 + p_l2")
        if len(self._text) > LONGEST:
            raise Wrong(
                f"it is longer than {LONGEST} characters",
                hint="make derived tags of its parts, or shorten names by inputs",
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return ast.parse(self._text, mode="eval").body
        except SyntaxError as error:
            at = self._where(error)
            raise Wrong(f"this is no formula: {error.msg}", at, _meant(self._text, at - self._lead)) from None
        except (ValueError, RecursionError, MemoryError, Warning) as error:
            why = str(error) or "it is nested too deeply"
            raise Wrong(f"this is no formula: {why}") from None

    def _where(self, error: SyntaxError) -> int:
        """Characters before what Python points at; before the last one where that is no place in the text."""
        before = self._text.splitlines(keepends=True)[: (error.lineno or 1) - 1]
        column = sum(map(len, before)) + (error.offset or 0) - 1
        return self._lead + (column if error.offset and column < len(self._text) else len(self._text) - 1)

    def _no(self, node: ast.AST, message: str, hint: str = "") -> NoReturn:
        raise Wrong(message, self._column(node), hint)

    def _column(self, node: ast.AST) -> int:
        """Characters before the node: the tree counts bytes of UTF-8, by line."""
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        lines = self._text.splitlines(keepends=True)
        here = lines[line - 1].encode()[:offset].decode(errors="ignore") if line <= len(lines) else ""
        return self._lead + sum(map(len, lines[: line - 1])) + len(here)

    def _node(self, node: ast.expr, depth: int) -> int:
        """Bits of an integer that the node may be. Raises Wrong."""
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            self._no(node, "it has too many parts", "make derived tags of its parts")
        look = self._kinds.get(type(node))
        if look is None:
            self._no(node, f"{_word(node)} is not understood", UNDERSTOOD)
        return look(node, depth + 1)

    def _constant(self, node: ast.Constant, depth: int) -> int:
        del depth
        value = node.value
        if isinstance(value, bool):
            return 1
        if isinstance(value, int):
            if value >= 1 << 64:
                self._no(node, "a number is larger than 64 bits")
            return max(1, value.bit_length())
        if not isinstance(value, float):
            self._no(node, f"{_word(node)} cannot stand here", "text only beside == or !=, such as mode == 'auto'")
        if not isfinite(value):
            self._no(node, "a number is too large")
        return 0

    def _name(self, node: ast.Name, depth: int) -> int:
        del depth
        if node.id not in CONSTANTS:
            self._names.setdefault(node.id, self._column(node))
        return 64

    def _as_written(self, tree: ast.expr) -> None:
        """Python reads a full-width A as A (NFKC); a tag is called what the file says."""
        if self._text.isascii():
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = ast.get_source_segment(self._text, node) or node.id

    def _unary(self, node: ast.UnaryOp, depth: int) -> int:
        if not isinstance(node.op, _UNARY):
            self._no(node, f"{_word(node)} is not understood", UNDERSTOOD)
        return self._number(node.operand, depth)

    def _number(self, node: ast.expr, depth: int) -> int:
        """The bits of what stands where a number must; a name there must be one of a tag with numbers."""
        if _is_tag(node):
            self._numbers.setdefault(node.id)
        return self._node(node, depth)

    def _binary(self, node: ast.BinOp, depth: int) -> int:
        if isinstance(node.op, ast.Pow):
            return self._power(node, depth)
        if not isinstance(node.op, _BINARY):
            self._no(node, f"{_word(node)} is not understood", UNDERSTOOD)
        bits = self._number(node.left, depth), self._number(node.right, depth)
        return self._bounded(node, sum(bits) if isinstance(node.op, ast.Mult) else max(bits) + 1)

    def _power(self, node: ast.BinOp, depth: int) -> int:
        power = node.right
        if not isinstance(power, ast.Constant) or type(power.value) is not int or not 0 <= power.value <= MOST_POWER:
            self._no(power, f"a power must be a whole number from 0 to {MOST_POWER}")
        return self._bounded(node, self._number(node.left, depth) * max(1, power.value))

    def _choice(self, node: ast.BoolOp | ast.IfExp, depth: int) -> int:
        parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.test, node.orelse]
        return max([self._number(part, depth) for part in parts])

    def _bounded(self, node: ast.AST, bits: int) -> int:
        if bits > MOST_BITS:
            self._no(node, "its numbers may grow too large", "make derived tags of its parts")
        return bits

    def _compare(self, node: ast.Compare, depth: int) -> int:
        if not all(isinstance(op, _COMPARE) for op in node.ops):
            self._no(node, f"{_word(node)} is not understood", UNDERSTOOD)
        sides = [node.left, *node.comparators]
        for side in sides:
            if not _is_word(side):
                self._node(side, depth)
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if _is_word(left) or _is_word(right):
                self._word(op, left, right)
            elif not (isinstance(op, _EQUAL) and _is_tag(left) and _is_tag(right)):
                for side in (left, right):
                    if _is_tag(side):
                        self._numbers.setdefault(side.id)
        return 1

    def _word(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> None:
        """Text stands beside == or != and the name of a tag."""
        text, tag = (left, right) if _is_word(left) else (right, left)
        if not isinstance(op, _EQUAL) or not _is_tag(tag):
            self._no(text, "text is compared with a tag, by == or !=", "such as mode == 'auto'")
        if len(ast.literal_eval(text)) > LONGEST_WORD:
            self._no(text, f"the text is longer than {LONGEST_WORD} characters")
        self._words.setdefault(tag.id, tag)

    def _call(self, node: ast.Call, depth: int) -> int:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arity = FUNCTIONS.get(name)
        if arity is None:
            self._no(node, f"{name or 'this'} is no function that can be called", "one of: " + ", ".join(FUNCTIONS))
        if node.keywords or not arity.least <= len(node.args) <= arity.most:
            bounds = f"{arity.least}" if arity.least == arity.most else f"{arity.least} to {arity.most}"
            self._no(node, f"{name} takes {bounds} argument{'s' * (bounds != '1')}")
        if name in ASKING:
            if not _is_tag(node.args[0]):
                self._no(node.args[0], f"{name} takes the name of a tag")
            return self._node(node.args[0], depth)
        if name == "round" and len(node.args) == 2:
            self._digits(node.args[1])
        bits = []
        for place, argument in enumerate(node.args):
            deeper = place if name in ("sum", "avg") else 0  # they become a chain of +
            bits.append(self._number(argument, depth + deeper))
        return self._bounded(node, max(*bits, 1024) if name in WHOLE else max(bits) + len(bits))

    def _digits(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Constant) or type(node.value) is not int or not 0 <= node.value <= MOST_DIGITS:
            self._no(node, f"digits are a whole number from 0 to {MOST_DIGITS}")


_SIGNS = {
    r"&&": "and",
    r"\|\|": "or",
    r"!(?!=)": "not",
    r"<>": "!=",
    r"(?<![=<>!])=(?!=)": "==",
    "\N{MULTIPLICATION SIGN}": "*",
    "÷": "/",
}


def _meant(text: str, at: int) -> str:
    """What to write in place of a sign of other languages, or of an input method; nothing where that is not known."""
    near = text[max(0, at - 1) : at + 2]
    for sign, ours in _SIGNS.items():
        if re.search(sign, near):
            return f"write {ours}"
    there = text[at : at + 1]
    plain = normalize("NFKC", there)
    return f"write {plain}" if plain != there and plain.isascii() and not plain.isspace() else ""


def _is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_tag(node: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and node.id not in CONSTANTS


_WORDS = {
    "Attribute": "a dot",
    "Subscript": "[ ]",
    "List": "[ ]",
    "Tuple": "a comma",
    "Set": "{ }",
    "Dict": "{ }",
    "NamedExpr": ":=",
    "JoinedStr": "text with { }",
    "Starred": "*",
    "YieldFrom": "yield",
}


def _word(node: ast.expr) -> str:
    """What a person would call it."""
    if isinstance(node, ast.Constant):
        return "text" if isinstance(node.value, str) else f"{str(node.value)[:20]}"
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        return {"BitXor": "^", "BitOr": "|", "BitAnd": "&", "LShift": "<<", "RShift": ">>", "Invert": "~"}.get(
            type(node.op).__name__, "@"
        )
    if isinstance(node, ast.Compare):
        return "`in` or `is`"
    kind = type(node).__name__
    return _WORDS.get(kind, "a list" if kind.endswith("Comp") or kind == "GeneratorExp" else kind.lower())


def is_truth(node: ast.expr) -> bool:
    """Whether it is true or false, and no other number."""
    if isinstance(node, ast.IfExp):
        return is_truth(node.body) and is_truth(node.orelse)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ASKING
    if isinstance(node, ast.Name):
        return node.id in CONSTANTS
    return (
        isinstance(node, ast.Compare | ast.BoolOp)
        or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
        or (isinstance(node, ast.Constant) and isinstance(node.value, bool))
    )
