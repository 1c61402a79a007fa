"""`floorgate apply`"""

from pathlib import Path
from typing import Any

import click

from agent.cli import records, voice
from agent.cli.agree import agree
from agent.cli.compared import compare, refuse, said, who
from agent.cli.options import config_option, data_option, json_option
from agent.cli.standing import changed, not_this, past, running
from agent.cli.trying import follow
from agent.config import Invalid
from agent.model.errors import AgentError
from agent.model.text import duration
from agent.status.config import LONGEST, SHORTEST


class Length(click.ParamType[float]):
    """Seconds from `10m`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not SHORTEST <= seconds <= LONGEST:
            self.fail(f"{value} is not between {SHORTEST}s and 7d", param, ctx)
        return seconds


@click.command("apply")
@config_option
@click.option(
    "--confirm",
    "seconds",
    type=Length(),
    metavar="T",
    help="On trial: goes back by itself when reads or the uplink get worse, or without `floorgate confirm` within T.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@data_option
@json_option
@click.pass_context
def command(ctx: click.Context, config: Path, seconds: float | None, yes: bool, data: Path, as_json: bool) -> None:
    """Show what FILE changes, ask, and have the running agent go over to it; only what changed restarts.

    With --confirm it waits and shows how the trial goes; Ctrl-C leaves the trial running. Ends with 1 when it was
    reverted.
    """
    with running(data) as agent:
        standing = agent.get("/api/v1/config")
        if (error := not_this(config, standing)) is not None:
            raise error
        if standing["trial"]:
            version = standing["trial"]["version"]
            raise AgentError(f"version {version} is on trial", hint="`floorgate confirm` or `floorgate rollback` first")
        state, content = past(data)
        try:
            found = compare(_spelt(config, standing), None, state, content, agent)
        except Invalid as invalid:
            refuse(ctx, invalid, as_json=as_json)
            return
        for line in said(found):
            voice.echo(line, err=as_json)
        if found.changes:
            agree("Apply it?" if seconds is None else "Try it?", yes=yes)
        else:
            seconds = None  # there is nothing to try
        answer = changed(agent, data, "/api/v1/config/apply", confirm=seconds, who=who(), digest=found.loaded.digest)
        if not answer["changed"]:
            _say(answer, as_json, "nothing changed: it runs already" if found.changes else "")
        elif seconds is None:
            _say(answer, as_json, f"version {answer['version']} runs")
        else:
            ended = follow(data, answer["version"], seconds)
            _say({**answer, "outcome": ended["outcome"], "reason": ended["reason"]}, as_json, "")
            ctx.exit(ended["outcome"] == "reverted")


def _spelt(config: Path, standing: dict[str, Any]) -> Path:
    """As the agent calls it, if that is another name: what is looked at has the same paths then."""
    ours = Path(standing["file"])
    return config if config.absolute() == ours else ours


def _say(answer: dict[str, Any], as_json: bool, text: str) -> None:
    if as_json:
        records.show(answer)
    elif text:
        voice.echo(text)
