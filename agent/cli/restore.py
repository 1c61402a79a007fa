"""`floorgate restore`"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli import ask, records, voice
from agent.cli.agree import agree
from agent.cli.options import data_option, json_option
from agent.cli.progress import progress
from agent.model import host
from agent.model.errors import AgentError
from agent.model.text import LONGEST_NAME, plain

if TYPE_CHECKING:
    from agent.cli.archive.container import Facts, Reader
    from agent.cli.archive.putting import Put
    from agent.cli.putback import Restoring


@click.command("restore")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@data_option
@click.option(
    "-c",
    "--config",
    metavar="SITE",
    type=click.Path(path_type=Path),
    help="Where the site's configuration file goes, its parts and maps below the same folder. [default: nowhere]",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def command(file: Path, data: Path, config: Path | None, yes: bool, as_json: bool) -> None:
    """Make a data directory what it was when `floorgate backup` made FILE, as a new instance.

    FILE is read and checked as a whole before anything is touched. What is in the data directory is kept beside it. The
    gateway that FILE was made of keeps its own instance: what both deliver has the same id only where it is the same.
    But both have one gateway.id: when the other goes on, they push each other off an MQTT broker.
    """
    from agent.cli.archive import putting, swapping  # noqa: PLC0415  # help is to come at once
    from agent.cli.archive.container import reading  # noqa: PLC0415  # as above

    _prepare(data)
    swapping.finish(data)
    with reading(file) as archive, swapping.alone(data):
        stood = swapping.stands(data)
        putting.check(archive, data)
        with progress("checking", archive.size) as done:
            archive.verify(done)
        files = _site(archive, config) if config else None
        for line in _plan(archive.facts, data, files, there=swapping.taken(data)):
            voice.echo(line, err=as_json)
        if swapping.taken(data) or (files and any(path in files.stood for path in (*files.writes, *files.removes))):
            agree("Restore it?", yes=yes)
        if files:
            _make_folders(files)
        with progress("frames", archive.facts.frames) as done:
            put = putting.stage(archive, file, data, done)
        swapping.unused(data, stood=stood)
        aside = swapping.beside(data)
        if files:
            _exchange(files, data, aside)
        put.aside = swapping.swap(data, aside)
    written = [str(path) for path in files.writes] if files else []
    if as_json:
        found = {"data": str(data), "instance": put.instance, "frames": put.frames, "site": written}
        records.show({**found, "aside": str(put.aside) if put.aside else None, "remarks": put.remarks})
    else:
        _say(put, data, config)


def _prepare(data: Path) -> None:
    """Raises AgentError where an agent runs, or no directory can be."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AgentError(f"data directory {data}: {error.strerror}", hint="name another one with --data") from error
    with ask.find(data) as agent:
        if agent is not None:
            raise AgentError(f"an agent runs on {data}", hint="stop it, or name another directory with --data")


def _site(archive: "Reader", config: Path) -> "Restoring":
    """Raises AgentError."""
    from agent.cli.archive.putting import site  # noqa: PLC0415  # as above
    from agent.cli.putback import restoring  # noqa: PLC0415  # as above

    found = site(archive)
    name = Path(archive.facts.site).name
    if Path(name) not in found:
        raise AgentError("there is no configuration in this backup", hint="without -c the rest of it is restored")
    config = config.absolute()
    content = {config if path == Path(name) else config.parent / path: data for path, data in found.items()}
    return restoring(config, content)


def _make_folders(files: "Restoring") -> None:
    """Raises AgentError where they cannot be, or may not be written to."""
    try:
        for folder in {path.parent for path in files.writes}:
            for each in (*reversed(folder.parents), folder):
                if not each.exists():
                    each.mkdir(mode=0o750)
                    if (owner := host.owner_of(each.parent)) is not None:  # as /etc/floorgate: the service may enter
                        host.give(each, owner)
        trouble = files.trouble()
    except OSError as error:
        trouble = f"{error.filename}: {error.strerror}"
    if trouble:
        what = f"the configuration cannot be written: {trouble}"
        raise AgentError(what, hint="run this as a user who may write there")


def _plan(facts: "Facts", data: Path, files: "Restoring | None", *, there: bool) -> Iterator[str]:
    whose = plain(facts.gateway[:LONGEST_NAME]) or "a gateway"
    yield f"backup of {whose}, made at {facts.at} by floorgate {plain(facts.floorgate[:40])}: {facts.frames:,} frames"
    if there:
        yield f"what is in {data} is moved into a folder beside it"
    if files:
        yield from (f"  writes {path}" for path in files.writes)
        yield from (f"  removes {path}" for path in files.removes)


def _exchange(files: "Restoring", data: Path, aside: Path) -> None:
    """The configuration takes its place; what stood there is on the disk before, in `aside`. Raises AgentError and
    OSError, and then nothing has changed."""
    from agent.cli.archive.swapping import FOLDER, hand_over, settled  # noqa: PLC0415  # as above

    with ExitStack() as undo:
        for made in (aside, data / FOLDER):
            undo.callback(shutil.rmtree, made, ignore_errors=True)
        for path in (path for path in (*files.writes, *files.removes) if path in files.stood):
            inside = path.relative_to(files.file.parent) if path.is_relative_to(files.file.parent) else Path(path.name)
            target = aside / "site" / inside
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(files.stood[path])
        if aside.exists():
            aside.chmod(0o700)
            for path in (aside, *aside.rglob("*"), data):
                hand_over(path, data)
                settled(path)
        files.do()
        undo.pop_all()


def _say(put: "Put", data: Path, config: Path | None) -> None:
    voice.echo(f"{data}: {put.frames:,} frames, instance {put.instance}")
    if put.aside:
        voice.echo(f"what was there before is in {put.aside}: remove it when you do not need it")
    if (owner := host.owner_of(data)) is not None and owner[0] == 0:
        voice.echo("all of it belongs to root: where the service runs as another user, chown -R that user", err=True)
    for remark in put.remarks:
        voice.echo(remark, err=True)
    if put.facts.site and not config:
        voice.echo("the configuration was not restored: -c says where it goes", err=True)
