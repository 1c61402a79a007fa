"""`floorgate alarms shelve`"""

import json
from pathlib import Path
from typing import Any

import click

from agent.cli import voice
from agent.cli.alarms.asked import path_of, running, said
from agent.cli.options import data_option, json_option
from agent.model.text import duration
from agent.status.alarms import LONGEST


class Shelf(click.ParamType[float]):
    """Seconds from `1h`: more than nothing, and 7 days at most."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0 < seconds <= LONGEST:
            self.fail(f"{value} is not more than nothing and 7d at most", param, ctx)
        return seconds


@click.command("shelve")
@click.argument("device")
@click.argument("name")
@click.option(
    "--for", "seconds", type=Shelf(), metavar="T", required=True, help="For how long, such as 1h; 7d at most."
)
@data_option
@json_option
def command(device: str, name: str, seconds: float, data: Path, as_json: bool) -> None:
    """Tell nothing of the alarm NAME of DEVICE for a while; if it is still active then, it is told."""
    with running(data) as agent:
        alarm = agent.post(path_of(device, name, "shelve"), seconds=seconds)
    if as_json:
        click.echo(json.dumps(alarm))
    else:
        voice.echo(said(alarm))
