"""`floorgate store retry`"""

from pathlib import Path

import click

from agent.cli import voice
from agent.cli.access import hold
from agent.cli.options import data_option
from buffer.ranges import Range


class Seqs(click.ParamType[list[Range]]):
    """Frames by number: `12-40,77`."""

    name = "seqs"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> list[Range]:
        found = []
        for part in value.split(","):
            first, _, last = part.partition("-")
            try:
                span = int(first), int(last or first)
            except ValueError:
                span = 0, 0
            if not 0 < span[0] <= span[1]:
                self.fail(f"{part!r} is no number of a frame and no range such as 12-40", param, ctx)
            found.append(span)
        return found


@click.command("retry")
@click.argument("sink")
@click.argument("seqs", type=Seqs(), required=False)
@data_option
def command(sink: str, seqs: list[Range] | None, data: Path) -> None:
    """Send what SINK refused once more: all of it, or the frames SEQS, such as 12-40,77."""
    with hold(data) as store:
        count = store.retry(sink, seqs)
    voice.echo(f"{count:,} frames are owed to {sink} again")
