"""`floorgate store`: look into the store, take frames out of it, put them back."""

import click

from agent.cli.lazy import Lazy

NAMES = ("export", "forget", "import", "peek", "retry", "stats", "verify")


@click.command("store", cls=Lazy, package="agent.cli.store", names=NAMES)
def command() -> None:
    """Look into the store, take frames out, put them back; whether the agent runs or not."""
