"""Validate a part of the tree with its class, and point at what does not fit."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from agent.config.messages import joined, said, scrubbed
from agent.config.problems import MOST, Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown

T = TypeVar("T")
Path = tuple[str | int, ...]
MERGED = ("quirks", "defaults")


class Place(NamedTuple):
    """Where an error's `loc` leads as far as the file goes; `origin` is the map's section that it came from."""

    value: Any
    mark: Mark
    path: Path
    origin: str


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def validate(kind: type[T], raw: Any, mark: Mark, scope: Scope) -> T | None:
    """`raw` as an instance of `kind`, or None after all its problems have gone to `scope`."""
    try:
        return cast(T, adapter(cast(Any, kind)).validate_python(raw))
    except ValidationError as error:
        explain(error, kind, raw, mark, scope)
        return None


def explain(
    error: ValidationError, kind: Any, raw: Any, mark: Mark, scope: Scope, only: Callable[[Path], bool] = lambda _: True
) -> None:
    """Report every error of one validation whose `loc` is wanted. The branches of a union that refused the same value
    become one problem."""
    found: dict[tuple[Mark, str], list[tuple[str, str]]] = {}
    for detail in error.errors(include_url=False)[:MOST]:
        place = _place(raw, mark, detail["loc"])
        if only(detail["loc"]) and not isinstance(place.value, Unresolved):
            at, path, message, hint = _told(detail, place, kind, raw)
            found.setdefault((at, path), []).append((scrubbed(message, place.value), hint))
    for (at, path), told in found.items():
        for message, hint in joined(told):
            add = scope.report.add if path.startswith(MERGED) else scope.add
            add(at, f"{path}: {message}" if path else message, hint)


def _place(raw: Any, mark: Mark, loc: Path) -> Place:
    """Parts of `loc` that the file does not have are skipped: missing keys, and pydantic's names of union branches."""
    value, origin = raw, ""
    path: list[str | int] = []
    for at, part in enumerate(loc):
        if isinstance(value, Mapping) and isinstance(part, str) and part in value:
            origin = origin or value.origin_of(part)
            keyed = loc[at + 1 :] == ("[key]",)
            mark = (value.key_marks if keyed else value.value_marks)[part]
            value = part if keyed else value[part]
        elif isinstance(value, Sequence) and isinstance(part, int) and part < len(value):
            mark, value = value.item_marks[part], value[part]
        else:
            continue
        path.append(part)
    return Place(value, mark, tuple(path), origin)


def _told(detail: ErrorDetails, place: Place, kind: Any, raw: Any) -> tuple[Mark, str, str, str]:
    """(mark, path, message, hint)"""
    path, name = place.path, detail["loc"][-1] if detail["loc"] else ""
    if detail["type"] == "missing":
        return place.mark, _path(path, place.origin), f"{name} is missing", _description(kind, (*path, name))
    if detail["type"] == "extra_forbidden":
        holder = _place(raw, place.mark, path[:-1]).value
        mark = holder.key_marks[str(name)] if isinstance(holder, Mapping) else place.mark
        known = {
            field.alias or key for model in _models_at(kind, path[:-1]) for key, field in model.model_fields.items()
        }
        return mark, _path(path[:-1], place.origin), f"unknown key {shown(name)}", did_you_mean(name, known)
    value = place.value
    if path[-1:] != (name,) and any(name in model.model_fields for model in _models_at(kind, path)):
        path, value = (*path, name), detail["input"]  # the class's own default, or what a short form says
    message, hint = said(detail, value)
    return place.mark, _path(path, place.origin), message, hint


def _path(path: Path, origin: str) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return ": ".join(filter(None, (origin, text)))


def _description(kind: Any, path: Path) -> str:
    """What the field at `path` is for, by its own description."""
    fields = (model.model_fields.get(str(path[-1])) for model in _models_at(kind, path[:-1]))
    return next((field.description or "" for field in fields if field), "")


def _models_at(kind: Any, path: Path) -> list[type[BaseModel]]:
    """The classes that may stand at `path` below `kind`; containers and unions are looked through."""
    models = list(_models(kind))
    for part in path:
        inner = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        models = [found for annotation in inner for found in _models(annotation)] if inner else models
    return models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
