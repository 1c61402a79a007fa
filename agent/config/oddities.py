"""What a site does that will hurt although nothing is wrong with it: warnings, for who asks for them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agent.config.derived import owner_title
from agent.config.endpoint import canonical
from agent.config.known import values_of
from agent.config.lists import in_file, name_of
from agent.config.problems import Mark, Scope
from agent.config.recipes import Owner
from agent.config.site import Site
from agent.config.tree import Mapping
from agent.config.tree import Sequence as Raws
from agent.config.words import shown
from agent.model.text import public
from agent.model.units import conversion
from agent.registry import DriverConfig

Pairs = Sequence[tuple[Owner, Mapping]]
_ASKED = ("limits", "counter", "aggregate", "state", "alarms")  # what a tag that is not read asks for in vain
_OPEN = ("mqtt://", "ws://", "http://")


def check_oddities(root: Mapping, site: Site, pairs: Pairs, scope: Scope) -> None:
    """`pairs` are all devices with what the files say of them, those that are not enabled too."""
    if scope.report.vocabulary is None or scope.report.found:
        return
    read = [(owner, raw) for owner, raw in pairs if isinstance(owner, DriverConfig) and owner.enabled]
    _same_unit(read, scope)
    seen: dict[int, None] = {}  # the tags of a map are looked at once, whoever uses it
    for owner, raw in read:
        tags = [tag for tag in getattr(owner, "tags", ()) if id(tag) not in seen]
        seen |= dict.fromkeys(map(id, tags))
        marks = _tag_marks(raw)
        inner = in_file(owner_title(owner), raw.mark.file, scope)
        same_place(tags, marks, inner)
        _asked_in_vain(tags, marks, inner)
        _idle_groups(owner, raw, inner)
    _units(pairs, scope)
    _leaves(root, site, scope)
    _in_the_open(root, site, scope)


def _tag_marks(raw: Mapping) -> dict[str, Mapping]:
    listed = raw.get("tags")
    return {name_of(tag): tag for tag in listed if name_of(tag)} if isinstance(listed, Raws) else {}


def _same_unit(read: Iterable[tuple[DriverConfig, Mapping]], scope: Scope) -> None:
    """Two devices that ask the same unit of the same wire read everything twice, or one of them has a wrong number."""
    first: dict[tuple[str, int], str] = {}
    for device, raw in read:
        unit = getattr(device, "unit", None)
        if unit is None:
            continue
        other = first.setdefault((canonical(device.endpoint), unit), device.name)
        if other != device.name:
            mark = raw.value_marks.get("unit", raw.value_marks.get("endpoint", raw.mark))
            what = (
                f"device {shown(device.name)}: unit {unit} at {public(device.endpoint)} is read by {shown(other)} too"
            )
            scope.warn(mark, what, "is one of the unit numbers wrong? else put the tags of both into one device")


def same_place(tags: Iterable[Any], marks: dict[str, Mapping], scope: Scope) -> None:
    """Two tags that are the same number under two names."""
    first: dict[tuple[object, ...], str] = {}
    for tag in tags:
        place = _place(tag) if tag.enabled else None
        if place is None or tag.name not in marks:
            continue
        other = first.setdefault(place, tag.name)
        if other != tag.name:
            raw = marks[tag.name]
            mark = raw.value_marks.get("address", raw.value_marks.get("node", raw.mark))
            scope.within(f"tag {shown(tag.name)}").warn(
                mark, f"it stands at the same place as {shown(other)}", "is one of the addresses wrong?"
            )


def _place(tag: Any) -> tuple[object, ...] | None:
    """Where a tag is and how it is read; None where its driver has no places of that kind."""
    if hasattr(tag, "address"):
        bits = (tag.bit, tuple(tag.bits), bool(tag.enum))
        return (tag.register, tag.address, tag.type, tag.length, tag.scale, tag.offset, *bits)
    node = getattr(tag, "node", "")
    return (node,) if node else None


def _asked_in_vain(tags: Iterable[Any], marks: dict[str, Mapping], scope: Scope) -> None:
    for tag in tags:
        if tag.enabled or tag.name not in marks:
            continue
        raw = marks[tag.name]
        asked = [key for key in _ASKED if raw.get(key)]
        if asked:
            what = f"it is not read, so its `{asked[0]}` never comes to anything"
            scope.within(f"tag {shown(tag.name)}").warn(
                raw.key_marks[asked[0]], what, f"`enabled: true`, or leave `{asked[0]}` out"
            )


def _idle_groups(device: DriverConfig, raw: Mapping, scope: Scope) -> None:
    """A group of the device's own that none of its tags is in: a tag that was meant to be slow is read fast."""
    groups = raw.get("groups")
    tags = getattr(device, "tags", None)
    if not isinstance(groups, Mapping) or not tags:
        return
    used = {tag.group for tag in tags} | {
        event.group for event in getattr(device, "events", ()) if hasattr(event, "group")
    }
    for name in groups:
        if name not in used and groups.key_marks[name].file == raw.mark.file:
            scope.warn(
                groups.key_marks[name], f"group {shown(name)}: no tag is in it", f"say `group: {name}` at its tags"
            )


