"""`floorgate alarms`: how the alarms of a running agent stand, and those that are shelved."""

import click

from agent.cli.lazy import Lazy

NAMES = ("list", "shelve", "unshelve")


@click.command("alarms", cls=Lazy, package="agent.cli.alarms", names=NAMES)
def command() -> None:
    """The alarms of a running agent: how they stand, and those that nobody is to be told of for a while."""
