"""What a device says of the events that it wants told: whose, which fields of them, and from which severity on."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from agent.model.tag import DType
from drivers.api import Name, Section
from drivers.opcua.nodes import parse

SERVER = "i=2253"  # the Server object, to which all events go
PLAIN = ("Time", "SourceName", "Severity", "Message")
STATE = ("ConditionName", "ActiveState", "ActiveState/Id", "AckedState/Id", "Retain", "ConditionId")
MOST_FIELDS = 64
TYPES: dict[str, DType] = {
    "Severity": "uint16",
    "LastSeverity": "uint16",
    "Retain": "bool",
    "SuppressedOrShelved": "bool",
}
_LEVEL = re.compile(r"(?:(?P<index>\d{1,5}):|nsu=(?P<uri>[^;]+);)?(?P<name>[^/;]+)(?:/|$)")


@dataclass(frozen=True, slots=True)
class Level:
    """One browse name on the way to a field; `namespace` is an index or a URI."""

    namespace: int | str
    name: str


def path(text: str) -> tuple[Level, ...]:
    """`ActiveState/Id`, `2:Batch`, `nsu=urn:press;Batch`. Raises ValueError."""
    levels: list[Level] = []
    at = 0
    while at < len(text) or not levels:
        match = _LEVEL.match(text, at)
        if match is None or (match.end() == len(text) and text.endswith("/")) or int(match["index"] or 0) > 0xFFFF:
            raise ValueError(f"{text!r} is no field of an event: write Severity, ActiveState/Id or nsu=urn:press;Batch")
        levels.append(Level(match["uri"] or int(match["index"] or 0), match["name"]))
        at = match.end()
    return tuple(levels)


def column(text: str) -> str:
    """The name of a field's column: `ActiveState_Id`."""
    joined = "_".join(level.name for level in path(text))
    return re.sub(r"[\s+#\x00-\x1f\x7f]", "_", joined).lstrip("$")[:128]


def dtype(text: str) -> DType:
    """What a field holds: the standard's fields are known, every other one is text."""
    if text.endswith("/Id") and path(text)[-2].name.endswith("State"):
        return "bool"
    return TYPES.get(text, "str")


def _field(text: str) -> str:
    path(text)
    return text


def _notifier(text: str) -> str:
    parse(text)
    return text


class EventsConfig(Section):
    """Events of one node, as a group of frames."""

    name: Name = Field(description="the group of the frames")
    node: Annotated[str, AfterValidator(_notifier)] = Field(
        SERVER, description="whose events: an object that notifies; the Server object knows all"
    )
    fields: list[Annotated[str, AfterValidator(_field)]] = Field(
        list(PLAIN), min_length=1, max_length=MOST_FIELDS, description="what of an event becomes a column"
    )
    severity: int = Field(0, ge=0, le=1000, description="only events at least as severe")
    conditions: bool = Field(
        False, description="with the state of alarms, and those that stand told again after each connect"
    )
    queue_size: int = Field(1000, ge=1, le=100_000, description="events that the server keeps between two messages")

    @property
    def columns(self) -> tuple[str, ...]:
        """All fields, those of `conditions` included."""
        return tuple(dict.fromkeys([*self.fields, *(STATE if self.conditions else ())]))

    @model_validator(mode="after")
    def _columns_differ(self) -> "EventsConfig":
        names = [column(each) for each in self.columns]
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins or not all(names):
            raise ValueError(f"two fields would become one column: {', '.join(twins)}")
        return self
