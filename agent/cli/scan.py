"""`floorgate scan`"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from agent.cli import raw, records, voice
from agent.cli.options import data_option, json_option
from agent.cli.port import port_in_use
from agent.cli.progress import progress
from agent.cli.shelf import modbus_maps
from agent.cli.spelt import Numbers, Span
from agent.cli.sweep import NETWORK_UNITS, SERIAL_UNITS, Sweep, lasting, settings
from agent.model.errors import Garbled
from drivers.modbus.config import PORTS
from drivers.modbus.identify import Identity
from drivers.modbus.likeness import Feature, features
from drivers.modbus.sweeping import HELD, Guess, guesses, introduced, presence
from drivers.transport import BAUDS, PARITIES, Endpoint

SERIAL, NETWORK = 0.3, 0.5  # seconds for an answer where nobody says otherwise
AGAIN = 2  # times that a silent unit of a serial line is asked: some devices miss what follows another's question
DEAF = 8  # units from which on it is strange that all of them answer
INTERRUPTED = 1
TELLING = 3  # maps that are named


@dataclass(frozen=True, slots=True)
class Found:
    """A unit that answers, and what is known of it."""

    endpoint: str
    unit: int
    says: str
    who: Identity | None = None
    like: tuple[Guess, ...] = ()


@dataclass(slots=True)
class Results:
    """What a scan has come to, also when it is interrupted. `strange` are answers that are none."""

    found: list[Found] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    all_answer: bool = False

    def sift(self, since: int, asked: int) -> None:
        """When every one of `asked` units answers, most answers are not worth to be told one by one."""
        fresh = self.found[since:]
        if not len(fresh) == asked >= DEAF:
            return
        self.all_answer = True
        usual, _ = Counter(each.says for each in fresh).most_common(1)[0]
        others = [each for each in fresh if each.says != usual]
        self.found[since:] = others if others and not usual.startswith(HELD) else fresh[:1]


class Letters(click.ParamType[tuple[str, ...]]):
    """`N,E,O`"""

    name = "parities"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        found = value if isinstance(value, tuple) else tuple(part.strip().upper() for part in value.split(","))
        if not set(found) <= set(PARITIES):
            self.fail(f"{value!r} is no list of {', '.join(PARITIES)}", param, ctx)
        return tuple(dict.fromkeys(found))


@click.command("scan")
@click.argument("endpoint", callback=raw.endpoint)
@click.option("--units", type=Numbers(0, 255), metavar="1-32,40", help="[default: 1-247, 0 and 255; serial: 1-32]")
@click.option(
    "--bauds", type=Numbers(*BAUDS), metavar="9600,19200", help="Of a serial port. [default: seven usual ones]"
)
@click.option("--parities", type=Letters(), metavar="N,E,O", help="Of a serial port. [default: N,E,O]")
@click.option("--timeout", type=Span(), help="For one answer. [default: 500ms; serial: 300ms]")
@click.option("--tries", type=click.IntRange(1, 5), help="How often a silent unit is asked. [default: 1; serial: 2]")
@click.option("--all", "everything", is_flag=True, help="Go on with other settings when one has brought answers.")
@data_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    endpoint: Endpoint,
    units: tuple[int, ...] | None,
    bauds: tuple[int, ...] | None,
    parities: tuple[str, ...] | None,
    timeout: float | None,
    tries: int | None,
    everything: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Find out which units answer at ENDPOINT, what they are, and how a serial port has to be set.

    A unit answers when anything well-formed comes, be it a refusal. Ctrl-C ends early and shows what was found. Nothing
    is written to any device.
    """
    sweep = _sweep(endpoint, units, bauds or (), parities or (), timeout, tries)
    results, interrupted = Results(), False
    longest = lasting(sweep.longest(PORTS))
    how = f" with {_many(len(sweep.endpoints), 'setting')}" if endpoint.serial else ""
    voice.echo(f"{_many(len(sweep.units), 'unit')}{how}, {longest} if nobody answers", err=True)
    try:
        _fill(results, sweep, endpoint, data, everything=everything)
    except KeyboardInterrupt:
        interrupted = True
    _report(results, as_json)
    if interrupted:
        voice.echo("floorgate: interrupted, the rest was not asked", err=True)
    ctx.exit(INTERRUPTED if interrupted or not results.found else 0)


def explored(endpoint: Endpoint, units: Sequence[int] | None, data: Path) -> list[dict[str, Any]]:
    """What --json prints, of a scan with the usual settings. Raises AgentError and click.UsageError."""
    results = Results()
    _fill(results, _sweep(endpoint, units, (), (), None, None), endpoint, data, everything=False)
    return [_record(each) for each in results.found]


