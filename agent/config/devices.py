"""The `devices:` section: each device with its driver's class, its map's quirks and tags, and its own on top."""

from collections.abc import Collection
from typing import Any, NamedTuple

from pydantic import ValidationError

from agent.config.alarms import asked_of, check_alarms, derived_of
from agent.config.areas import KEY, Places
from agent.config.asks import check_tags
from agent.config.classes import driver_class
from agent.config.defaults import (
    DEFAULTS,
    TagDefaults,
    bare,
    check_groups,
    check_line,
    layered,
    of_lines,
    unlike,
)
from agent.config.endpoint import shared
from agent.config.explain import explain
from agent.config.lists import listed, mappings, name_of, unique_names
from agent.config.maps import NO_QUIRKS, DeviceMap, Maps
from agent.config.oee import check_oee
from agent.config.problems import Scope
from agent.config.references import Unresolved
from agent.config.tags import (
    checked,
    free_group,
    group_names,
    item_type,
    known_groups,
    overlay,
    spelt_out,
    with_defaults,
)
from agent.config.tree import Mapping, Sequence, merge
from agent.config.words import shown
from agent.registry import DriverConfig

MAX_TAGS = 200_000  # of all devices; those of a shared map count for each
_UNASKED = (
    "has no tags: its map says where the words of a PLC are, and not which of them are read",
    "such as `tags: [{name: speed, address: D100}]`",
)


class Tags(NamedTuple):
    """`raws` as in the files; `objects` as validated, or None when one of them is wrong. `areas` are validated too."""

    raws: Sequence
    objects: list[Any] | None
    areas: dict[str, Any] | None = None


class Said(NamedTuple):
    """A device as the file says it (`own`), over what its line and its map say. `groups` have their `defaults`; `areas`
    are those of its map, if no other are said."""

    own: Mapping
    whole: Mapping
    groups: Any
    map: DeviceMap | None
    areas: Any


def read_devices(
    root: Mapping, maps: Maps, calendars: Collection[str] | None, scope: Scope
) -> tuple[list[DriverConfig], list[Mapping]]:
    """All devices that are right, each with what the files say of it, its map's part too; the problems of the others go
    to `scope`. They may name one of the `calendars`, or any where these are not known."""
    if not root.get("devices"):
        mark = root.value_marks.get("devices", root.mark)
        scope.add(mark, "there are no devices", "such as `devices: [{name: main-meter, driver: modbus, …}]`")
    unique_names(listed(root, "device"), "device", scope)
    reader = _Devices(maps, calendars, of_lines(root, scope), scope)
    found: list[tuple[DriverConfig, Mapping]] = []
    count = 0
    for raw, inner in mappings(root, "device", scope):
        if each := reader.device(raw, inner):
            found.append(each)
            count += len(each[1].get("tags") or ())
        if count > MAX_TAGS:
            what = f"the devices up to this one read more than {MAX_TAGS:,} tags"
            scope.add(raw.mark, what, "let another gateway read some of them")
            scope.report.settle()
    return [device for device, _ in found], [raw for _, raw in found]


