"""`floorgate health`"""

from pathlib import Path

import click

from agent.cli import records, voice
from agent.cli.options import data_option, json_option
from agent.cli.standing import running

SOON = 5.0  # seconds in which an agent that lives answers


@click.command("health")
@click.option("--ready", is_flag=True, help="End with 1 as well when a line, session, sink or the store is not well.")
@data_option
@json_option
@click.pass_context
def command(context: click.Context, ready: bool, data: Path, as_json: bool) -> None:
    """Whether the agent answers, within 5 s; ends with 1 when it does not. For containers, watchdogs and scripts."""
    with running(data, SOON) as agent:
        told = agent.readiness()
    if as_json:
        records.show(told)
    elif told["ready"]:
        voice.echo("the agent is ready")
    else:
        voice.echo("the agent is not ready:")
        for reason in told["reasons"]:
            voice.show(f"  {reason['code']} {reason['name']}".rstrip())
    if ready and not told["ready"]:
        context.exit(1)
