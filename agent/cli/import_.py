"""`floorgate import`"""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from agent import lang
from agent.cli import records, voice
from agent.cli.draft import draft
from agent.cli.options import json_option
from agent.imports import FORMATS, Imported, Options, convert
from agent.imports.notes import KINDS
from agent.model.errors import AgentError
from agent.model.text import is_name, plain

AUTO = "auto"
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


@click.command("import")
@click.argument("words", metavar="[FORMAT] FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    metavar="FILE|DIR",
    type=click.Path(path_type=Path),
    help="A .yaml file, or a folder for site.yaml and device maps. [default: print the site]",
)
@click.option(
    "--host", default="", help="Where the device is, if the files do not say: HOST, HOST:PORT or an endpoint."
)
@click.option("--unit", type=click.IntRange(0, 255), help="Its unit id, if the files do not say.")
@click.option(
    "--order", type=click.Choice(ORDERS, case_sensitive=False), help="Its byte order, if the files do not say."
)
@click.option("--base", type=click.IntRange(0, 1), help="What addresses count from, if the files do not say: 0 or 1.")
@click.option("--gateway", default="", metavar="ID", help="The id of the gateway. [default: gw-1]")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
def command(words: tuple[str, ...], out: Path | None, force: bool, as_json: bool, **said: Any) -> None:
    """Make a site of other gateways' files, and tell what was assumed, changed and not carried.

    FORMAT is auto unless said: thingsboard, telegraf, neuron, opc-publisher, kepware, edgex, modpoll, benthos-umh.
    """
    form, files = (words[0], words[1:]) if words[0] in (AUTO, *FORMATS) else (AUTO, words)
    if not files:
        raise click.UsageError("which files? floorgate import [FORMAT] FILE...")
    options = Options(said["host"], said["unit"], (said["order"] or "").upper(), said["base"], said["gateway"])
    if said["gateway"] and not is_name(said["gateway"]):
        raise click.BadParameter(
            f"{plain(said['gateway'])!r} is not a name: no space, none of / + #", param_hint="--gateway"
        )
    is_folder = out is not None and (out.is_dir() or out.suffix not in (".yaml", ".yml"))
    if is_folder and out is not None and out.exists() and not out.is_dir():
        raise click.BadParameter(f"{out} is a file, and no .yaml", param_hint="--out")
    folder = Path() if out is None else out if is_folder else out.parent
    found = convert([Path(file) for file in files], form, options, folder, maps=is_folder)
    written = _written(found, out, folder if is_folder else None, force=force) if out else []
    if as_json:
        shown = {} if out else {"site": found.texts["site.yaml"]}
        records.show({"written": [str(path) for path in written], **found.as_dict(), **shown})
        return
    if out is None:
        click.echo(found.texts["site.yaml"], nl=False)
    _tell(found, written)


def _written(found: Imported, out: Path, folder: Path | None, *, force: bool) -> list[Path]:
    """Writes the site into a file, or into a folder. Raises AgentError."""
    paths = {folder / name: text for name, text in found.texts.items()} if folder else {out: found.texts["site.yaml"]}
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise AgentError(f"{there[0]} is there already", hint="another name, or --force to write over it")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft(path) as file:
            file.write(text.encode())
    return list(paths)


def _tell(found: Imported, written: list[Path]) -> None:
    for file, form in found.formats.items():
        _say(f"{file}: {FORMATS[form].TITLE}")
    for line in found.notes.text():
        _say(f"{lang.word(line[:-1])}{lang.between(': ').rstrip()}" if line[:-1] in KINDS else line)
    _say(f"{_n(len(found.devices), 'device')}, {_n(sum(len(device.tags) for device in found.devices), 'tag')}")
    if written:
        site = quote(str(next(path for path in written if path.suffix == ".yaml" and path.parent.name != "maps")))
        _say(f"next: floorgate check {site}, then compare values: floorgate read -c {site} DEVICE")


def _say(line: str) -> None:
    voice.echo(plain(line), err=True)


def _n(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
