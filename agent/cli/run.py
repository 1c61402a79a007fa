"""`floorgate run`"""

import asyncio
import faulthandler
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from agent.cli.archive import swapping
from agent.cli.options import config_option, data_option
from agent.model import host
from agent.runtime import app
from agent.runtime.history import History
from agent.runtime.logs import Logs
from agent.runtime.notify import Notify
from agent.runtime.running import Running
from agent.runtime.startup import begin
from agent.runtime.steward import Steward
from agent.status.config import Pages
from agent.status.log import Volume

STDERR = 2


@click.command("run")
@config_option
@click.option("--no-watch", is_flag=True, help="Do not go over to another configuration when a file changes.")
@data_option
def command(config: Path, no_watch: bool, data: Path) -> None:
    """Read the devices of FILE and forward what they say, until SIGTERM or Ctrl-C.

    When FILE, a part of it or a map changes, and on SIGHUP, the agent goes over to what they say now.
    """
    notify = Notify.taken(os.environ)
    if notify.watchdog:
        faulthandler.enable(STDERR)  # the watchdog ends what is stuck with SIGABRT: where it was stuck is told
    with asyncio.Runner(loop_factory=host.new_loop) as runner:
        runner.run(_until_signal(config, data, notify, watch=not no_watch))


async def _until_signal(config: Path, data: Path, notify: Notify, *, watch: bool) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    host.on_stop(loop, stop.set)
    await _agent(config, data, stop, notify, watch=watch)


def _agent(config: Path, data: Path, stop: asyncio.Event, notify: Notify, *, watch: bool) -> Coroutine[Any, Any, None]:
    """To be awaited where nobody holds the site, so that the agent can let go of its tags."""
    swapping.finish(data)
    history = History(data)
    site, start = begin(config, history)
    logs = Logs()
    logs.setup(site.log.level, site.log.format)
    steward = Steward(config, history, start, watch=watch)
    host.on_reload(asyncio.get_running_loop(), steward.reload)
    return app.run(
        site,
        data,
        stop,
        steward=lambda agent: steward.run(Running(agent, config.name)),
        routes=[*Pages(steward).routes(), *Volume(logs.level).routes()],
        notify=notify,
        logs=logs,
    )
