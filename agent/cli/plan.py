"""`floorgate plan`"""

from pathlib import Path

import click

from agent.cli import records, voice
from agent.cli.ask import find
from agent.cli.compared import compare, refuse, said
from agent.cli.options import config_option, data_option, json_option
from agent.cli.standing import past
from agent.config import Invalid


@click.command("plan")
@config_option
@data_option
@json_option
@click.pass_context
def command(ctx: click.Context, config: Path, data: Path, as_json: bool) -> None:
    """Show what FILE would change about what runs: devices, tags, sinks, which connections restart, bus time.

    It is compared with what the agent on DIR runs, or ran last. Nothing is changed; `changes` of --json says whether
    anything would.
    """
    state, running = past(data)
    try:
        with find(data) as agent:
            found = compare(config, None, state, running, agent)
    except Invalid as error:
        refuse(ctx, error, as_json=as_json)
        return
    if as_json:
        records.show(found.as_dict())
        return
    for line in said(found):
        voice.echo(line)
