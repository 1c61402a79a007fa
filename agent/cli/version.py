"""`floorgate version`"""

import click

from agent import __version__


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(as_json: bool) -> None:
    """Print the version."""
    click.echo(f'{{"version":"{__version__}"}}' if as_json else f"floorgate {__version__}")
