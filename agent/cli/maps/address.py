"""`floorgate maps address`"""

import re
from typing import Any, get_args

import click

from agent.cli import records, voice
from agent.cli.options import json_option
from agent.cli.shelf import named
from agent.config import load_map
from agent.model.errors import ConfigError
from agent.model.text import plain
from drivers.modbus.areas import Atlas
from drivers.modbus.kinds import Register, Type
from drivers.modbus.placing import placed

_PLACE = re.compile(rf"({'|'.join(get_args(Register))}):(0x[0-9a-fA-F]{{1,4}}|[0-9]{{1,5}})")


@click.command("address")
@click.argument("name", metavar="NAME|FILE")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--type", "kind", type=click.Choice(get_args(Type)), help="The tag's type: T5 is a coil with bool.")
@json_option
def command(name: str, words: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """Where a PLC's own words, such as D100, are in Modbus by a map; and with holding:100 how the PLC calls it."""
    found = load_map(named(name))
    if not found.places.known:
        hint = "`floorgate maps list` says which maps have areas"
        raise ConfigError(f"{name}: this map knows no words of a PLC", hint=hint)
    atlas = Atlas(found.places.known)
    rows = [_row(atlas, word, kind) for word in words]
    if as_json:
        records.show(rows)
        return
    for row in rows:
        said = ", ".join(f"{key}: {value}" for key, value in row.items() if key != "word")
        voice.echo(plain(said if len(rows) == 1 else f"{row['word']}: {said}"))


def _row(atlas: Atlas, word: str, kind: str | None) -> dict[str, Any]:
    """The keys that a tag would have, or the PLC's word for a place. Raises ConfigError."""
    if place := _PLACE.fullmatch(word):
        called = list(atlas.words(place[1], int(place[2], 0)))
        if not called:
            raise ConfigError(f"{word}: the PLC has nothing there", hint="`floorgate maps show` lists its areas")
        return {"word": word, "address": " or ".join(called)}
    said = placed(atlas, {"address": word} | ({"type": kind} if kind else {}))
    if said is None:
        raise ConfigError(f"{word!r} is no word of a PLC", hint="such as D100, X17, or the other way round holding:100")
    for problem in said.problems:
        raise ConfigError(f"{word}: {problem.message}", hint=problem.hint)
    return {"word": word} | {key: value for key, value in said.keys.items() if key != "address_base"}