def _units(pairs: Pairs, scope: Scope) -> None:
    """One name with two units: who adds them up north gets a wrong sum."""
    first: dict[str, tuple[str, str]] = {}
    told: set[str] = set()
    for owner, raw in pairs:
        if not getattr(owner, "enabled", True):
            continue
        marks: dict[str, Mapping] | None = None
        for name, value in values_of(owner):
            unit = value.as_ or value.unit
            if not unit:
                continue
            other, whose = first.setdefault(name, (unit, owner.name))
            if other == unit or name in told or _equal(unit, other):
                continue
            told.add(name)
            marks = _tag_marks(raw) if marks is None else marks
            mark = _unit_mark(marks.get(name), raw)
            what = (
                f"device {shown(owner.name)}, tag {shown(name)}: its unit is {unit!r}, and {other!r} at {shown(whose)}"
            )
            scope.warn(
                mark, what, f"`as: {other}` converts it" if _converts(unit, other) else "give the two things two names"
            )


def _unit_mark(tag: Mapping | None, raw: Mapping) -> Mark:
    if tag is None:
        return raw.mark
    return tag.value_marks.get("as") or tag.value_marks.get("unit") or tag.mark


def _equal(unit: str, other: str) -> bool:
    try:
        return conversion(unit, other) == (1.0, 0.0)
    except ValueError:
        return False


def _converts(unit: str, other: str) -> bool:
    try:
        conversion(unit, other)
    except ValueError:
        return False
    return True


def _leaves(root: Mapping, site: Site, scope: Scope) -> None:
    if not any(sink.enabled for sink in site.sinks):
        mark = root.key_marks.get("sinks", root.mark)
        scope.warn(
            mark,
            "sinks: none is enabled, so nothing leaves this gateway",
            "such as `{name: platform, type: mqtt, url: …}`",
        )


def _in_the_open(root: Mapping, site: Site, scope: Scope) -> None:
    """A password that goes over a network as it is."""
    listed = root.get("sinks")
    raws = {name_of(raw): raw for raw in listed if name_of(raw)} if isinstance(listed, Raws) else {}
    for sink in site.sinks:
        url = str(getattr(sink, "url", ""))
        secret = next((key for key in ("password", "token", "access_token") if getattr(sink, key, None)), "")
        if sink.enabled and secret and url.startswith(_OPEN) and not _is_here(url) and sink.name in raws:
            mark = raws[sink.name].value_marks.get("url", raws[sink.name].mark)
            said = f"sink {shown(sink.name)}: its {secret} goes over the network without encryption"
            scope.warn(mark, said, f"take {url.partition(':')[0]}s:// if the platform has it")


def _is_here(url: str) -> bool:
    host = url.partition("//")[2].partition("/")[0].rpartition("@")[2]
    return host.startswith(("127.", "localhost", "[::1]"))


def places(root: Mapping, pairs: Pairs) -> Iterator[tuple[str, Mark]]:
    """Where the file speaks of what is only judged with what is known outside it: `device/NAME`, `buffer`."""
    buffer = root.get("buffer")
    if isinstance(buffer, Mapping):
        yield "buffer", buffer.value_marks.get("keep", buffer.mark)
    else:
        yield "buffer", root.mark
    for owner, raw in pairs:
        yield f"device/{owner.name}", raw.value_marks.get("endpoint", raw.mark)
