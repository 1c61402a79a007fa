"""Values of a loaded configuration as a file spells them: `1s`, `64MB`, `true`; never a secret."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator, SecretStr

from agent.model.text import duration, duration_text, public, size

LONGEST = 80  # characters of one value
HIDDEN = "(a secret)"
_BYTES = (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10))
Number = Callable[[Any], str]


def spelt(value: Any, number: Number = str) -> str:
    """Empty for None. `number` spells the numbers in it; what has no spelling of its own is `…`."""
    text = public(_spelt(value, number))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _spelt(value: Any, number: Number) -> str:
    found = "…"
    match value:
        case SecretStr():
            found = HIDDEN
        case bool():
            found = "true" if value else "false"
        case int() | float():
            found = number(value)
        case str() | None:
            found = value or ""
        case BaseModel():
            found = f"{{{', '.join(_said(value))}}}"
        case dict():
            found = f"{{{', '.join(f'{name}: {_spelt(each, number)}' for name, each in value.items())}}}"
        case list() | tuple() | set() | frozenset():
            found = f"[{', '.join(_spelt(each, number) for each in value)}]"
    return found


def _said(section: BaseModel) -> Iterator[str]:
    """What is not as it would be by itself."""
    for name, about in type(section).model_fields.items():
        value = getattr(section, name)
        if about.is_required() or value != about.get_default(call_default_factory=True, validated_data={}):
            yield f"{about.alias or name}: {_spelt(value, number_of(type(section), name))}"


@lru_cache(maxsize=4096)
def number_of(section: type[BaseModel], name: str) -> Number:
    """How the numbers of a field are spelt: as times, as sizes, or as they are."""
    about = section.model_fields[name]
    found = {each.func for each in _validators((about.annotation, *about.metadata))}
    return duration_text if duration in found else _size_text if size in found else _plain


def _validators(parts: tuple[Any, ...]) -> Iterator[BeforeValidator]:
    """All that stand in an annotation, unions and containers looked through, sections not."""
    for part in parts:
        if isinstance(part, BeforeValidator):
            yield part
        yield from _validators((*get_args(part), *getattr(part, "__metadata__", ())))


def _size_text(number: float) -> str:
    for unit, factor in _BYTES:
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return f"{number}B"


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")
