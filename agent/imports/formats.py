"""The formats there are, how each is recognised, and the way from files to a site."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from agent.config.parts import MAX_FILE
from agent.imports import edgex, kepware, modpoll, neuron, publisher, telegraf, thingsboard, umh
from agent.imports.checking import ROUNDS, problems, taken_out
from agent.imports.draft import Device, Draft, Options
from agent.imports.names import Names, valid
from agent.imports.notes import Notes
from agent.imports.sources import MOST_FILES, Source, take
from agent.imports.writing import Text, map_file, site
from agent.model.errors import AgentError

SITE = "site.yaml"
MAPS = "maps"


class Format(Protocol):
    """A module of this folder."""

    NAME: str
    TITLE: str

    def is_one(self, source: Source) -> bool: ...
    def build(self, sources: Sequence[Source], draft: Draft) -> None: ...


FORMATS = {
    each.NAME: cast("Format", each) for each in (thingsboard, telegraf, neuron, publisher, kepware, edgex, modpoll, umh)
}


@dataclass(frozen=True, slots=True)
class Imported:
    """`texts` are the files of the site by their path within its folder; `formats` of which file says what."""

    texts: dict[str, str]
    notes: Notes
    formats: dict[str, str]
    devices: list[Device]

    def as_dict(self) -> dict[str, Any]:
        devices = [
            {key: str(device.keys[key]) for key in ("name", "driver", "endpoint")} | {"tags": len(device.tags)}
            for device in self.devices
        ]
        names = [{"place": each.place, "old": each.old, "new": each.new} for each in self.notes.renamed]
        return {"formats": self.formats, "devices": devices, "names": names, "notes": self.notes.as_dicts()}


def convert(paths: Sequence[Path], form: str, options: Options, folder: Path, *, maps: bool) -> Imported:
    """The site that the files describe, as it would stand in `folder`. Raises AgentError.

    `form` is one of FORMATS, or `auto`. With `maps` the tags go into device maps of their own.
    """
    if len(paths) > MOST_FILES:
        raise AgentError(f"{len(paths)} files are too many: {MOST_FILES} at a time")
    notes = Notes()
    return made([take(path, notes) for path in paths], form, options, folder, notes, maps=maps)


def made(sources: Sequence[Source], form: str, options: Options, folder: Path, notes: Notes, *, maps: bool) -> Imported:
    """As `convert`, of files that were read. Raises AgentError."""
    draft = Draft(notes, options)
    known: dict[str, list[Source]] = {}
    for source in sources:
        known.setdefault(recognised(source) if form == "auto" else form, []).append(source)
    for name, of_it in known.items():
        FORMATS[name].build(of_it, draft)
    draft.settle()
    formats = {source.name: name for name, of_it in known.items() for source in of_it}
    gateway = valid(options.gateway, "gw-1")
    if not options.gateway:
        notes.add("assumed", ", ".join(formats), f"the gateway is called {gateway}", "say --gateway ID")
    texts = _checked(draft, formats, gateway, folder, maps=maps)
    return Imported(texts, notes, formats, draft.devices)


def recognised(source: Source) -> str:
    """The name of the format. Raises AgentError."""
    found = [name for name, form in FORMATS.items() if form.is_one(source)]
    if found:
        return str(found[0])
    what = f"{source.name}: none of the known formats: {', '.join(each.TITLE for each in FORMATS.values())}"
    raise AgentError(what, hint="say which one it is: floorgate import FORMAT FILE")


def _checked(draft: Draft, formats: dict[str, str], gateway: str, folder: Path, *, maps: bool) -> dict[str, str]:
    """The files; what our own check refuses is taken out first."""
    for _ in range(ROUNDS):
        if not draft.devices:
            told = "\n".join(draft.notes.text())
            raise AgentError(f"nothing of {', '.join(formats)} could be carried\n{told}", hint="is it the right file?")
        texts = _texts(draft, formats, gateway, maps=maps)
        if len(str(texts[SITE]).encode()) > MAX_FILE:
            hint = "say -o FOLDER: the tags go into device maps there; or import the files one by one"
            raise AgentError(f"the site would be larger than {MAX_FILE >> 20} MB", hint=hint)
        at = {folder / name: text for name, text in texts.items()}
        found = problems(folder / SITE, at)
        if not found:
            return {name: str(text) for name, text in texts.items()}
        taken_out(found, at, draft, draft.notes)
    raise AgentError(f"too many tags contradict one another, such as {found[0]}", hint="correct them in the input")


def _texts(draft: Draft, formats: dict[str, str], gateway: str, *, maps: bool) -> dict[str, Text]:
    texts: dict[str, Text] = {}
    named: dict[str, str] = {}
    if maps:
        names = Names(Notes())
        done: set[int] = set()
        for devices in [*draft.repeated(), *([device] for device in draft.devices)]:
            if any(id(device) in done for device in devices):
                continue
            file = f"{MAPS}/{names.give(devices[0].name, 'device', '')}.yaml"
            texts[file] = map_file(devices[0], f"Tags of {devices[0].name}, imported by `floorgate import`.")
            for device in devices:
                named[device.name] = f"./{file}"
                done.add(id(device))
    texts[SITE] = site(draft, head(formats, draft.notes), gateway, named)
    return texts


def head(formats: dict[str, str], notes: Notes) -> Iterable[str]:
    for file, name in formats.items():
        yield f"Imported by `floorgate import` from {file} ({FORMATS[name].TITLE})."
    yield "Look at what it says below, and compare some values with a display, before you rely on them."
    yield from notes.text()
