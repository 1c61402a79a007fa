"""`floorgate log`"""

import json
from pathlib import Path
from typing import Any

import click

from agent.cli import voice
from agent.cli.options import data_option, json_option
from agent.cli.simulate import Seconds
from agent.cli.standing import running
from agent.model.text import duration_text
from agent.status.log import LEVELS, LONGEST

FILE = "file"  # the level that the file says


@click.command("log")
@click.argument("level", required=False, type=click.Choice([*LEVELS, FILE]))
@click.option("--for", "seconds", type=Seconds(), default="10m", show_default=True, metavar="T", help="How long.")
@data_option
@json_option
def command(level: str | None, seconds: float, data: Path, as_json: bool) -> None:
    """Show how much the running agent logs, or have it log from LEVEL on for a while.

    Afterwards, with `file`, and when another `log` section is applied, it is again what the configuration file says.
    """
    if not 0 < seconds <= LONGEST:
        raise click.BadParameter("up to 7d, such as 10m", param_hint="--for")
    with running(data) as agent:
        asked = {"level": level, "seconds": seconds} if level != FILE else {}
        found = agent.get("/api/v1/log") if level is None else agent.post("/api/v1/log", **asked)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    if found["seconds"]:
        left = duration_text(max(1.0, round(found["seconds"])))
        voice.echo(f"logs from {found['level']} on for another {left}, then from {found['file']} on")
    else:
        voice.echo(f"logs from {found['level']} on")
