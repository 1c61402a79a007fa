"""`floorgate store export`"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from agent.cli import voice, walk
from agent.cli.access import Access, look
from agent.cli.draft import draft
from agent.cli.lines import Writer
from agent.cli.options import Moment, data_option, iso
from agent.cli.progress import progress
from agent.model.errors import StoreError
from agent.model.frame import Entry
from agent.model.quality import quality_name
from buffer.shelf import Opener, Pick

COLUMNS = ("time", "device", "group", "tag", "value", "unit", "quality", "epoch", "seq")


@click.command("export")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--sink", metavar="SINK", default="", help="Only what this sink is owed.")
@click.option("--aside", is_flag=True, help="With --sink: only what it refused.")
@click.option("--since", type=Moment(), metavar="T", default=None, help="From 24h ago, or 2026-11-25T08:00.")
@click.option("--until", type=Moment(), metavar="T", default=None, help="Up to then.")
@click.option("--device", metavar="DEVICE", default="", help="Only frames of this device.")
@data_option
def command(
    out: Path,
    form: str,
    sink: str,
    aside: bool,
    since: int | None,
    until: int | None,
    device: str,
    data: Path,
) -> None:
    """Write frames to the file OUT, or to `-`; nothing is taken away.

    jsonl is whole and can be put back with `store import`; csv has a line for each value, for a spreadsheet.
    """
    if aside and not sink:
        raise click.UsageError("--aside needs --sink: it is each sink that refuses frames")

    def wanted(entry: Entry) -> bool:
        return (since is None or entry.frame.ts >= since) and (until is None or entry.frame.ts < until)

    with draft(out) as file, look(data) as access:
        written, damaged = 0, 0
        if form == "csv":
            file.write(b"\xef\xbb\xbf" + _csv([COLUMNS]))
        write = Writer().lines if form == "jsonl" else _rows
        for entry, refused in _entries(access, Pick(sink, device, aside)):
            damaged += entry is None
            if entry and wanted(entry):
                written += 1
                file.writelines(write(entry, refused))
    voice.echo(f"{written:,} frames are in {out}", err=True)
    if damaged:
        raise StoreError(f"{damaged:,} frames are damaged and are not", hint="floorgate store verify names them")


def _entries(access: Access, pick: Pick) -> Iterator[tuple[Entry | None, str]]:
    """With why a sink refused it; those that come while this runs are left for the next time."""
    stats = access.stats()
    total = stats["set_aside" if pick.aside else "owed"].get(pick.sink, 0) if pick.sink else stats["frames"]
    pick = replace(pick, until=stats["last_seq"])
    with progress("frames", total) as done:
        for page, entries in walk.forth(access, pick, Opener(access.schemas)):
            for row, entry in zip(page.rows, entries, strict=True):
                yield entry, page.refused.get(row.seq, "")
            done(total - page.left)


def _rows(entry: Entry, refused: str) -> Iterator[bytes]:
    frame = entry.frame
    head, tail = (iso(frame.ts), frame.schema.device, frame.schema.group), (entry.epoch, entry.seq)
    yield _csv(
        [
            (*head, tag.name, "" if value is None else value, tag.unit, quality_name(code), *tail)
            for tag, value, code in frame.rows()
        ]
    )


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
