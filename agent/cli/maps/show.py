"""`floorgate maps show`"""

from collections.abc import Callable, Mapping
from typing import Any

import click

from agent import lang
from agent.cli import records, tables, voice
from agent.cli.options import json_option
from agent.cli.shelf import named
from agent.config import load_map
from agent.model.text import plain

_ABOUT: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("counted in octal", lambda area: area.radix == 8),
    ("2 registers each", lambda area: area.words == 2),
    ("read only", lambda area: area.read_only or area.register in ("discrete", "input")),
)
_PLACES = ("register", "address", "node", "type", "order", "bit", "length", "scale", "offset")


@click.command("show")
@click.argument("name", metavar="NAME|FILE")
@json_option
def command(name: str, as_json: bool) -> None:
    """What is in a map: its device, sources, quirks and notes, the words of a PLC, and every tag."""
    found = load_map(named(name))
    head, tags = found.head, [tag for tag in found.tags or () if tag is not None]
    if as_json:
        about = head.model_dump(exclude_none=True)
        parts = {key: dict(getattr(found, key)) for key in ("quirks", "groups", "areas")}
        records.show({**about, **parts, "tags": [_said(tag) for tag in tags]})
        return
    voice.echo(plain(f"{head.device.vendor} {head.device.model}  {head.device.name_zh}".rstrip()))
    sure = (
        "at least two independent sources agree"
        if head.status == "confirmed"
        else "compare each value with the display"
    )
    voice.echo(f"{head.driver}, {head.device.kind or 'no kind'}, {head.status}: {sure}")
    for title, lines in (("source", head.sources), ("note", head.notes)):
        for line in lines:
            voice.show(plain(f"  {lang.word(title)}{lang.between(': ')}{line}"))
    if found.quirks:
        voice.echo(plain("  quirks: " + ", ".join(f"{key}: {value}" for key, value in found.quirks.items())))
    if found.areas:
        _areas(found.places.known or {})
    if tags or not found.areas:
        _table(tags)


def _areas(areas: Mapping[str, Any]) -> None:
    table = tables.table("", area="left", words="left", register="left", addresses="left", status="left", about="left")
    for name, area in areas.items():
        about = [word for word, said in _ABOUT if said(area)]
        where = f"0x{area.base:04X} to 0x{area.stop - 1:04X}"
        cells = (name, str(area), area.register, where, area.status, ", ".join(about))
        table.add_row(*map(tables.cell, cells))
    tables.show(table)
    voice.echo("a tag's `address` may be such a word; `floorgate maps address NAME WORD` says where it is")


def _table(tags: list[Any]) -> None:
    rows = [_said(tag) for tag in tags]
    places = [key for key in _PLACES if any(row.get(key) not in (None, "", 0) or key == "address" for row in rows)]
    places = [key for key in places if any(key in row for row in rows)]
    columns = (
        dict.fromkeys(places, "left") | {"address": "right"} if "address" in places else dict.fromkeys(places, "left")
    )
    table = tables.table("", tag="left", **columns, unit="left", kind="left", description="left")
    for row in rows:
        off = "" if row["enabled"] else "off: "
        cells = [row["name"], *(row.get(key, "") for key in places), row["unit"], row["kind"], off + row["description"]]
        table.add_row(*(tables.cell("" if cell is None else cell) for cell in cells))
    tables.show(table)


def _said(tag: Any) -> dict[str, Any]:
    """What differs from saying nothing, and what every tag has."""
    said: dict[str, Any] = tag.model_dump(exclude_defaults=True, by_alias=True)
    always = {
        "name": tag.name,
        "unit": tag.unit,
        "kind": tag.kind,
        "enabled": tag.enabled,
        "description": tag.description,
    }
    places = {key: getattr(tag, key) for key in ("register", "address", "node", "type") if hasattr(tag, key)}
    return said | places | always
