"""`floorgate store forget`"""

from pathlib import Path

import click

from agent.cli import voice
from agent.cli.access import hold
from agent.cli.options import data_option
from agent.cli.progress import progress


@click.command("forget")
@click.argument("sink")
@data_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(sink: str, data: Path, yes: bool) -> None:
    """Give up what SINK is owed, once it has been taken out of the configuration; the ledger keeps its account."""
    if not yes:
        voice.confirm("What this sink never got will be gone for good. Go on?")
    total = 0
    with hold(data) as store, progress("frames") as done:
        while count := store.forget(sink):
            total += count
            done(total)
    voice.echo(f"{total:,} frames that {sink} was owed are given up")
