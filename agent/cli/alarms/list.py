"""`floorgate alarms list`"""

import json
from pathlib import Path

import click

from agent.cli import tables, voice
from agent.cli.alarms.asked import moment, running
from agent.cli.options import data_option, json_option


@click.command("list")
@click.option("--all", "normal", is_flag=True, help="Those that are normal, too.")
@data_option
@json_option
def command(normal: bool, data: Path, as_json: bool) -> None:
    """The alarms that are active or shelved, the most severe first."""
    with running(data) as agent:
        alarms = agent.get("/api/v1/alarms", all="1" if normal else "")["alarms"]
    if as_json:
        click.echo(json.dumps(alarms))
        return
    if not alarms:
        voice.echo("no alarm is active or shelved" if not normal else "there are no alarms")
        return
    shown = tables.table(device="left", alarm="left", state="left", severity="right", since="left", text="left")
    for each in alarms:
        until = each["shelved_until"]
        state = each["state"] if until is None else f"shelved until {moment(until)}"
        style = {"active": "red", "chattering": "yellow"}.get(each["state"], "")
        cells = each["device"], each["name"], state, each["severity"], moment(each["since"]), each["text"]
        shown.add_row(*(tables.cell(cell, style) for cell in cells))
    tables.show(shown)
