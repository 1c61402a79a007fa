"""`floorgate browse --pin`: find at once what the patterns of a device mean, and keep it."""

import asyncio
from collections.abc import Callable, Sequence

import click

from agent.cli import records, voice
from agent.cli.progress import progress
from agent.model.text import plain
from drivers.api import Driver, TagConfig
from drivers.finding import Finder, Search


def pin(driver: Driver, *, most: int, seconds: float, as_json: bool) -> bool:
    """Look, and say what is new; whether the search came to its end. Raises AgentError and click.UsageError."""
    with progress("nodes") as done:
        try:
            search = asyncio.run(_find(driver, most, seconds, done))
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        records.show(_record(driver.device, search))
    else:
        voice.echo(f"{driver.device}: found by its patterns: {search.found:,}, of which {len(search.new):,} new")
        for tag in search.new:
            voice.echo(f"  {plain('  '.join(_words(tag)))}")
    for remark in search.remarks:
        voice.echo(f"floorgate: {plain(remark)}", err=True)
    return not search.cut


async def _find(driver: Driver, most: int, seconds: float, done: Callable[[int], None]) -> Search:
    if not isinstance(driver, Finder):
        raise ValueError(f"{driver.device}: its driver knows no patterns of tags")
    try:
        await driver.open()
        return await driver.find(done, most=most, seconds=seconds)
    finally:
        await driver.close()


def _words(tag: TagConfig) -> Sequence[str]:
    return [tag.name, getattr(tag, "node", ""), getattr(tag, "dtype", ""), tag.unit]


def _record(device: str, search: Search) -> dict[str, object]:
    new = [dict(zip(("name", "node", "type", "unit"), _words(tag), strict=True)) for tag in search.new]
    return {"device": device, "found": search.found, "new": new, "remarks": list(search.remarks), "cut": search.cut}
