"""No two tags of a device have one name, and whoever takes a tag that is made takes one that there is.

What is made is asked of those who make it.
"""

from collections.abc import Iterator
from collections.abc import Mapping as Known
from collections.abc import Sequence as Several

from agent.config.derived import has_unknown
from agent.config.lists import name_of
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Steps
from agent.normalise.calculated import Source
from agent.normalise.carbon import scale
from agent.normalise.factors import Factor
from agent.registry import DriverConfig, names_of


def check_clashes(root: Mapping, devices: Several[DriverConfig], asked: Recipes, scope: Scope) -> None:
    """Compile the steps of the site as the runtime will, and look at the names that come out of them.

    Only a file that is right so far is looked at: what is wrong with a single section is said by its own check.
    """
    if scope.report.found or asked == Recipes(local=asked.local, calendars=asked.calendars):
        return
    steps, taken = Steps((), asked), dict[tuple[str, str], str]()
    for schema in map(_read, devices):
        steps.output(schema)
        taken |= {(schema.device, tag.name): "a tag that is read" for tag in schema.tags}
    for schema in steps.made:
        for tag in schema.tags:
            before = taken.setdefault((schema.device, tag.name), f"a tag of the group {schema.group}")
            if before != f"a tag of the group {schema.group}":
                mark, title = _place(root, schema.device, tag.name)
                told = f"{title}: {shown(tag.name)} is the name of {before}, and of one of the group {schema.group}"
                scope.add(mark, told, "rename one of them")
    tags = {(schema.device, tag.name): tag for schema in [*map(_read, devices), *steps.made] for tag in schema.tags}
    unknown = {device.name for device in devices if has_unknown(device)}
    for user, source, factor in _takers(asked):
        what = "" if source[0] in unknown else _wrong(source, tags, factor)
        if what:
            mark, title = _place(root, *user)
            names = [name for device, name in tags if device == source[0]]
            near = did_you_mean(source[1], names) if source not in tags else ""
            scope.add(mark, f"{title}: {shown(user[1])} takes {shown('/'.join(source))}, {what}", near)


def _takers(asked: Recipes) -> Iterator[tuple[Source, Source, Factor | None]]:
    """Each tag that takes another, which, and by which factor."""
    for plan in asked.derived:
        for each in plan.tags:
            yield from (((plan.device, each.tag.name), source, None) for _, source in each.inputs)
    for source, weighed in asked.weighed.items():
        yield from (((each.device, each.name), source, each.factor) for each in weighed)


def _wrong(source: Source, tags: Known[Source, Tag], factor: Factor | None) -> str:
    """What is wrong with a tag that is taken; a device that is switched off makes nothing, and is left aside."""
    tag = tags.get(source)
    if tag is None:
        return "and nothing makes that" if any(device == source[0] for device, _ in tags) else ""
    if factor is None:
        return ""
    if tag.kind == "counter":
        return "which counts up over the years, and not what was used in a time"
    try:
        scale(tag.unit, factor)
    except ValueError as error:
        return f"but {error}"
    return ""


def _read(device: DriverConfig) -> Schema:
    """All that is read of a device, as if it were one group."""
    names = ((name, tag) for tag in getattr(device, "tags", ()) if tag.enabled for name in names_of(tag))
    told = (Tag(name, getattr(tag, "dtype", None) or "float64", tag.unit, tag.kind) for name, tag in names)
    return Schema(device.name, "", tuple(told))


def _place(root: Mapping, device: str, name: str) -> tuple[Mark, str]:
    """Where the file speaks of what has that name, as near as can be told: at the tag that it begins with."""
    raw = next((raw for raw in _devices(root) if name_of(raw) == device), None)
    if raw is None:
        return root.mark, f"device {shown(device)}"
    derived = raw.get("derived")
    if isinstance(derived, Mapping) and name in derived:
        return derived.key_marks[name], f"device {shown(device)}"
    tags = [tag for tag in raw.get("tags") or () if name_of(tag) and name.startswith(name_of(tag))]
    nearest = max(tags, key=lambda tag: len(name_of(tag)), default=raw)
    return nearest.value_marks["name"], f"device {shown(device)}"


def _devices(root: Mapping) -> Iterator[Mapping]:
    for section in ("devices", "virtual"):
        listed = root.get(section)
        yield from (raw for raw in listed if isinstance(raw, Mapping)) if isinstance(listed, Sequence) else ()
