"""The questions of `floorgate init` at a terminal: an answer is judged at once, and asked again if it will not do."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError

from agent import registry
from agent.cli import finding, voice
from agent.cli.first_site import Device, Sink, named
from agent.cli.shelf import Entry, shelf
from agent.config.words import did_you_mean
from agent.model.errors import AgentError
from agent.model.text import is_name, plain

T = TypeVar("T")
MODBUS = ("tcp", "udp", "rtu", "ascii", "rtu+tcp", "ascii+tcp")
SHOWN = 8  # maps that are named


def answer(question: str, default: str, check: Callable[[str], T]) -> T:
    """What `check` makes of an answer for which it raises no ValueError."""
    while True:
        given = voice.prompt(question, default=default, show_default=bool(default), err=True).strip()
        try:
            return check(given)
        except ValueError as error:
            voice.echo(f"  {error}", err=True)


def gateway(default: str) -> str:
    return answer("Name of this gateway, part of every message", default, name)


def place() -> list[str]:
    return answer("Where it stands, from large to small, such as acme/hangzhou (empty: say nothing)", "", levels)


def devices(data: Path, taken: set[str], units: Sequence[int] | None) -> list[Device]:
    """One endpoint after the other, until none is given."""
    found: list[Device] = []
    question = "Endpoint of a device: tcp://HOST, rtu:///dev/ttyUSB0, opc.tcp://HOST:4840 (empty: no more)"
    while given := answer(question, "", endpoint):
        with suppress(_Again):
            is_server = given.startswith("opc.tcp:")
            found += _server(given, data, taken) if is_server else _modbus(given, data, taken, units)
    return found


class _Again(Exception):
    """The endpoint was no use."""


def _server(where: str, data: Path, taken: set[str]) -> list[Device]:
    try:
        device = finding.server(where, data, taken)
    except (AgentError, click.UsageError) as error:
        raise _told(error) from error
    return [replace(device, user=answer("  User name at the server (empty: anonymous)", "", str))]


def _modbus(where: str, data: Path, taken: set[str], units: Sequence[int] | None) -> list[Device]:
    if answer("  Scan it now? Nothing is written to any device (y/n)", "y", yes):
        try:
            return finding.scanned(where, units, data, taken)
        except (AgentError, click.UsageError) as error:
            raise _told(error) from error
    unit = answer("  Its unit", "1", _unit)
    entry = answer("  Device map: its name, or a word such as sdm630 to search for (empty: none)", "", _map)
    return [Device(named(f"{entry.partition('-')[2] or 'unit'}-{unit}", taken), where, unit, entry)]


def _told(error: AgentError | click.UsageError) -> _Again:
    voice.echo(f"  {error.format_message() if isinstance(error, click.UsageError) else error}", err=True)
    return _Again()


def sink() -> Sink | None:
    """Where it goes, with the user's name; None for nowhere yet."""
    url = answer("Where data goes: mqtt://HOST, mqtts://HOST, https://HOST/PATH (empty: nowhere yet)", "", sink_url)
    if not url:
        return None
    return Sink("platform", url, answer("  User name there (empty: none)", "", str))


def password(user: str, where: str) -> str:
    """Not shown while it is typed, which has to be twice the same."""
    while True:
        given: str = voice.prompt(f"Password of {user} at {where}", hide_input=True, err=True)
        if voice.prompt("The same once more", hide_input=True, err=True) == given:
            return given
        voice.echo("  they are not the same", err=True)


def yes(text: str) -> bool:
    """Raises ValueError."""
    if text.lower() not in ("y", "yes", "n", "no"):
        raise ValueError("y or n")
    return text.lower().startswith("y")


def name(text: str) -> str:
    """Raises ValueError."""
    if not is_name(text):
        raise ValueError(f"{text!r} is not a name: 1 to 128 characters, no space, none of / + #")
    return text


def levels(text: str) -> list[str]:
    """`acme/hangzhou`. Raises ValueError."""
    return [name(part.strip()) for part in text.split("/")] if text else []


def sink_url(text: str) -> str:
    """Raises ValueError for a URL that no sink takes."""
    kind = Sink("platform", text).type
    if text and not kind:
        raise ValueError(f"{text!r} is nowhere: mqtt://, mqtts://, ws://, wss://, http:// or https://")
    if kind:
        _fits(lambda: registry.sink_config(kind).model_validate({"name": "platform", "type": kind, "url": text}))
    return text


def endpoint(text: str) -> str:
    if not text:
        return ""
    driver = "opcua" if text.startswith("opc.tcp:") else "modbus"
    tags = [{"match": "*"}] if driver == "opcua" else [{"name": "a", "address": 0}]
    keys = {"name": "device", "driver": driver, "endpoint": text, "tags": tags}
    _fits(lambda: registry.driver_config(driver).model_validate(keys))
    return text


def _fits(made: Callable[[], object]) -> None:
    try:
        made()
    except ValidationError as error:
        raise ValueError(plain(str(error.errors()[0]["msg"]).removeprefix("Value error, "))) from error


def _unit(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise ValueError(f"{text!r} is no unit: 1 to 247 on a serial line, 0 and 255 too on TCP")
    return int(text)


def _map(text: str) -> str:
    known = {entry.name: entry for entry in shelf() if entry.driver == "modbus"}
    if not text or text in known:
        return text
    fits = [entry for entry in known.values() if _has(entry, text.casefold())]
    if len(fits) == 1:
        voice.echo(f"  {fits[0].name}: {fits[0].vendor} {fits[0].model}", err=True)
        return fits[0].name
    if fits:
        raise ValueError("one of: " + ", ".join(entry.name for entry in fits[:SHOWN]) + (" …" if fits[SHOWN:] else ""))
    near = did_you_mean(text, known)
    raise ValueError(f"no map has {text!r}: {near}" if near else f"no map has {text!r}")


def _has(entry: Entry, word: str) -> bool:
    return word in f"{entry.name} {entry.vendor} {entry.model} {entry.name_zh} {entry.kind}".casefold()
