"""`floorgate maps list`"""

import click

from agent.cli import records, tables, voice
from agent.cli.options import json_option
from agent.cli.shelf import Entry, shelf


@click.command("list")
@click.option("--driver", default="", help="Only those for this driver.")
@click.option("--kind", default="", help="Only those of this kind, such as power_meter_3ph.")
@json_option
def command(driver: str, kind: str, as_json: bool) -> None:
    """The maps that come with floorgate: `map: NAME` of a device takes one."""
    found = [entry for entry in shelf() if driver in ("", entry.driver) and kind in ("", entry.kind)]
    show(found, as_json)


def show(found: list[Entry], as_json: bool) -> None:
    if as_json:
        records.show([entry.as_dict() for entry in found])
        return
    table = tables.table("", map="left", vendor="left", model="left", kind="left", tags="right", status="left")
    for entry in found:
        cells = (entry.name, entry.vendor, entry.model, entry.kind, _count(entry), entry.status)
        table.add_row(*map(tables.cell, cells))
    tables.show(table)
    voice.echo(f"{len(found)} {'map' if len(found) == 1 else 'maps'}; `floorgate maps show NAME` has the details")


def _count(entry: Entry) -> str:
    return f"{entry.areas} areas" if entry.areas and not entry.tags else str(entry.tags)
