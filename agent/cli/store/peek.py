"""`floorgate store peek`"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli import tables, walk
from agent.cli.access import Access, look
from agent.cli.lines import record
from agent.cli.options import data_option, iso, json_option
from buffer.shelf import Opener, Pick

MOST = 10_000  # frames
SHOWN = 8  # tags of a frame in the table


@click.command("peek")
@click.option("--device", metavar="DEVICE", default="", help="Only frames of this device.")
@click.option("--last", type=click.IntRange(1, MOST), default=10, show_default=True, help="How many frames.")
@data_option
@json_option
def command(device: str, last: int, data: Path, as_json: bool) -> None:
    """Show the newest frames, the oldest of them first; nothing is taken away. With --json all of their tags."""
    with look(data) as access:
        found = [each for each, _ in zip(_newest(access, device), range(last), strict=False)][::-1]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)


def _newest(access: Access, device: str) -> Iterator[dict[str, Any]]:
    """Newest first; of a frame that is damaged only its number."""
    for page, entries in walk.back(access, Pick(device=device), Opener(access.schemas)):
        for row, entry in zip(reversed(page.rows), reversed(entries), strict=True):
            yield record(entry) if entry else {"seq": row.seq, "damaged": True}


def _show(records: list[dict[str, Any]]) -> None:
    table = tables.table(seq="right", time="left", device="left", group="left", values="left")
    for each in records:
        if "damaged" in each:
            table.add_row(f"{each['seq']:,}", "", "", "", tables.cell("damaged", "red"))
            continue
        table.add_row(f"{each['seq']:,}", iso(each["ts_ns"]), *map(tables.cell, _cells(each)))
    tables.show(table)


def _cells(each: dict[str, Any]) -> tuple[str, str, str]:
    values, quality = each["values"], each["quality"]
    said = [f"{tag}={value}" + (f" ({quality[tag]})" if tag in quality else "") for tag, value in values.items()]
    said += [f"{tag}: {why}" for tag, why in quality.items() if tag not in values]
    more = [f"and {len(said) - SHOWN:,} more"] if len(said) > SHOWN else []
    return each["device"], each["group"], ", ".join([*said[:SHOWN], *more])
