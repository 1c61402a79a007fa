"""No two tags of a device may have one name, wherever they come from: what is read, worked out or made of others."""

from collections.abc import Iterator, Sequence
from itertools import chain

from agent.config.derived import owner_title
from agent.config.known import values_of
from agent.config.lists import in_file, name_of
from agent.config.problems import Mark, Scope
from agent.config.recipes import Owner
from agent.config.tree import Mapping
from agent.config.tree import Sequence as Raws
from agent.config.words import shown
from agent.normalise import NOTHING, Recipes
from agent.normalise.made import Names
from agent.normalise.oee import GROUP as SHIFT
from agent.normalise.oee import TAGS as OF_SHIFTS

READ, CARBON = "a tag that is read", "carbon"


def check_clashes(pairs: Sequence[tuple[Owner, Mapping]], asked: Recipes, scope: Scope) -> None:
    """`pairs` are all devices with what the files say of them.

    Only a file that is right so far is looked at: what is wrong with a single section is said by its own check.
    """
    if scope.report.found:
        return
    known = Names(asked.calendars)
    carbon: dict[str, list[str]] = {}
    for each in chain.from_iterable(asked.weighed.values()):
        carbon.setdefault(each.device, []).extend((each.name, f"{each.name}_factor"))
    asking = {device for device, _ in asked.tags} | carbon.keys() | asked.oee.keys()
    for owner, raw in pairs:
        if getattr(owner, "enabled", True) and (owner.name in asking or owner.derived):
            _check(owner, raw, known, asked, carbon.get(owner.name, []), scope)


def _check(owner: Owner, raw: Mapping, known: Names, asked: Recipes, carbon: Sequence[str], scope: Scope) -> None:
    values = [(name, asked.tags.get((owner.name, name), NOTHING)) for name, _ in values_of(owner)]
    names = [name for name, _ in values]
    for name, rules in values:
        if rules is not NOTHING:
            names += known.names(name, rules)
    names += carbon
    if owner.name in asked.oee:
        names += (tag.name for tag in OF_SHIFTS)
    if len(names) > len(set(names)):
        _tell(owner, raw, known, asked, carbon, scope)


def _tell(owner: Owner, raw: Mapping, known: Names, asked: Recipes, carbon: Sequence[str], scope: Scope) -> None:
    taken: dict[str, str] = {}
    inner = in_file(owner_title(owner), raw.mark.file, scope)
    for name, what in _named(owner, known, asked, carbon):
        before = taken.get(name, "")
        taken.setdefault(name, what)
        if before:
            told = f"{shown(name)} is the name of {before}, and of {what.replace('a tag', 'one', 1)}"
            hint = "give the alarm another `name`" if " alarm" in f"{before} {what}" else "rename one of them"
            inner.add(_place(raw, name), told, hint)


def _named(owner: Owner, known: Names, asked: Recipes, carbon: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, what has it), once for each."""
    for name, _ in values_of(owner):
        yield name, _group("derived") if name in owner.derived else READ
    for name, _ in values_of(owner):
        for group, made in known.made(name, asked.tags.get((owner.name, name), NOTHING)):
            yield made, _group(group)
    yield from ((name, _group(CARBON)) for name in carbon)
    yield from ((tag.name, _group(SHIFT)) for tag in OF_SHIFTS if owner.name in asked.oee)


def _group(group: str) -> str:
    return f"a tag of the group {group}"


def _place(raw: Mapping, name: str) -> Mark:
    """Where the file speaks of what has that name, as near as can be told: at the tag that it begins with."""
    found: dict[str, Mark] = {}
    listed, derived = raw.get("tags"), raw.get("derived")
    for tag in listed if isinstance(listed, Raws) else ():
        if name_of(tag):
            found[name_of(tag)] = tag.value_marks["name"]
    if isinstance(derived, Mapping):
        found |= derived.key_marks
    nearest = max((tag for tag in found if name.startswith(tag)), key=len, default="")
    return found.get(nearest, raw.value_marks.get("name", raw.mark))