class _Devices:
    """What all devices of a load have in common: `lines` are the defaults of each wire that has some."""

    def __init__(self, maps: Maps, calendars: Collection[str] | None, lines: dict[str, Mapping], scope: Scope) -> None:
        self._maps, self._calendars, self._lines = maps, calendars, lines
        self._scope = scope
        self._checked: set[tuple[str, type[DriverConfig]]] = set()

    def device(self, raw: Mapping, scope: Scope) -> tuple[DriverConfig, Mapping] | None:
        line = self._line(raw)
        asked = merge(line, raw, origin=DEFAULTS) if line else raw
        config = driver_class(asked, scope)
        if config is None:
            return None
        if line:
            self._check_line(raw["endpoint"], config, line)
        said = _said(raw, line, _map(asked, self._maps, scope))
        merged = said.whole
        group_names(merged.get("groups"), scope)
        kind = item_type(config)
        if kind is None:
            built = _built(config, merged if said.map or line else raw, None, scope)
            return None if built is None else (built, merged)
        check_groups(kind, raw.get("groups"), scope)
        if asked.get("map") and said.map is None:  # what it would have with its map, nobody knows
            _built(config, merged, Tags(Sequence(raw.mark), None), scope)
            return None
        return self._with_tags(said, config, _tags(said, config, kind, scope), scope)

    def _with_tags(
        self, said: Said, config: type[DriverConfig], tags: Tags, scope: Scope
    ) -> tuple[DriverConfig, Mapping] | None:
        raw, merged = said.own, said.whole
        known_groups(tags.raws, merged.get("groups"), scope)
        is_own = said.map is None or tags.raws is not said.map.raws  # those of a map were looked at once for all
        if tags.objects is not None:
            if is_own:
                check_tags(tags.raws, tags.objects, list(merged.get("derived") or ()), self._calendars, scope)
            check_oee(merged, tags.objects, _derived(merged), self._calendars, scope)
        events = merged.get("events")
        for event in filter(name_of, events if isinstance(events, Sequence) else ()):  # each is a group
            free_group(event["name"], event.value_marks["name"], scope.within("events"))
        if not any(raw.get(key) or merged.get(key) for key in ("map", "tags", "events")):
            scope.add(raw.value_marks.get("tags", raw.mark), "has no tags", "give it `map:` or `tags:`")
        elif said.map is not None and said.map.areas and not tags.raws:
            scope.add(raw.value_marks.get("map", raw.mark), *_UNASKED)
        built = _built(config, merged, tags, scope)
        if built is None:
            return None
        alarms = any(each.alarms for each in (*(tags.objects or ()), *built.derived.values()))
        if tags.objects is not None and alarms and (is_own or built.derived):
            check_alarms([*asked_of(tags.objects, tags.raws), *derived_of(built.derived, merged.get("derived"))], scope)
        merged.put("tags", tags.raws, tags.raws.mark, tags.raws.mark)
        _idle_turns(built, tags.objects, merged, scope)
        return built, merged

    def _line(self, raw: Mapping) -> Mapping | None:
        endpoint = raw.get("endpoint")
        return self._lines.get(shared(endpoint)) if self._lines and isinstance(endpoint, str) else None

    def _check_line(self, endpoint: str, config: type[DriverConfig], line: Mapping) -> None:
        """Once for each class of devices on the wire."""
        key = shared(endpoint), config
        if key not in self._checked:
            self._checked.add(key)
            if "driver" in line:
                driver_class(line, self._scope)
            if isinstance(line.get("map"), str) and not isinstance(line["map"], Unresolved):
                driver = str(line.get("driver", ""))
                self._maps.find(line["map"], line.value_marks["map"], self._scope, driver)
            check_line(config, item_type(config), line, self._scope)


def _idle_turns(device: DriverConfig, tags: list[Any] | None, raw: Mapping, scope: Scope) -> None:
    """Transformers by which nothing is multiplied are odd; of tags that are wrong (None) nobody knows."""
    used = {turns for tag in tags or () if tag.ratio for turns in tag.ratio.split("*")}
    for turns in ("ct", "pt") if tags is not None else ():
        if getattr(device, turns) != 1 and turns not in used:
            what = f"{turns}: no tag of it has `ratio: {turns}`, so nothing is multiplied"
            hint = "a meter that knows its transformers needs none; else say `ratio` at its tags"
            scope.warn(raw.value_marks[turns], what, hint)


def _derived(raw: Mapping) -> Mapping:
    derived = raw.get("derived")
    return derived if isinstance(derived, Mapping) else Mapping(raw.mark)


def _map(raw: Mapping, maps: Maps, scope: Scope) -> DeviceMap | None:
    name = raw.get("map")
    if not isinstance(name, str) or not name or isinstance(name, Unresolved):
        return None
    mark = raw.value_marks["map"]
    found = maps.find(name, mark, scope, str(raw["driver"]))
    if found and found.head.driver != raw["driver"]:
        wanted = f"map: {shown(name)} is for the driver {found.head.driver!r}, not {raw['driver']!r}"
        scope.add(mark, wanted, "take a map for this driver, or change `driver:`")
        return None
    return found


