"""`floorgate simulate`"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from agent.cli import voice
from agent.cli.options import config_option, json_option
from agent.model import host
from agent.model.text import duration

if TYPE_CHECKING:
    from agent.simulate.plant import Plant, Stand
    from agent.simulate.script import Step

CONSOLE = "DEVICE FAULT (such as `meter-7 dead`, `all well`), `list` or `quit`"


class Seconds(click.ParamType[float]):
    """A duration such as 10m."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("simulate")
@config_option
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the simulated site is written. [default: FILE.simulated.yaml beside FILE]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same values.")
@click.option(
    "--fault",
    "faults",
    metavar="DEVICE=FAULT",
    multiple=True,
    help="From the start on: dead, silent, slow:500ms, garbage, exception:2, flapping:10s, frozen, jump; repeatable.",
)
@click.option(
    "--script",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Faults while it runs: lines such as `t=10s meter-7 dead`.",
)
@click.option("--for", "seconds", type=Seconds(), metavar="DURATION", help="End after so long. [default: with Ctrl-C]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The first TCP port. [default: any free ones]")
@json_option
def command(
    config: Path,
    out: Path | None,
    seed: int,
    faults: tuple[str, ...],
    script: Path | None,
    seconds: float | None,
    port: int,
    as_json: bool,
) -> None:
    """Be the plant of FILE on this machine: its very registers and nodes, with values that move.

    Writes FILE.simulated.yaml, the same site with the endpoints of the simulated plant, for `floorgate run -c`.
    """
    from agent.config import load  # noqa: PLC0415  # help is to come at once
    from agent.simulate.output import default_output  # noqa: PLC0415  # as above
    from agent.simulate.plant import Plant  # noqa: PLC0415  # as above

    output = out or default_output(config)
    if output.resolve() == config.resolve():
        raise click.BadParameter(f"{output} is the file that is simulated: name another one", param_hint="--out")
    if not output.name:
        raise click.BadParameter(f"{output} is no name of a file", param_hint="--out")
    plant = Plant(load(config), seed, output.with_suffix(".pki"), port=port)
    plant.plan(_steps(plant, faults, script))
    host.many_files()
    asyncio.run(_play(plant, config, output, seconds, as_json=as_json))


def _steps(plant: "Plant", faults: Sequence[str], script: Path | None) -> "list[Step]":
    from agent.simulate.script import parse_step, read_script  # noqa: PLC0415  # as above

    try:
        steps = [parse_step(text, plant.devices) for text in faults]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    return steps + (read_script(script, plant.devices) if script else [])


async def _play(plant: "Plant", config: Path, output: Path, seconds: float | None, *, as_json: bool) -> None:
    from agent.simulate.output import write_site  # noqa: PLC0415  # as above
    from agent.simulate.plant import endpoints  # noqa: PLC0415  # as above

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    host.on_stop(loop, stop.set)
    try:
        stands = await plant.start()
        written = write_site(config, output, endpoints(stands), ca=plant.ca)
        _introduce(plant, stands, written, as_json=as_json)
        typed = sys.stdin is not None and sys.stdin.isatty() and sys.platform != "win32"  # no loop watches it there
        console = _console(plant, stop) if typed and not as_json else None
        task = asyncio.current_task()
        assert task is not None
        try:
            async with asyncio.timeout(seconds):
                await plant.until(stop)
        except TimeoutError:
            pass
        finally:
            if console is not None:
                console()
    finally:
        await plant.stop()
    _account(plant, as_json=as_json)


def _introduce(plant: "Plant", stands: "Sequence[Stand]", written: Path, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"endpoint": stand.endpoint, "simulated": stand.simulated, "devices": list(stand.devices)}
            for stand in stands
        ]
        omitted = [{"what": what, "why": why} for what, why in plant.omitted.items()]
        click.echo(json.dumps({"site": str(written), "endpoints": rows, "omitted": omitted}))
        sys.stdout.flush()
        return
    from agent.cli import tables  # noqa: PLC0415  # for people only

    table = tables.table("", endpoint="left", simulated="left", devices="left")
    for stand in stands:
        names = ", ".join(stand.devices[:4]) + (f" and {len(stand.devices) - 4} more" if len(stand.devices) > 4 else "")
        table.add_row(*map(tables.cell, (stand.endpoint, stand.simulated, names)))
    tables.show(table)
    for what, why in plant.omitted.items():
        voice.echo(f"{what}: {why}")
    voice.echo(
        f"written: {written}: the same site with these endpoints. Its sinks are yours: what is simulated goes there."
    )
    voice.echo(f"try it: floorgate run -c {quote(str(written))} --data DIR")
    for certificate in plant.secured:
        voice.echo(f"its OPC UA servers are encrypted: floorgate pki trust {quote(str(certificate))} --data DIR")
    sys.stdout.flush()


def _account(plant: "Plant", *, as_json: bool) -> None:
    """What each device was asked."""
    rows = [(device.name, device.requests, device.refused) for device in plant.devices.values()]
    if as_json:
        click.echo(
            json.dumps({"asked": [dict(zip(("device", "requests", "refused"), row, strict=True)) for row in rows]})
        )
        return
    from agent.cli import tables  # noqa: PLC0415  # for people only

    table = tables.table("", device="left", requests="right", refused="right")
    for row in rows:
        table.add_row(*map(tables.cell, row))
    tables.show(table)


def _console(plant: "Plant", stop: asyncio.Event) -> Callable[[], None]:
    """Take lines from the terminal until what this gives is called."""
    loop = asyncio.get_running_loop()
    voice.echo(f"say {CONSOLE}")

    def heard() -> None:
        line = sys.stdin.readline()
        if not line or line.strip() in ("quit", "exit", "q"):
            stop.set()
            loop.remove_reader(sys.stdin)
        elif line.strip() == "list":
            _say(f"{device.name}: {device.fault}" for device in plant.devices.values())
        elif line.strip():
            _say([_obeyed(plant, line)])

    loop.add_reader(sys.stdin, heard)

    def end() -> None:
        with suppress(ValueError):
            loop.remove_reader(sys.stdin)

    return end


def _obeyed(plant: "Plant", line: str) -> str:
    from agent.simulate.script import parse_step  # noqa: PLC0415  # as above

    try:
        step = parse_step(line, plant.devices, plant.clock())
    except ValueError as error:
        return f"{error}; say {CONSOLE}"
    plant.plan([step])
    return f"{', '.join(step.devices)}: {step.fault}"


def _say(lines: Iterable[str]) -> None:
    voice.echo("\n".join(lines))
