"""Which values of a tag mean which state of a machine."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from agent.model.text import is_name
from drivers.section import Name

OTHER, UNKNOWN = "other", "unknown"
Value = bool | int | str


def _several(given: object) -> object:
    return given if isinstance(given, list) else [given]


def _apart(states: dict[str, list[Value]]) -> dict[str, list[Value]]:
    """Each value means one state; `other` names the one of all that are not listed."""
    owners: dict[Value, str] = {}
    for name, values in states.items():
        if name == UNKNOWN:
            raise ValueError(f"{UNKNOWN} is what it is called when nothing is known: choose another name")
        if name == OTHER:
            if len(values) != 1 or not isinstance(values[0], str) or not is_name(values[0]) or values[0] == UNKNOWN:
                raise ValueError(f"{OTHER}: must be the name of a state, for all values that are not listed")
            continue
        for value in values:
            if value in owners:
                text = str(value).lower() if isinstance(value, bool) else repr(value)
                where = f"twice in {name}" if owners[value] == name else f"in {owners[value]} and in {name}"
                raise ValueError(f"{text} is {where}: take it out of one")
            owners[value] = name
    if not owners:
        raise ValueError("no state: such as {run: [1], idle: [2], fault: [3]}")
    return states


Values = Annotated[
    list[Value],
    BeforeValidator(_several, json_schema_input_type=Value | list[Value]),
    Field(min_length=1, max_length=64),
]
StateMap = Annotated[dict[Name, Values], AfterValidator(_apart), Field(max_length=16)]


def names_in(states: dict[str, Any]) -> tuple[str, ...]:
    """The names of all states, in the order of the file."""
    names = dict.fromkeys(name for name in states if name != OTHER)
    return tuple(names | dict.fromkeys(states.get(OTHER, ())))
