"""`floorgate demo`"""

import asyncio
import json
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent import lang
from agent.cli import voice
from agent.cli.options import json_option
from agent.model import host
from agent.model.errors import AgentError

if TYPE_CHECKING:
    from agent.demo.verdict import Account, Result

SHORTEST = 8


@click.command("demo")
@click.option(
    "--seconds", type=click.IntRange(SHORTEST, 3600), default=30, show_default=True, help="How long it plays."
)
@click.option("--keep", is_flag=True, help="Keep the folder with the configuration, the store and the logs.")
@json_option
@click.option("--part", hidden=True, help="Be one of the processes of the demo.")
@click.option("--port", type=int, default=0, hidden=True)
@click.option("--parent", type=int, default=0, hidden=True)
def command(seconds: int, keep: bool, as_json: bool, part: str | None, port: int, parent: int) -> None:
    """Show what Floorgate does with a simulated plant, a dead device and a cut uplink; end with the ledger.

    Ends with 0 when each sample that was read has arrived at the platform, otherwise with 1.
    """
    if part:
        from agent.demo.parts import act  # noqa: PLC0415  # a part loads what it needs, not the whole demo

        act(part, port, parent)
        return
    if find_spec("amqtt") is None:
        raise AgentError("the demo needs amqtt, its MQTT broker", hint="pip install 'floorgate[demo]'")
    folder = Path(tempfile.mkdtemp(prefix="floorgate-demo-"))
    try:
        result = _play(seconds, folder, as_json=as_json)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    _report(result, folder if keep else None, as_json=as_json)


def _play(seconds: int, folder: Path, *, as_json: bool) -> "Result":
    from rich.console import Console  # noqa: PLC0415  # not needed by the parts

    from agent.demo.play import Play  # noqa: PLC0415  # as above
    from agent.demo.screen import Screen  # noqa: PLC0415  # as above

    async def whole() -> "Result":
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        host.on_stop(loop, task.cancel, hangup=True)
        console = Console(stderr=as_json, highlight=False)
        with Screen(console, lambda text: lang.said(lang.column(text))) as screen:
            return await Play(seconds, folder, screen, _ledger).run()

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        raise AgentError("the demo was stopped before its end") from None


def _ledger(data: Path) -> "list[Account]":
    from agent.runtime.app import STORE  # noqa: PLC0415  # loads only when the agent has ended
    from agent.runtime.desk import account_row  # noqa: PLC0415  # as above
    from buffer.rest import peek_ledger  # noqa: PLC0415  # as above

    return [account_row(account) for account in peek_ledger(data / STORE)]


def _report(result: "Result", folder: Path | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**result.as_dict(), "folder": folder and str(folder)}))
    else:
        from agent.cli.ledger import show  # noqa: PLC0415  # only for people

        show(result.accounts)
        voice.echo(result.sentence())
        if folder:
            voice.echo(f"kept: {folder}")
    if result.problems:
        raise AgentError("not every sample has arrived", hint="run it again with --keep, and look into the folder")
