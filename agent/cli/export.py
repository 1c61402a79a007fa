"""`floorgate export`"""

from pathlib import Path

import click

from agent.cli import voice
from agent.cli.draft import draft
from agent.cli.shelf import named
from agent.config import Report
from agent.config.described import FORMATS, map_at, map_of, written
from agent.model.errors import AgentError


@click.command("export")
@click.argument("name", metavar="MAP|FILE|DEVICE")
@click.option(
    "-o", "--output", metavar="OUT", required=True, type=click.Path(path_type=Path), help="A .csv, .xlsx or .yaml."
)
@click.option(
    "-c", "--config", metavar="FILE", type=click.Path(path_type=Path), help="A site: export one of its devices."
)
@click.option(
    "--lang-headers", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Titles of a table."
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def command(name: str, output: Path, config: Path | None, lang_headers: str, force: bool) -> None:
    """Write a device map as a table for Excel, or as YAML: a map of the shelf, one in a file, or with -c what a
    device of a site reads. What it extends is written out; `map:` takes the result as it is."""
    ending = output.suffix.lower()
    if ending not in FORMATS:
        raise click.UsageError(f"OUT must end in one of {', '.join(FORMATS)}, not {ending or 'nothing'}")
    if output.exists() and not force:
        raise AgentError(f"{output} is there already", hint="choose another name, or add --force")
    report = Report()
    found, left = map_of(config, name, report) if config else (map_at(named(name), report), [])
    data = written(found, ending, lang_headers)
    with draft(output) as file:
        file.write(data)
    count, title = len(found.tags), f"{found.head.device.vendor} {found.head.device.model}".strip()
    voice.echo(f"{output}: {count} {'tag' if count == 1 else 'tags'} of {title}")
    if left:
        voice.echo(f"left out, as they belong to the device alone: {', '.join(left)}", err=True)
    for warning in report.warnings:
        voice.echo(warning.said("warning"), err=True)
