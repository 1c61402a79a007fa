"""`floorgate alarms unshelve`"""

import json
from pathlib import Path

import click

from agent.cli import voice
from agent.cli.alarms.asked import path_of, running, said
from agent.cli.options import data_option, json_option


@click.command("unshelve")
@click.argument("device")
@click.argument("name")
@data_option
@json_option
def command(device: str, name: str, data: Path, as_json: bool) -> None:
    """Tell of the alarm NAME of DEVICE again."""
    with running(data) as agent:
        alarm = agent.post(path_of(device, name, "unshelve"))
    if as_json:
        click.echo(json.dumps(alarm))
    else:
        voice.echo(said(alarm))
