"""What a key of a driver's class can hold, so that a cell is read as what it is for."""

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Form = Literal["text", "truth", "word", "list", "pairs", "flow"]
PROSE = frozenset({("description",)})  # what people write freely, so that even a formula is only text
_SCALARS: dict[Any, str] = {str: "text", int: "number", float: "number", bool: "truth", type(None): "none"}


@cache
def form_of(kind: type[BaseModel], path: tuple[str, ...]) -> Form | None:
    """What stands at `path` below a class, such as ("limits", "min"); None where it has no such key.

    text: as it is written; truth: yes or no; word: a number or one of a few words; list: such values; pairs: a mapping
    of numbers or words; flow: YAML.
    """
    found = annotations(kind, path)
    if not found:
        return None
    parts = {part for annotation in found for part in _parts(annotation)} - {"none"}
    if parts == {"text"}:
        return "text"
    if parts == {"truth"}:
        return "truth"
    if parts <= {"word", "number", "text", "truth"}:
        return "word"
    return "list" if parts == {"list"} else "pairs" if parts == {"pairs"} else "flow"


@cache
def literals(kind: type[BaseModel], path: tuple[str, ...]) -> tuple[Any, ...]:
    """The words that a key may have."""
    return tuple(word for annotation in annotations(kind, path) for word in _literals(annotation))


@cache
def is_numeric(kind: type[BaseModel], path: tuple[str, ...]) -> bool:
    return any("number" in _parts(annotation) for annotation in annotations(kind, path))


def keys_of(kind: type[BaseModel]) -> list[str]:
    """Its keys as a file spells them, in the order of the class."""
    return [field.alias or name for name, field in kind.model_fields.items()]


def sections(kind: type[BaseModel], path: tuple[str, ...]) -> list[type[BaseModel]]:
    """The classes that stand at `path` by themselves, not as items of a list or a mapping."""
    return [each for annotation in annotations(kind, path) for each in _models(annotation)]


def annotations(kind: type[BaseModel], path: tuple[str, ...]) -> list[Any]:
    models = [kind]
    for part in path[:-1]:
        models = [model for found in _annotated(models, part) for model in _models(found)]
    return _annotated(models, path[-1])


def _annotated(models: list[type[BaseModel]], key: str) -> list[Any]:
    fields = ((field.alias or name, field) for model in models for name, field in model.model_fields.items())
    return [field.annotation for name, field in fields if name == key]


def _parts(annotation: Any) -> Iterator[str]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _parts(each)
    elif origin is Literal:
        yield "word"
    elif origin in (list, tuple):
        yield "list"
    elif origin is dict:
        yield "pairs"
    else:
        yield _SCALARS.get(annotation, "flow")


def _literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Annotated, Union, types.UnionType):
        for each in get_args(annotation):
            yield from _literals(each)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType):
        for each in get_args(annotation):
            yield from _models(each)
