"""`floorgate confirm`"""

from pathlib import Path

import click

from agent.cli import records, voice
from agent.cli.options import data_option, json_option
from agent.cli.standing import running


@click.command("confirm")
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """Keep the configuration that is on trial."""
    with running(data) as agent:
        answer = agent.post("/api/v1/config/confirm")
    if as_json:
        records.show(answer)
    else:
        voice.echo(f"version {answer['version']} stays")
