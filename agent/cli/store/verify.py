"""`floorgate store verify`"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli import voice, walk
from agent.cli.access import Access, look
from agent.cli.options import data_option, json_option
from agent.cli.progress import progress
from agent.model.errors import Damaged, StoreError
from agent.model.frame import Entry
from buffer.shelf import Opener, Page, Pick

MOST = 1000  # faults that are named


@click.command("verify")
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """Check every frame against its checksum, the file, and the ledger; ends with 1 and names what is bad."""
    frames, faults = _look(data)
    if as_json:
        click.echo(json.dumps({"ok": not faults, "frames": frames, "faults": faults[:MOST]}))
    else:
        for fault in faults[:MOST]:
            voice.echo(fault)
        voice.echo(f"{frames:,} frames, {len(faults):,} faults")
    if faults:
        raise StoreError(
            "not all is well with the store",
            hint="keep a copy of the data directory; a running agent counts what is damaged as lost, and goes on",
        )


def _look(data: Path) -> tuple[int, list[str]]:
    """How many frames there are, and what is bad."""
    try:
        with look(data) as access:
            stats = access.stats()
            return stats["frames"], [*_frames(access, stats), *_file(access), *_ledger(access)]
    except Damaged as error:  # so much that nothing can be asked of it
        return 0, [str(error)]


def _frames(access: Access, stats: dict[str, Any]) -> Iterator[str]:
    """A fault for each run of neighbours that share it."""
    runs: list[tuple[int, int, str]] = []
    for seq, last, fault in _each(access, stats):
        if runs and runs[-1][1:] == (seq - 1, fault):
            runs[-1] = (runs[-1][0], last, fault)
        else:
            runs.append((seq, last, fault))
    for first, last, fault in runs:
        yield f"frame {first} {fault}" if first == last else f"frames {first} to {last} {fault}"


def _each(access: Access, stats: dict[str, Any]) -> Iterator[tuple[int, int, str]]:
    opener, last, seen = Opener(access.schemas), stats["last_seq"], 0
    with progress("frames", stats["frames"]) as done:
        try:
            for page, entries in walk.forth(access, Pick(until=last), opener):
                yield from sorted(_on_page(page, entries, opener))
                seen = page.cursor
                done(stats["frames"] - page.left)
        except Damaged as error:
            yield seen + 1, last, f"cannot all be read: {error}"


def _on_page(page: Page, entries: list[Entry | None], opener: Opener) -> Iterator[tuple[int, int, str]]:
    for first, last in page.missing:
        yield first, last, "missing from the file"
    for row, entry in zip(page.rows, entries, strict=True):
        if entry is None:
            schema = opener.schema(row)
            of = schema.device if schema else "an unknown device"
            yield row.seq, row.seq, f"of {of}: the checksum does not hold"


def _file(access: Access) -> list[str]:
    with progress("file") as done:
        try:
            return [f"the file: {fault}" for fault in access.check(lambda: done(0))]
        except Damaged as error:
            return [f"the file cannot be checked: {error}"]


def _ledger(access: Access) -> list[str]:
    try:
        accounts = access.ledger()
    except Damaged as error:
        return [f"the ledger cannot be counted: {error}"]
    return [_unbalanced(account) for account in accounts if not account["balanced"]]


def _unbalanced(account: dict[str, Any]) -> str:
    gone = [account["delivered"], account["buffered"], account["set_aside"]]
    gone += [*account["suppressed"].values(), *account["dropped"].values()]
    missing = account["read"] + account["made"] - sum(gone)
    return f"ledger: sink {account['sink']}, device {account['device']}: {missing:,} samples are unaccounted for"
