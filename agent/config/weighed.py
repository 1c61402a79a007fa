"""What is weighed may itself be made of others: whether its unit and its kind fit is asked of those who make it."""

from collections.abc import Iterator, Sequence

from agent.config.derived import owner_title
from agent.config.known import values_of
from agent.config.lists import in_file
from agent.config.problems import Mark, Scope
from agent.config.recipes import Owner, source_of
from agent.config.tree import Mapping
from agent.config.tree import Sequence as Raws
from agent.config.words import shown
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Steps
from agent.normalise.calculated import Source
from agent.normalise.carbon import scale
from agent.normalise.factors import Factor
from agent.registry import DriverConfig, names_of


def check_weighed(pairs: Sequence[tuple[Owner, Mapping]], asked: Recipes, scope: Scope) -> None:
    """`pairs` are all devices with what the files say of them. Steps are compiled as the runtime will, if need be.

    Only a file that is right so far is looked at.
    """
    said = {(owner.name, name) for owner, _ in pairs for name, _ in values_of(owner)} if asked.weighed else set()
    if scope.report.found or asked.weighed.keys() <= said:
        return
    made = _made([owner for owner, _ in pairs if isinstance(owner, DriverConfig)], asked)
    for owner, raw in pairs:
        for text, mark in _weighed(raw):
            source = source_of(text, owner.name)
            factors = [each.factor for each in asked.weighed.get(source, ()) if each.device == owner.name]
            if source in made and factors and (what := _wrong(made[source], factors[0])):
                inner = in_file(owner_title(owner), raw.mark.file, scope)
                inner.add(mark, f"energy: {shown(text)} {what}", "take what an interval or a window makes of it")


def _made(devices: Sequence[DriverConfig], asked: Recipes) -> dict[Source, Tag]:
    steps = Steps((), asked)
    for device in devices:
        steps.output(_read(device))
    return {(schema.device, tag.name): tag for schema in steps.made for tag in schema.tags}


def _read(device: DriverConfig) -> Schema:
    """All that is read of a device, as if it were one group."""
    names = ((name, tag) for tag in getattr(device, "tags", ()) if tag.enabled for name in names_of(tag))
    told = (Tag(name, getattr(tag, "dtype", None) or "float64", tag.unit, tag.kind) for name, tag in names)
    return Schema(device.name, "", tuple(told))


def _weighed(raw: Mapping) -> Iterator[tuple[str, Mark]]:
    """The tags that `energy` names, and where."""
    section = raw.get("energy")
    for listed in section.values() if isinstance(section, Mapping) else ():
        for item in listed if isinstance(listed, Raws) else ():
            if isinstance(item, Mapping) and isinstance(item.get("tag"), str):
                yield item["tag"], item.value_marks["tag"]


def _wrong(tag: Tag, factor: Factor) -> str:
    if tag.kind == "counter":
        return "counts up over the years, and does not say what was used in a time"
    try:
        scale(tag.unit, factor)
    except ValueError:
        said = f"its unit is {tag.unit}" if tag.unit else "it has no unit"
        return f"cannot be weighed: {said}, and {factor.name} is per {factor.per}"
    return ""
