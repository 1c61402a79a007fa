"""`floorgate replay`"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli import lines, voice
from agent.cli.options import config_option, json_option
from agent.cli.progress import progress
from agent.model.errors import AgentError
from agent.model.frame import Entry, Frame

if TYPE_CHECKING:
    from agent.config import Site
    from agent.record.format import Recording
    from agent.replay.play import Account, Play
    from buffer.store import Store

EPOCH = "replay"
BATCH = 1000  # frames in one commit
Last = dict[tuple[str, str], tuple[Any, int, int, str]]  # value, quality, time and unit, by device and tag


class Speed(click.ParamType[float]):
    """`max`, or how many times as fast as it was: `1x`."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).lower()
        if text == "max":
            return 0.0
        try:
            found = float(text.removesuffix("x"))
        except ValueError:
            found = 0.0
        if not 0.01 <= found <= 1000:
            self.fail(f"{value!r} is neither max nor a speed such as 1x or 10x", param, ctx)
        return found


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the frames into a store in DIR, for `floorgate store` and `floorgate ledger`; DIR has none yet.",
)
@click.option("--speed", type=Speed(), default="max", show_default=True, help="max, or 1x, 10x …")
@json_option
def command(file: Path, config: Path, data: Path | None, speed: float, as_json: bool) -> None:
    """Play the recording FILE against a configuration: the same one, or one that was corrected since.

    Prints what each tag said last, or all frames as JSON lines; the same FILE and configuration give the same.
    """
    from agent.config import load  # noqa: PLC0415  # help is to come at once
    from agent.record.format import read_recording  # noqa: PLC0415  # as above
    from agent.replay.play import Play  # noqa: PLC0415  # as above

    site = load(config)
    recording = read_recording(file)
    _warn(recording)
    play = Play(site, recording, data)
    last: Last = {}
    with _store(site, data, play) as store:
        asyncio.run(_play(play, store, last, speed, as_json=as_json))
    if not as_json:
        _show(last)
    _tell(play.account)


def _warn(recording: "Recording") -> None:
    if recording.damage:
        voice.echo(f"floorgate: {recording.path}: {recording.damage}; what comes before that is played", err=True)


async def _play(play: "Play", store: "Store | None", last: Last, speed: float, *, as_json: bool) -> None:
    writer, number, waiting = lines.Writer(), 0, list[Frame]()
    with progress("replay", play.length) as done:
        async for frames in play.frames(speed):
            for frame in frames:
                number += 1
                if as_json:
                    for line in writer.lines(Entry(EPOCH, number, False, frame)):
                        sys.stdout.buffer.write(line)
                else:
                    _remember(last, frame)
            if store is not None:
                waiting += frames
                if len(waiting) >= BATCH:
                    _commit(play, store, waiting)
            done(play.account.moments)
    if store is not None:
        _commit(play, store, waiting)


def _commit(play: "Play", store: "Store", waiting: list[Frame]) -> None:
    store.suppress(play.steps.suppressed())
    store.append(waiting)
    waiting.clear()


@contextmanager
def _store(site: "Site", data: Path | None, play: "Play") -> Iterator["Store | None"]:
    """A new store in the directory, which owes its frames to the sinks of the site; nothing is sent."""
    if data is None:
        yield None
        return
    from agent.runtime.app import STORE, store_keeper  # noqa: PLC0415  # as above

    if (data / STORE).exists():
        raise AgentError(f"{data / STORE}: is there already", hint="name an empty directory, so that nothing is mixed")
    keeper = store_keeper(site, data, play.past.clock)
    store = keeper.open()
    try:
        names = [sink.name for sink in site.sinks] or [EPOCH]
        keeper.attach(names, names)
        yield store
    finally:
        store.close()


def _remember(last: Last, frame: Frame) -> None:
    for place, (tag, value, quality) in enumerate(frame.rows()):
        stamp = frame.ts if frame.stamps is None else frame.stamps[place]
        last[frame.schema.device, tag.name] = value, quality, stamp, tag.unit


def _show(last: Last) -> None:
    from agent.cli import tables  # noqa: PLC0415  # for people only
    from agent.cli.options import iso  # noqa: PLC0415  # as above
    from agent.cli.read import DIGITS  # noqa: PLC0415  # as above
    from agent.model.quality import quality_name  # noqa: PLC0415  # as above

    table = tables.table("", device="left", tag="left", value="right", unit="left", quality="left", time="left")
    for (device, tag), (value, quality, stamp, unit) in sorted(last.items()):
        text = f"{value:.{DIGITS['float32']}g}" if isinstance(value, float) else "" if value is None else str(value)
        cells = [device, tag, text, unit, quality_name(quality), iso(stamp)]
        table.add_row(*(tables.cell(each, "red" if quality else "") for each in cells))
    tables.show(table)


def _tell(account: "Account") -> None:
    """What a person should know besides the values, on stderr."""
    said = [f"not recorded: {each}" for each in account.missing]
    said += [f"not played: {each}" for each in account.omitted]
    said += [f"last error of {device}: {error}" for device, error in account.errors.items()]
    for line in said:
        voice.echo(f"floorgate: {line}", err=True)
    voice.echo(f"floorgate: played {account.moments:,} moments, {account.frames:,} frames", err=True)
