"""Values as YAML on one line, such that `agent.config.reader` reads the same values again."""

import json
import re
from collections.abc import Mapping
from math import isinf, isnan
from typing import Any
from unicodedata import category

from agent.config.scalars import scalar

_SIMPLE = re.compile(r"\w[\w./%*-]*( [\w./%*-]+)*")
_UNSEEN = ("C", "Zl", "Zp")
# where a program that takes semicolons for the ends of cells would find a formula
_FORMULA = re.compile(""";(?=[\\s"']*[-=+@\uff1d\uff0b\uff0d\uff20])""")
_ODD = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")  # in a workbook _x0041_ is the letter A


def flowing(value: Any) -> str:
    """A mapping, a list or a scalar, without line breaks."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(str(key))}: {flowing(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flowing, value))}]"
    if isinstance(value, str):
        return value if _SIMPLE.fullmatch(value) and is_seen(value) and scalar(value) == value else quoted(value)
    return number(value)


def number(value: object) -> str:
    """A number, true, false or null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and (isnan(value) or isinf(value)):
        return ".nan" if isnan(value) else f"{'-' * (value < 0)}.inf"
    return repr(value)


def quoted(text: str) -> str:
    """In double quotes, with everything escaped that is not seen."""
    written = "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))
    return _FORMULA.sub(r"\\u003b", _ODD.sub(r"\\u005f", written))


def is_seen(text: str) -> bool:
    """Whether it can stand in a cell as it is: no control characters, no line breaks, nothing that turns it around or
    would begin a formula."""
    if _ODD.search(text) or _FORMULA.search(text):
        return False
    return (text.isascii() and text.isprintable()) or not any(category(char).startswith(_UNSEEN) for char in text)


def _escaped(char: str) -> str:
    if is_seen(char):
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _key(text: str) -> str:
    return text if re.fullmatch(r"[\w.]+", text, re.ASCII) and is_seen(text) else flowing(text)
