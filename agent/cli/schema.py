"""`floorgate schema`"""

import click

from agent.config.schema import as_text, map_schema, schema


@click.command("schema")
@click.option("--map", "of_map", is_flag=True, help="That of a device map instead.")
def command(of_map: bool) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(as_text(map_schema() if of_map else schema()), nl=False)
