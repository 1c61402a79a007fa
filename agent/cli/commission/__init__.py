"""`floorgate commission`"""

import getpass
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import click

from agent import registry
from agent.cli import pick, voice
from agent.cli.commission.report import Facts, page, table
from agent.cli.commission.talk import Talk
from agent.cli.commission.texts import LANGUAGES
from agent.cli.commission.walk import STATE, State, Walk, items, kept
from agent.cli.draft import draft
from agent.cli.options import config_option, data_option
from agent.config import Files, Site, load
from agent.model.errors import AgentError, ConfigError


class Share(click.ParamType[float]):
    """`1%`"""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is no share: write 1% or 0.5%", param, ctx)
        return share


@click.command("commission")
@config_option
@click.argument("devices", nargs=-1, metavar="[DEVICE]...")
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where answers and reports go. [default: commissioning beside FILE]",
)
@click.option("--by", default="", metavar="NAME", help="Who tries the tags. [default: the user]")
@click.option("--tolerance", type=Share(), default="1%", show_default=True, help="How far two readings may be apart.")
@click.option("--anew", is_flag=True, help="Begin again instead of going on where the last walk ended.")
@click.option("--report", "only_report", is_flag=True, help="Write the reports of the answers so far, and ask nothing.")
@data_option
def command(
    config: Path,
    devices: tuple[str, ...],
    out: Path | None,
    by: str,
    tolerance: float,
    anew: bool,
    only_report: bool,
    data: Path,
) -> None:
    """Go through all tags of FILE with the person at the cabinet, and write the reports to sign (点表验收).

    Each tag is read and shown with its raw words; type what the device displays, and it passes or fails. Every answer
    is kept at once: the walk can be broken off, and goes on where it was. Exit code 0 when all tags have passed.
    """
    files = Files()
    site = load(config, files=files)
    folder = out or config.parent / "commissioning"
    names = [pick.device(site.devices, name).name for name in devices] or [device.name for device in site.devices]
    tags = {device.name: registry.kept(device, data).tags for device in site.devices}
    for name in names:
        if pick.waits(pick.device(site.devices, name), data):
            raise ConfigError(f"device {name!r} has no tag yet", hint=pick.not_yet(name))
    walk = Walk(folder / STATE, _state(folder, site, config, anew=anew), items(site, names, tags))
    if not walk.items:
        raise ConfigError(f"{config}: no tag is read", hint="is a device enabled, and has it tags?")
    digest = sha256(b"".join(data for _, data in sorted(files.taken.items()))).hexdigest()
    facts = _facts(site, config, digest, tolerance)
    try:
        if not only_report:
            Talk(site, walk, data, by or _user(), tolerance).run()
    finally:
        _write(folder, walk, facts)
    click.get_current_context().exit(0 if walk.count("pass") == len(walk.items) else 1)


def _state(folder: Path, site: Site, config: Path, *, anew: bool) -> State:
    """Raises AgentError when the folder cannot be made, or has the answers of another gateway."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AgentError(f"{folder}: {error.strerror}", hint="name another folder with -o") from error
    fresh = State(site.gateway.id, str(config))
    found = None if anew else kept(folder / STATE)
    if found is not None and found.gateway != site.gateway.id:
        wrong = f"{folder}: has the answers of the gateway {found.gateway!r}, and this is {site.gateway.id!r}"
        raise AgentError(wrong, hint="name another folder with -o, or begin with --anew")
    return found or fresh


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return ""


def _facts(site: Site, config: Path, digest: str, tolerance: float) -> Facts:
    made = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    endpoints = {device.name: device.endpoint for device in site.devices}
    return Facts(site.gateway.id, site.gateway.site, str(config), digest, made, f"{100 * tolerance:g} %", endpoints)


def _write(folder: Path, walk: Walk, facts: Facts) -> None:
    """In both languages: who signs and who asks for it need not speak the same."""
    makers: Sequence[tuple[str, Callable[[str], bytes]]] = (
        ("csv", lambda name: table(walk, LANGUAGES[name])),
        ("html", lambda name: page(walk, facts, LANGUAGES[name])),
    )
    for language in LANGUAGES:
        for kind, make in makers:
            path = folder / f"report.{language}.{kind}"
            with draft(path) as file:
                file.write(make(language))
    passed, failed, left_out = (walk.count(verdict) for verdict in ("pass", "fail", "skip"))
    voice.echo(
        f"{len(walk.items)} tags: {passed} passed, {failed} failed, {left_out} left out, "
        f"{walk.count(None)} to be tried. Reports: {folder}/report.*"
    )
