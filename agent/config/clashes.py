"""No two tags of a device may have one name, wherever they come from: what is made is asked of those who make it."""

from collections.abc import Iterable, Iterator

from agent.config.lists import name_of
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Steps
from agent.registry import DriverConfig, names_of


def check_clashes(root: Mapping, devices: Iterable[DriverConfig], asked: Recipes, scope: Scope) -> None:
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
    tags = [tag for tag in raw.get("tags") or () if name_of(tag) and name.startswith(name_of(tag))]
    nearest = max(tags, key=lambda tag: len(name_of(tag)), default=raw)
    return nearest.value_marks["name"], f"device {shown(device)}"


def _devices(root: Mapping) -> Iterator[Mapping]:
    for section in ("devices", "virtual"):
        listed = root.get(section)
        yield from (raw for raw in listed if isinstance(raw, Mapping)) if isinstance(listed, Sequence) else ()
