"""`floorgate maps search`"""

import click

from agent.cli.maps.list import show
from agent.cli.options import json_option
from agent.cli.shelf import Entry, shelf
from agent.config.words import did_you_mean
from agent.model.errors import AgentError


@click.command("search")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@json_option
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Maps in which all WORDs are: in maker, model, kind, Chinese name, notes, or the names of tags."""
    wanted = [word.casefold() for word in words]
    entries = shelf()
    ranked = [(_rank(entry, wanted), entry.name, entry) for entry in entries]
    found = [entry for rank, _, entry in sorted(ranked, key=lambda each: each[:2]) if rank < _NONE]
    if not found and not as_json:
        known = {each for entry in entries for each in (entry.vendor.split()[0], entry.name, entry.kind)}
        hint = did_you_mean(words[0], known) or "`floorgate maps list` has all of them; a map of your own is one file"
        raise AgentError(f"no map has {' and '.join(map(repr, words))}", hint=hint)
    show(found, as_json)
    click.get_current_context().exit(0 if found else 1)


_NONE = 3
_CALLED = {  # what people call the kinds, where the names of makers' models do not say it
    "power_meter": ("电表", "电能表", "电力仪表", "电量"),
    "inverter": ("逆变器", "光伏"),
    "vfd": ("变频器",),
    "flow_meter": ("流量计",),
    "env_sensor": ("温湿度", "传感器"),
    "ess_gateway": ("储能",),
    "hybrid_inverter": ("储能",),
}


def _rank(entry: Entry, words: list[str]) -> int:
    """0: all words are in its names, 1: in its kind too, 2: in notes and tags, 3: not in it."""
    names = f"{entry.name} {entry.vendor} {entry.model} {entry.name_zh}".casefold()
    kind = " ".join([entry.kind, *(word for part, said in _CALLED.items() if part in entry.kind for word in said)])
    texts = (names, f"{names} {kind}".casefold(), f"{names} {kind} {entry.text}".casefold())
    return next((rank for rank, text in enumerate(texts) if all(word in text for word in words)), _NONE)
