"""`floorgate store import`"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from agent.cli import voice
from agent.cli.access import hold
from agent.cli.options import data_option
from agent.cli.parse import Parser
from agent.cli.progress import progress
from agent.model.errors import AgentError, StoreError
from agent.model.frame import Frame
from buffer.codec import cleaned, encode
from buffer.rows import ROW

BATCH = 200  # frames
BATCH_BYTES = 256 << 10  # of lines
LONGEST = 4 << 20  # bytes of a line
MOST = 100  # bad lines that are named


class Line(NamedTuple):
    """One that holds a frame or a fault; `end` is where it ends in the file."""

    number: int
    end: int
    frame: Frame | None
    fault: str


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--skip-bad", is_flag=True, help="Leave out lines that make no sense, instead of refusing the file.")
@data_option
def command(file: Path, skip_bad: bool, data: Path) -> None:
    """Put the frames of FILE (JSON lines) back: they are owed to all sinks, as history, under new numbers."""
    size = _check(file, skip_bad=skip_bad)
    with hold(data) as store, file.open("rb") as lines, progress("frames", file.stat().st_size) as done:
        if size > (room := store.room()):
            raise StoreError(
                f"{file} needs about {size:,} bytes and the store has room for {room:,}",
                hint="nothing was put back; raise max_size, or put it back in parts",
            )
        count = 0
        try:
            for batch in _batches(lines):
                count += store.put([line.frame for line in batch if line.frame])
                done(batch[-1].end)
        finally:
            voice.echo(f"{count:,} frames were put back")


def _check(file: Path, *, skip_bad: bool) -> int:
    """About how many bytes the frames will need. Raises AgentError for a bad line, before anything is put back."""
    faults = size = 0
    with file.open("rb") as lines, progress("lines", file.stat().st_size) as done:
        for line in _parsed(lines):
            if line.frame:
                size += len(encode(cleaned(line.frame))) + 2 * ROW
            else:
                faults += 1
                if faults <= MOST:
                    voice.echo(f"{file}:{line.number}: {line.fault}", err=True)
            done(line.end)
    if faults and not skip_bad:
        raise AgentError(f"{file}: bad lines: {faults:,}; nothing was put back", hint="--skip-bad leaves them out")
    return size


def _batches(lines: BinaryIO) -> Iterator[list[Line]]:
    batch: list[Line] = []
    start = 0
    for line in _parsed(lines):
        batch.append(line)
        if len(batch) >= BATCH or line.end - start >= BATCH_BYTES:
            yield batch
            batch, start = [], line.end
    if batch:
        yield batch


def _parsed(lines: BinaryIO) -> Iterator[Line]:
    """The lines that hold a frame or a fault. What a line without an end holds is not read into memory."""
    parser, number, end = Parser(), 0, 0
    while text := lines.readline(LONGEST):
        number, end = number + 1, end + len(text)
        if len(text) == LONGEST and not text.endswith(b"\n"):
            while text and not text.endswith(b"\n"):
                text = lines.readline(LONGEST)
                end += len(text)
            yield Line(number, end, None, f"longer than {LONGEST:,} bytes")
            continue
        try:
            frame = parser.frame(text)
        except ValueError as error:
            yield Line(number, end, None, str(error))
        else:
            if frame:
                yield Line(number, end, frame, "")
