"""Sections of tags that say the same are validated once and are one object: a site has thousands, and few kinds."""

from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from agent.config.tree import Mapping

SECTIONS = ("limits", "counter", "aggregate", "alarms", "report")  # what is right of these is so in every tag

Known = dict[tuple[str, str], Any]  # validated, by their names and by what they say


def with_known(kind: Any, raw: Any, known: Known) -> Any:
    """A tag whose sections are objects already, those that are right; what is wrong stays as it stands."""
    said = [key for key in SECTIONS if isinstance(raw.get(key), dict | list)] if isinstance(raw, Mapping) else []
    if not said:
        return raw
    data = _Laid(raw)
    for key in said:
        same = key, repr(raw[key])
        if same not in known:
            try:
                known[same] = _section(kind, key).validate_python(raw[key])
            except ValidationError:
                continue
        data[key] = known[same]
    return data


class _Laid(dict[str, Any]):
    """A tag as it will be validated, which still knows which of its keys came from `defaults`."""

    def __init__(self, raw: Mapping) -> None:
        super().__init__(raw)
        self._raw = raw

    @property
    def origin(self) -> dict[str, str]:
        return self._raw.origin


@cache
def _section(kind: Any, key: str) -> TypeAdapter[Any]:
    field = kind.model_fields[key]
    said: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(said)
