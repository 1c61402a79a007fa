"""Formulas as trees of tuples, how they are written, and what they give: slow, and easily seen to be right."""

import math
import operator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from agent.model.frame import Value
from agent.model.quality import FIRST_BAD, Quality

Tree = tuple[Any, ...]
Columns = dict[str, tuple[Value, int]]  # value and quality by name
NAMES = ("a", "b", "c", "d")
NEVER = 255


_WRITTEN = {
    **{sign: f"({{}} {sign} {{}})" for sign in ("+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=")},
    "and": "({} and {})",
    "or": "({} or {})",
    "neg": "-({})",
    "not": "(not {})",
    "if": "({1} if {0} else {2})",
    "chain": "({} < {} <= {})",
}
_CALCULATED: dict[str, Any] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "neg": operator.neg,
    "not": operator.not_,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "round": round,
    "min": min,
    "max": max,
    "sum": lambda a, b, c: a + b + c,
    "avg": lambda a, b, c: (a + b + c) / 3,
    "clamp": lambda value, least, most: max(least, min(value, most)),
}


class Result(NamedTuple):
    value: Value
    quality: int


class Bad(Exception):
    """A formula has no value, for this quality."""


def trees() -> st.SearchStrategy[Tree]:
    names = st.tuples(st.just("name"), st.sampled_from(NAMES))
    numbers = st.tuples(st.just("number"), st.one_of(st.integers(0, 9), st.sampled_from([0.5, 1e300, 2**63])))
    asked = st.tuples(st.sampled_from(["good", "usable"]), st.sampled_from(NAMES))

    def grow(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        return st.one_of(
            st.tuples(st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner, inner),
            st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner),
            st.tuples(st.just("chain"), inner, inner, inner),
            st.tuples(st.sampled_from(["and", "or"]), inner, inner),
            st.tuples(st.sampled_from(["neg", "not", "abs", "floor", "ceil", "sqrt", "round"]), inner),
            st.tuples(st.just("if"), inner, inner, inner),
            st.tuples(st.just("**"), inner, st.integers(0, 8)),
            st.tuples(st.sampled_from(["min", "max", "sum", "avg"]), inner, inner, inner),
            st.tuples(st.just("clamp"), inner, inner, inner),
        )

    grown = st.recursive(st.one_of(names, names, numbers, asked), grow, max_leaves=10)
    return st.tuples(st.just("+"), names, grown)  # at least one tag is in it


def columns() -> st.SearchStrategy[Columns]:
    value = st.one_of(
        st.integers(-(1 << 63), (1 << 64) - 1), st.integers(-9, 9), st.booleans(), st.floats(-1e308, 1e308)
    )
    return st.fixed_dictionaries({name: st.tuples(value, st.just(0)) for name in NAMES})


def text(tree: Tree) -> str:
    kind, *parts = tree
    if kind in ("name", "number"):
        return str(parts[0])
    if kind == "**":
        return f"({text(parts[0])})**{parts[1]}"
    told = [text(part) if isinstance(part, tuple) else part for part in parts]
    return _WRITTEN[kind].format(*told) if kind in _WRITTEN else f"{kind}({', '.join(told)})"


def is_large(tree: Tree) -> bool:
    """Whether it may be refused: its text is long, or it has powers or products of what may be large."""
    told = text(tree)
    return len(told) > 500 or "**" in told or ("*" in told and any(name in told for name in ("floor", "ceil", "round")))


def plain(tree: Tree, columns: Columns) -> Result:
    """As a derived tag of float64: the value with the most doubtful of the qualities that were looked at, or None."""
    doubts = [0]
    try:
        value = float(_value(tree, columns, doubts) + 0.0)
        if not math.isfinite(value):
            return Result(None, Quality.BAD_DECODE)
    except Bad as error:
        return Result(None, error.args[0])
    except (ArithmeticError, ValueError, TypeError):
        return Result(None, Quality.BAD_DECODE)
    return Result(value, max(doubts))


def _value(tree: Tree, columns: Columns, doubts: list[int]) -> Any:
    kind, *parts = tree
    if kind == "number":
        return parts[0]
    if kind in ("name", "good", "usable"):
        return _tag(kind, *columns.get(parts[0], (None, NEVER)), doubts)

    def of(place: int) -> Any:
        return _value(parts[place], columns, doubts)

    if kind == "if":
        return of(1) if of(0) else of(2)
    if kind == "chain":
        first, middle = of(0), of(1)
        return first < middle <= of(2)
    if kind in ("and", "or"):
        return bool(of(0)) and bool(of(1)) if kind == "and" else bool(of(0)) or bool(of(1))
    return of(0) ** parts[1] if kind == "**" else _CALCULATED[kind](*map(of, range(len(parts))))


def _tag(kind: str, value: Value, quality: int, doubts: list[int]) -> Value:
    if kind != "name":
        return quality == 0 if kind == "good" else quality < FIRST_BAD
    if quality >= FIRST_BAD:
        raise Bad(quality)
    doubts.append(quality)
    return value


def same(found: object, expected: object) -> bool:
    """Whether a formula gave what it should; a value that is no finite number counts as none."""
    if isinstance(found, float) and not math.isfinite(found):
        found = None
    return found == expected
