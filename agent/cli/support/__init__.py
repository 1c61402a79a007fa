"""`floorgate support`"""

import os
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli import records, voice
from agent.cli.options import data_option, json_option, running_option
from agent.cli.progress import progress

if TYPE_CHECKING:
    from agent.cli.ask import Agent
    from agent.cli.support.bundle import Bundle

USUAL = Path("/etc/floorgate/floorgate.yaml")


@click.command("support")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive. [default: floorgate-support-TIME.zip here]",
)
@data_option
@running_option
@click.option("--log", default="", metavar="FILE|journal", help="A log file of which the end goes in, too.")
@json_option
def command(output: Path | None, data: Path, config: Path | None, log: str, as_json: bool) -> None:
    """Put all that helps to find out what is wrong into one archive, without secrets.

    Whether the agent runs or not, and whatever is damaged: what cannot be had is named, with the reason. The archive
    has a README.txt that says what is in it: look through it before you send it.
    """
    from agent.cli import ask  # noqa: PLC0415  # help is to come at once
    from agent.cli.support import parts  # noqa: PLC0415  # as above
    from agent.cli.support.bundle import writing  # noqa: PLC0415  # as above
    from agent.cli.support.files import look  # noqa: PLC0415
    from agent.cli.support.places import known  # noqa: PLC0415
    from agent.cli.support.scrub import Scrubber  # noqa: PLC0415

    output = output or Path(f"floorgate-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    with ExitStack() as stack:
        agent, why = _agent(data, stack)
        theirs = ask.environ(data)
        path = config or _configuration(agent, data)
        environ = theirs if agent and theirs else dict(os.environ)
        found = look(path, environ) if path else None
        texts, folder = (found.texts, found.folder) if found else ({}, Path())
        scrub = Scrubber(known(texts, folder, [dict(os.environ), theirs], data))
        case = parts.Case(data, agent, why, found, environ, log)
        bundle = stack.enter_context(writing(output, scrub))
        with progress("parts", len(list(parts.parts(case)))) as done:
            parts.fill(bundle, case, done)
    _tell(output, bundle, as_json)


def _agent(data: Path, stack: ExitStack) -> "tuple[Agent | None, str]":
    """The one that runs there, or why there is none to be asked."""
    from agent.cli.ask import find  # noqa: PLC0415  # help is to come at once
    from agent.cli.support.parts import PATIENCE  # noqa: PLC0415  # as above
    from agent.model.errors import AgentError  # noqa: PLC0415

    try:
        agent = stack.enter_context(find(data, PATIENCE))
    except AgentError as error:
        return None, str(error)
    return agent, "" if agent else f"no agent runs on {data}"


def _configuration(agent: "Agent | None", data: Path) -> Path | None:
    """The file that the agent was started with, or was the last time, or the usual one; None where there is none."""
    from agent.model.errors import AgentError  # noqa: PLC0415  # help is to come at once
    from agent.runtime.history import History  # noqa: PLC0415

    try:
        if agent is not None:
            return Path(agent.get("/api/v1/config")["file"])
        state = History(data).state()
        if state.running:
            return Path(state[state.running].file)
    except (AgentError, LookupError, TypeError):
        pass  # the parts that need it say so themselves
    return USUAL if USUAL.exists() else None


def _tell(output: Path, bundle: "Bundle", as_json: bool) -> None:
    size = output.stat().st_size
    if as_json:
        found: dict[str, Any] = {"file": str(output), "bytes": size, "hidden": bundle.hidden}
        found |= {"members": [asdict(each) for each in bundle.members]}
        records.show(found | {"left_out": [asdict(each) for each in bundle.left_out]})
        return
    voice.echo(f"{output}: {len(bundle.members)} files, {size:,} bytes, {bundle.hidden:,} places hidden")
    for lack in bundle.left_out:
        voice.echo(f"left out: {lack.name}: {' '.join(lack.why.split())}", err=True)
    voice.echo("look through it before you send it: its README.txt says what is in it", err=True)
