"""Formulas as code: functions that take values by slot, of a tree that is ours from the first node to the last."""

import ast
from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, sqrt
from typing import Any, cast

from agent.model.frame import Value
from agent.model.quality import FIRST_BAD
from agent.normalise.expression import ASKING, CONSTANTS, Formula

Number = bool | int | float
Slots = Mapping[str, int]
Fast = Callable[[list[Value]], Value]
Careful = Callable[[Callable[[int], Value], bytearray], Value]


def fast(formula: Formula, slots: Slots, dtype: str) -> Fast:
    """The value where every tag is good: it takes the values by slot. Raises ArithmeticError, TypeError, ValueError."""
    return cast(Fast, _compiled(formula, _Writer(slots), dtype, ["V"]))


def careful(formula: Formula, slots: Slots, dtype: str) -> Careful:
    """The same, which asks for the value of each slot when it comes to it, and takes the qualities by slot."""
    return cast(Careful, _compiled(formula, _Careful(slots), dtype, ["use", "Q"]))


def clamp(value: Number, least: Number, most: Number) -> Number:
    """The value, or the bound that it lies beyond; `least` where they contradict each other."""
    return max(least, min(value, most))


def whole(value: Number) -> int:
    """As an int64. Raises ValueError where it is none: a fraction, or too large."""
    found = int(value)
    if found != value or not -(1 << 63) <= found < 1 << 63:
        raise ValueError("this is no int64")
    return found


_GLOBALS: dict[str, object] = {
    "__builtins__": {},
    **{call.__name__: call for call in (min, max, abs, round, floor, ceil, sqrt, clamp, whole)},
}


class _Writer:
    """The tree that is compiled; each node of it is new."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._kinds: dict[type, Callable[[Any], ast.expr]] = {
            ast.Constant: lambda node: ast.Constant(node.value),
            ast.Name: self._name,
            ast.UnaryOp: lambda node: ast.UnaryOp(node.op, self.expr(node.operand)),
            ast.BinOp: lambda node: ast.BinOp(self.expr(node.left), node.op, self.expr(node.right)),
            ast.BoolOp: lambda node: _truth(ast.BoolOp(node.op, self._all(node.values))),
            ast.IfExp: lambda node: ast.IfExp(self.expr(node.test), self.expr(node.body), self.expr(node.orelse)),
            ast.Compare: lambda node: ast.Compare(self.expr(node.left), node.ops, self._all(node.comparators)),
            ast.Call: lambda node: self._call(node.func.id, node.args),
        }

    def expr(self, node: ast.expr) -> ast.expr:
        return self._kinds[type(node)](node)

    def _all(self, nodes: Sequence[ast.expr]) -> list[ast.expr]:
        return [self.expr(node) for node in nodes]

    def _name(self, node: ast.Name) -> ast.expr:
        known = CONSTANTS.get(node.id)
        return self._tag(self._slots[node.id]) if known is None else ast.Constant(known)

    def _call(self, name: str, arguments: Sequence[Any]) -> ast.expr:
        if name in ASKING:
            return self._asking(name, self._slots[arguments[0].id])
        parts = self._all(arguments)
        if name not in ("sum", "avg"):
            return _call(name, parts)
        total = parts[0]
        for part in parts[1:]:
            total = ast.BinOp(total, ast.Add(), part)
        return total if name == "sum" else ast.BinOp(total, ast.Div(), ast.Constant(len(parts)))

    def _tag(self, slot: int) -> ast.expr:
        return _item("V", slot)

    def _asking(self, name: str, slot: int) -> ast.expr:
        del name, slot
        return ast.Constant(True)


class _Careful(_Writer):
    """Where it is not known that every tag is good."""

    def _tag(self, slot: int) -> ast.expr:
        return _call("use", [ast.Constant(slot)])

    def _asking(self, name: str, slot: int) -> ast.expr:
        least = 1 if name == "good" else FIRST_BAD
        return ast.Compare(_item("Q", slot), [ast.Lt()], [ast.Constant(least)])


def _compiled(formula: Formula, writer: _Writer, dtype: str, arguments: Sequence[str]) -> Any:
    body = _as(writer.expr(formula.tree), dtype, formula.truth)
    named = ast.arguments([], [ast.arg(name) for name in arguments], None, [], [], None, [])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(named, body)))
    return eval(compile(tree, "<formula>", "eval"), _GLOBALS)  # noqa: S307  # no part of it is text of others


def _as(body: ast.expr, dtype: str, truth: bool) -> ast.expr:
    """As a value of its type."""
    if dtype == "bool":
        return body if truth else _truth(body)
    if dtype == "float64":
        return ast.BinOp(body, ast.Add(), ast.Constant(0.0))
    return _call("whole", [body])


def _truth(body: ast.expr) -> ast.expr:
    return ast.IfExp(body, ast.Constant(True), ast.Constant(False))


def _item(name: str, slot: int) -> ast.expr:
    return ast.Subscript(ast.Name(name, ast.Load()), ast.Constant(slot), ast.Load())


def _call(name: str, arguments: list[ast.expr]) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), arguments, [])
