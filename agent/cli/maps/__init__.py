"""`floorgate maps`: the device maps that come with floorgate, and maps of one's own."""

import click

from agent.cli.lazy import Lazy

NAMES = ("address", "list", "search", "show", "test")


@click.command("maps", cls=Lazy, package="agent.cli.maps", names=NAMES)
def command() -> None:
    """Device maps (点表): which there are, what is in one, and whether it holds."""
