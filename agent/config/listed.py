"""A loaded configuration as a list for machines: what a file says and what it does not, by key; nothing secret.

A password is `(a secret)`. Of an address what comes before `@` goes, and of a web address what comes after the host:
either may hold a secret.
"""

import re
from typing import Any

from pydantic import BaseModel, SecretStr

from agent.config.site import Site
from agent.config.spelling import HIDDEN, Number, number_of

_URL = re.compile(
    r"(?<![\w+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20})://(?:[^/@\s]{0,500}@)?(?P<host>[^/?#\s]*)(?P<rest>[^\s]*)"
)
_WEB = {"http", "https", "ws", "wss"}


def listed(section: BaseModel, *without: str) -> dict[str, Any]:
    """A section, but for the fields `without`; times as `1s`, sizes as `64MB`."""
    fields = type(section).model_fields
    return {
        about.alias or name: _plain(getattr(section, name), number_of(type(section), name))
        for name, about in fields.items()
        if name not in without
    }


def site(found: Site) -> dict[str, Any]:
    """All of it but the tags, which are too many: how many there are of each device is known to whoever reads it."""
    return {
        "gateway": listed(found.gateway),
        "devices": [listed(each, "tags", "derived") for each in found.devices],
        "virtual": [each.name for each in found.virtual],
        "lines": [listed(each) for each in found.lines],
        "sinks": [listed(each) for each in found.sinks],
        "buffer": listed(found.buffer),
        "log": listed(found.log),
        "status": listed(found.status),
    }


def address(text: str) -> str:
    """Without what may be secret in it."""
    return _URL.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    rest = found["rest"]
    if found["scheme"].lower() in _WEB:
        rest = "/…" if rest.strip("/") else rest
    return f"{found['scheme']}://{found['host']}{rest}"


def _plain(value: Any, number: Number) -> Any:
    found: Any = str(value)
    match value:
        case SecretStr():
            found = HIDDEN
        case None | bool():
            found = value
        case int() | float():
            said = number(value)
            found = said if said.rstrip("0123456789.-") else value  # with a unit
        case str():
            found = address(value)
        case BaseModel():
            found = listed(value)
        case dict():
            found = {str(key): _plain(each, number) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            found = [_plain(each, number) for each in value]
    return found
