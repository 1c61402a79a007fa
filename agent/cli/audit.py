"""`floorgate audit`"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent.cli import records, tables, voice
from agent.cli.options import data_option, iso, json_option
from agent.model.text import plain
from agent.runtime.audit import KEEP, Audit, audit, resting
from agent.runtime.chain import Verdict

COLUMNS = ("time", "who", "device", "tag", "old", "new", "outcome", "found", "raw")
REFUSED = ("time", "sink", "who", "command", "device", "tag", "value", "outcome", "count", "message")


@click.command("audit")
@click.option("--device", default="", metavar="D", help="Only of this device.")
@click.option(
    "--last", type=click.IntRange(1, KEEP), default=50, show_default=True, metavar="N", help="How many at most."
)
@click.option("--refused", is_flag=True, help="Commands from a platform that were turned away instead.")
@click.option("--verify", is_flag=True, help="Whether every row is as it was written, and none is missing.")
@click.option("--archive", type=click.Path(path_type=Path), metavar="FILE", help="Move all into a new FILE.")
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="Look into an archive.")
@data_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    device: str,
    last: int,
    refused: bool,
    verify: bool,
    archive: Path | None,
    file: Path | None,
    data: Path,
    as_json: bool,
) -> None:
    """Who wrote what to which device, when, and what became of it.

    An outcome of `unknown` means that the process ended, or the answer did not come: nobody knows what the device did.
    """
    if sum((refused, verify, archive is not None)) > 1:
        raise click.UsageError("--refused, --verify and --archive are three different things")
    if archive is not None:
        _archive(data, archive, as_json)
        return
    with resting(file or data) as book:
        if verify:
            ctx.exit(_tell(book.verify(), as_json))
        _list(book, last, device, refused, as_json)


def _list(book: Audit, last: int, device: str, refused: bool, as_json: bool) -> None:
    rows = book.refusals(last, device) if refused else book.entries(last, device)
    if as_json:
        records.show([{**row, "at": iso(row["at"])} for row in rows])
    elif refused:
        _show_refused(rows)
    else:
        _show(rows)


def _archive(data: Path, target: Path, as_json: bool) -> None:
    with audit(data) as book:
        link = book.archive(target, time.time_ns())
    if as_json:
        records.show({"file": str(target), "last": str(link)})
    else:
        voice.echo(f"{target}: all up to row {link.n}; keep it: without it nobody can say what was in these rows")


def _tell(found: Verdict, as_json: bool) -> int:
    if as_json:
        row = {"ok": not found.fault, "rows": found.rows, "first": str(found.first), "last": str(found.last)}
        records.show({**row, "fault": found.fault})
    elif found.fault:
        voice.echo(found.fault, err=True)
    else:
        before = f", what was before is in a file that ends with {found.first}" if found.first.n else ""
        voice.echo(f"{found.rows:,} rows fit; the last is {found.last}{before}")
    return int(bool(found.fault))


def _show(entries: Sequence[dict[str, Any]]) -> None:
    table = tables.table("Writes", **dict.fromkeys(COLUMNS, "left"))
    for entry in entries:
        who = " ".join(part for part in (entry["user"], entry["terminal"], entry["via"]) if part)
        cells = [iso(entry["at"]), who, *(entry[name] for name in COLUMNS[2:])]
        style = "" if entry["outcome"] == "done" else "red"
        table.add_row(*(tables.cell("" if cell is None else plain(str(cell)), style) for cell in cells))
    tables.show(table)
    for entry in entries:
        if entry["message"]:
            voice.echo(f"{iso(entry['at'])}  {plain(entry['message'])}")


def _show_refused(rows: Sequence[dict[str, Any]]) -> None:
    table = tables.table("Turned away", **dict.fromkeys(REFUSED, "left"))
    for row in rows:
        table.add_row(tables.cell(iso(row["at"])), *(tables.cell(plain(str(row[name]))) for name in REFUSED[1:]))
    tables.show(table)