def _fill(results: Results, sweep: Sweep, endpoint: Endpoint, data: Path, *, everything: bool) -> None:
    maps = {name: features(config) for name, config in modbus_maps().items()}
    with port_in_use(data, str(endpoint)), progress("asked", sweep.places) as done:
        asyncio.run(_go(sweep, maps, results, done, everything=everything))


def _sweep(
    endpoint: Endpoint,
    units: Sequence[int] | None,
    bauds: Sequence[int],
    parities: Sequence[str],
    timeout: float | None,
    tries: int | None,
) -> Sweep:
    serial = endpoint.serial is not None
    if not serial and (bauds or parities):
        raise click.UsageError(f"{endpoint} is no serial port: it has no --bauds and no --parities")
    if serial and units and (0 in units or max(units) > 247):
        raise click.UsageError("units of a serial line are 1 to 247: 0 speaks to all of them, and nobody answers")
    chosen = tuple(units or (SERIAL_UNITS if serial else NETWORK_UNITS))
    patience, often = timeout or (SERIAL if serial else NETWORK), tries or (AGAIN if serial else 1)
    return Sweep(tuple(settings(endpoint, bauds, parities)), chosen, patience, often)


async def _go(
    sweep: Sweep,
    maps: Mapping[str, Sequence[Feature]],
    results: Results,
    done: Callable[[int], None],
    *,
    everything: bool,
) -> None:
    """Fills `results` as it goes. Raises Unreachable when nothing can be connected to."""
    for number, endpoint in enumerate(sweep.endpoints):
        before = len(results.found)
        async with raw.connected(endpoint, sweep.timeout) as ask:
            for place, unit in enumerate(sweep.units):
                await _knock(ask, endpoint, unit, results, sweep.tries)
                done(number * len(sweep.units) + place + 1)
            results.sift(before, len(sweep.units))
            for at in range(before, len(results.found)):
                results.found[at] = await _met(ask, results.found[at], maps)
        if len(results.found) > before and not everything:
            return


async def _knock(ask: raw.Answers, endpoint: str, unit: int, results: Results, tries: int) -> None:
    try:
        says = await presence(ask, unit, tries)
    except Garbled as error:
        results.strange.append(str(error))
        return
    if says is not None:
        results.found.append(Found(endpoint, unit, says))


async def _met(ask: raw.Answers, found: Found, maps: Mapping[str, Sequence[Feature]]) -> Found:
    who = await introduced(ask, found.unit)
    return replace(found, who=who, like=tuple(await guesses(ask, found.unit, maps, who)))


def _report(results: Results, as_json: bool) -> None:
    if as_json:
        records.show([_record(each) for each in results.found])
    else:
        if results.found:
            voice.echo("devices:")
        for number, each in enumerate(results.found):
            twins = sum(other.unit == each.unit for other in results.found[:number])
            voice.echo(_snippet(each, f"unit-{each.unit}-{twins + 1}" if twins else f"unit-{each.unit}"))
    for line in _notes(results):
        voice.echo(line, err=True)


def _notes(results: Results) -> list[str]:
    notes = []
    if results.all_answer:
        notes.append("Every unit answers: a device that does not look at the unit, or a gateway that speaks for all.")
    if not results.found:
        notes.append("No unit answers.")
        if results.strange:
            notes.append(
                f"What came {_many(len(results.strange), 'time')} was no answer, such as: {results.strange[0]}"
            )
    elif not any(each.like for each in results.found):
        notes.append("No device map fits: floorgate probe finds out how a register is meant.")
    return notes


def _snippet(found: Found, name: str) -> str:
    """An entry to paste below `devices:`."""
    lines = [
        f"  - name: {name}" + (f"  # says that it is: {found.who}" if found.who else ""),
        "    driver: modbus",
        f"    endpoint: {found.endpoint}",
        f"    unit: {found.unit}",
    ]
    if not found.like:
        return "\n".join([*lines, "    tags:", f"      - {{name: first, address: 0}}  # {found.says}"])
    best = found.like[0]
    others = [each for each in found.like[1:TELLING] if each.likeness.score == best.likeness.score]
    also = f"; {', '.join(each.map for each in others)} would do as well" if others else ""
    told = best.likeness
    lines.append(
        f"    map: {best.map}  # a guess, {told.score:.0%}: {told.fits} of {told.of} readings make sense{also}"
    )
    return "\n".join(lines)


def _record(found: Found) -> dict[str, Any]:
    who = found.who and {"vendor": found.who.vendor, "product": found.who.product, "revision": found.who.revision}
    like = [
        {"map": each.map, "score": round(each.likeness.score, 3), "fits": each.likeness.fits, "of": each.likeness.of}
        for each in found.like
    ]
    return {"endpoint": found.endpoint, "unit": found.unit, "says": found.says, "identity": who, "maps": like}


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