def _said(raw: Mapping, line: Mapping | None, device_map: DeviceMap | None) -> Said:
    """The device without its tags, its map's quirks and groups below its own, and its line's defaults below both."""
    merged, groups, areas = raw.without("tags"), raw.get("groups"), raw.get(KEY)
    layers = [device_map.groups] if device_map is not None and device_map.groups else []
    layers += [line["groups"]] if line is not None and "groups" in line else []
    for weaker in layers:
        groups = layered(weaker, groups)
    for weaker_areas in (device_map and device_map.areas, line and line.get(KEY)):
        if weaker_areas and (areas is None or isinstance(areas, Mapping)):
            areas = weaker_areas if areas is None else merge(weaker_areas, areas)
    if device_map is not None:
        merged = merge(device_map.quirks.without(*NO_QUIRKS), merged, origin="quirks")
    if line is not None:
        merged = merge(line, merged, origin=DEFAULTS)
    if isinstance(groups, Mapping):
        plain = bare(groups)
        merged.put("groups", plain, merged.key_marks.get("groups", plain.mark), plain.mark)
    if isinstance(areas, Mapping) and areas:
        merged.put(KEY, areas, merged.key_marks.get(KEY, areas.mark), areas.mark)
    return Said(raw, merged, groups, device_map, areas)


def _tags(said: Said, config: type[DriverConfig], kind: Any, scope: Scope) -> Tags:
    """The device's tags: its map's, with its own added or laid over."""
    device_map = said.map
    own = spelt_out(_own_tags(said.own, scope), kind, scope)
    unique_names(own, "tag", scope)
    if device_map is None:
        places = Places(config, kind, said.areas)
        own = with_defaults(own, TagDefaults(Mapping(said.own.mark), said.groups))
        return Tags(own, checked(kind, own, scope, places=places), places.known)
    is_same = said.areas is None or said.areas is device_map.areas
    places = device_map.places if is_same else Places(config, kind, said.areas)
    anew = unlike(said.groups, device_map.groups)
    if not own and not anew and is_same:
        return Tags(device_map.raws, device_map.tags, places.known)
    defaults = TagDefaults(device_map.defaults, said.groups)
    raws, changed = overlay(device_map.plain, device_map.raws, own, defaults, anew)
    changed = changed if is_same else list(range(len(raws)))
    new = checked(kind, raws, scope, changed, places)
    if new is None or device_map.tags is None:
        return Tags(raws, None)
    objects = [*device_map.tags, *[None] * (len(raws) - len(device_map.tags))]
    for index, tag in zip(changed, new, strict=True):
        objects[index] = tag
    return Tags(raws, objects, places.known)


def _own_tags(raw: Mapping, scope: Scope) -> Sequence:
    own = raw.get("tags")
    if isinstance(own, Sequence):
        return own
    mark = raw.value_marks.get("tags", raw.mark)
    if own is not None and not isinstance(own, Unresolved):
        scope.add(mark, "tags: must be a list", "such as - {name: voltage_l1, address: 0}")
    return Sequence(mark)


def _built(config: type[DriverConfig], merged: Mapping, tags: Tags | None, scope: Scope) -> DriverConfig | None:
    """The device as an object of its driver's class. Validated tags go in as they are, so that a map's are shared."""
    data: dict[str, Any] = dict(merged)
    raw = merged
    if tags is not None:
        data["tags"] = tags.objects or []
        if tags.areas is not None:
            data[KEY] = tags.areas
        raw = merged.without()
        raw.put("tags", tags.raws, tags.raws.mark, tags.raws.mark)
    whole = tags is None or bool(tags.objects)
    try:
        return config.model_validate(data)
    except ValidationError as error:
        explain(error, config, raw, raw.mark, scope, only=lambda loc: whole or bool(loc and loc[0] != "tags"))
        return None
