"""`floorgate schema`"""

from pathlib import Path

import click

from agent.cli.draft import draft
from agent.config.schema import as_text, map_schema, schema


@click.command("schema")
@click.option("--map", "of_map", is_flag=True, help="That of a device map instead.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default="-", metavar="FILE", help="Into a file.")
def command(of_map: bool, out: Path) -> None:
    """Print the JSON Schema of the configuration, for editors, or write it into a file."""
    text = as_text(map_schema() if of_map else schema())
    if str(out) == "-":
        click.echo(text, nl=False)
        return
    with draft(out) as file:
        file.write(text.encode())
