"""`floorgate store stats`"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli import voice
from agent.cli.access import look
from agent.cli.options import data_option, iso, json_option


@click.command("stats")
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """How full the store is, what each sink is owed, and how long the room will do at the present rate."""
    with look(data) as access:
        stats = {**access.stats(), "running": access.running}
    if as_json:
        click.echo(json.dumps(stats))
    else:
        for line in _lines(stats):
            voice.echo(line)


def _lines(stats: dict[str, Any]) -> Iterator[str]:
    yield f"frames       {stats['frames']:,}, the last one is {stats['last_seq']:,}"
    yield f"oldest       {'none' if stats['oldest_ts'] is None else iso(stats['oldest_ts'] * 10**6)}"
    limit = f" of at most {_size(stats['limit'])}" if stats["limit"] else ""
    yield f"bytes        {_size(stats['bytes'])}{limit}"
    yield f"file         {_size(stats['file_bytes'])}, {_size(stats['free_bytes'])} are free on the disk"
    yield f"at present   {_rates(stats)}"
    for sink, frames in stats["owed"].items():
        aside = stats["set_aside"].get(sink, 0)
        yield f"sink         {sink}: owed {frames:,} frames" + (f", {aside:,} set aside" if aside else "")


def _rates(stats: dict[str, Any]) -> str:
    if not stats["running"]:
        return "no agent runs"
    rates = f"{stats['samples_per_s']:,.1f} samples/s, {_size(stats['bytes_per_s'])}/s"
    left = stats["hours_left"]
    return rates if left is None else f"{rates}: there is room for {left:,.1f} hours"


def _size(number: float) -> str:
    for unit in ("B", "KB", "MB"):
        if number < 1024:
            return f"{number:,.4g} {unit}"
        number /= 1024
    return f"{number:,.4g} GB"
