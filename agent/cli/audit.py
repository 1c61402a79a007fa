"""`floorgate audit`"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent.cli import records, tables
from agent.cli.options import data_option, iso, json_option
from agent.model.text import plain
from agent.runtime.audit import KEEP, resting

COLUMNS = ("time", "who", "device", "tag", "old", "new", "outcome", "found", "raw")


@click.command("audit")
@click.option("--device", default="", metavar="D", help="Only of this device.")
@click.option(
    "--last", type=click.IntRange(1, KEEP), default=50, show_default=True, metavar="N", help="How many at most."
)
@data_option
@json_option
def command(device: str, last: int, data: Path, as_json: bool) -> None:
    """Who wrote what to which device, when, and what became of it.

    An outcome of `unknown` means that the process ended, or the answer did not come: nobody knows what the device did.
    """
    with resting(data) as audit:
        entries = audit.entries(last, device)
    if as_json:
        rows = [{**entry, "at": iso(entry["at"])} for entry in entries]
        records.show(rows)
    else:
        _show(entries)


def _show(entries: Sequence[dict[str, Any]]) -> None:
    table = tables.table("Writes", **dict.fromkeys(COLUMNS, "left"))
    for entry in entries:
        who = " ".join(part for part in (entry["user"], entry["terminal"], entry["via"]) if part)
        cells = [iso(entry["at"]), who, *(entry[name] for name in COLUMNS[2:])]
        style = "" if entry["outcome"] == "done" else "red"
        table.add_row(*(tables.cell("" if cell is None else cell, style) for cell in cells))
    tables.show(table)
    for entry in entries:
        if entry["message"]:
            click.echo(f"{iso(entry['at'])}  {plain(entry['message'])}")
