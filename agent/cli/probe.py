"""`floorgate probe`"""

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from agent.cli import raw, records, tables, voice
from agent.cli.options import data_option, json_option
from agent.cli.port import port_in_use
from agent.cli.spelt import Address, Expected, Span, Tolerance
from drivers.modbus.kinds import Register
from drivers.modbus.plausible import Candidate, Way, Windows, ranked
from drivers.modbus.probing import around
from drivers.transport import Endpoint

LINES = 3  # candidates whose configuration is printed
SHOWN = 3  # other ways to read the same number that are named
DIGITS = {"float32": 7}  # as many as the type can vouch for


@click.command("probe")
@click.argument("endpoint", callback=raw.endpoint)
@click.option("--unit", type=click.IntRange(0, 255), default=1, show_default=True, help="The unit id.")
@click.option("--address", type=Address(), required=True, metavar="A", help="0-based, such as 72 or 0x48.")
@click.option(
    "--register",
    type=click.Choice(["holding", "input"]),
    default="holding",
    show_default=True,
    help="The table that it is in.",
)
@click.option("--expect", type=Expected(), metavar="NUMBER", help="What the display of the device shows.")
@click.option("--tolerance", type=Tolerance(), default="1%", show_default=True, help="How far that may be off.")
@click.option("--timeout", type=Span(), default="1s", show_default=True, help="For one request.")
@click.option("--again", type=Span(), default="1s", show_default=True, help="Between the two readings.")
@click.option("--top", type=click.IntRange(1, 100), default=8, show_default=True, help="How many are shown.")
@data_option
@json_option
def command(
    *,
    endpoint: Endpoint,
    unit: int,
    address: int,
    register: Register,
    expect: Fraction | None,
    tolerance: float,
    timeout: float,
    again: float,
    top: int,
    data: Path,
    as_json: bool,
) -> None:
    """Find out how the registers at an address of ENDPOINT are meant.

    Reads them, and those one before and behind, in every type, order and scale, and ranks what comes out: by how near
    it is to --expect, or without it by what devices usually say. Prints the line to paste into a configuration.
    """
    with port_in_use(data, str(endpoint)):
        first, second = asyncio.run(_read_twice(str(endpoint), unit, register, address, timeout, again))
    found = ranked(first, again=second, expect=expect, tolerance=tolerance)
    shown = [each for each in found if each.fits][:top] or found[:top]
    if as_json:
        records.show([_record(each, address, register) for each in shown])
        return
    _show(shown, address, register, f"{endpoint}, unit {unit}, {register} {address}")
    _advise(found, expect)


async def _read_twice(
    endpoint: str, unit: int, register: Register, at: int, timeout: float, again: float
) -> tuple[Windows, Windows]:
    async with raw.connected(endpoint, timeout) as ask:
        first = await around(ask, unit, register, at)
        await asyncio.sleep(again)
        return first, await around(ask, unit, register, at)


def _line(way: Way, at: int, register: Register) -> str:
    """What to paste into `tags:`."""
    keys = f"name: probed, register: {register}, address: {at + way.offset}, type: {way.type}, order: {way.order}"
    return f"- {{{keys}, scale: {way.scale}}}" if way.scale != "1" else f"- {{{keys}}}"


def _record(each: Candidate, at: int, register: Register) -> dict[str, Any]:
    way = each.way
    place = {"register": register, "address": at + way.offset, "type": way.type, "order": way.order}
    row: dict[str, Any] = {"value": float(each.value), **place, "scale": float(way.scale), "raw": _words(each)}
    row |= {"score": each.score, "fits": each.fits, "why": each.why, "same": [str(other) for other in each.same]}
    return {**row, "line": _line(way, at, register)}


def _words(each: Candidate) -> str:
    return " ".join(f"{word:04x}" for word in each.words)


def _number(value: Fraction, kind: str = "") -> str:
    whole = value.denominator == 1 and abs(value) < 10**20
    return str(value) if whole else f"{float(value):.{DIGITS.get(kind, 12)}g}"


def _show(found: Sequence[Candidate], at: int, register: Register, title: str) -> None:
    sides = {"value": "right", "address": "right", "type": "left", "order": "left", "scale": "right", "raw": "left"}
    table = tables.table(title, **sides, score="right", why="left", the_same="left")
    for each in found:
        way, more = each.way, len(each.same) - SHOWN
        same = ", ".join(str(other) for other in each.same[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        cells = [_number(each.value, way.type), at + way.offset, way.type, way.order, way.scale, _words(each)]
        table.add_row(*(tables.cell(cell) for cell in [*cells, f"{max(each.score, 0):g}", each.why, same]))
    tables.show(table)
    for each in found[:LINES]:
        voice.echo(f"{_line(each.way, at, register)}  # {_number(each.value, each.way.type)}")


def _advise(found: Sequence[Candidate], expect: Fraction | None) -> None:
    fitting = sum(each.fits for each in found)
    if expect is None:
        voice.echo("These are guesses: with --expect and what the display shows it is a finding.", err=True)
    elif not fitting:
        voice.echo(
            f"Nothing is near {_number(expect)}: another address or register, or a value that changes?", err=True
        )
    elif fitting > 1 or found[0].same:
        voice.echo(
            "More than one way fits: probe again when the value is another one, and see which remains.", err=True
        )
