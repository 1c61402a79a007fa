"""The configuration class behind a `driver:` or a `type:`, loaded only when a file names it."""

from collections.abc import Callable
from collections.abc import Mapping as Table
from typing import TypeVar

from agent import registry
from agent.config.problems import Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping
from agent.config.words import did_you_mean, shown
from agent.registry import DriverConfig, SinkConfig

C = TypeVar("C")


def driver_class(raw: Mapping, scope: Scope) -> type[DriverConfig] | None:
    """The class for the `driver:` of a device or a map, or None after a problem was reported."""
    return _class(raw, "driver", registry.drivers(), registry.driver_config, scope)


def sink_class(raw: Mapping, scope: Scope) -> type[SinkConfig] | None:
    """The class for the `type:` of a sink, or None after a problem was reported."""
    return _class(raw, "type", registry.sinks(), registry.sink_config, scope)


def _class(
    raw: Mapping, key: str, known: Table[str, str], find: Callable[[str], type[C]], scope: Scope
) -> type[C] | None:
    name, mark = raw.get(key), raw.value_marks.get(key, raw.mark)
    if name is None:
        scope.add(mark, f"{key} is missing", did_you_mean(None, known))
    elif not isinstance(name, str) or name not in known:
        if not isinstance(name, Unresolved):
            scope.add(mark, f"{key}: {shown(name)} is not known", did_you_mean(name, known))
    else:
        try:
            return find(name)
        except ImportError as error:
            scope.add(mark, f"{key}: {name!r} cannot be loaded: {error}", "is its package installed?")
    return None
