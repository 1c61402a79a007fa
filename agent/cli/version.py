"""`floorgate version`"""

import json
from pathlib import Path

import click

from agent import __version__


@click.command("version")
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, readable=False),  # who may not read it hears what to do
    help="Also the instance that is there.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(data: Path | None, as_json: bool) -> None:
    """Print the version; with --data the id of the instance, too, which a restored copy does not share."""
    found = {"version": __version__}
    if data is not None:
        from agent.cli.access import look  # noqa: PLC0415  # the version alone is to come at once

        with look(data) as access:
            found["instance"] = str(access.stats()["instance"])
    if as_json:
        click.echo(json.dumps(found, separators=(",", ":")))
        return
    click.echo(f"floorgate {__version__}")
    if data is not None:
        click.echo(f"instance {found['instance']}")
