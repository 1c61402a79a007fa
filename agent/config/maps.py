"""Device maps (点表): find one, read it once, and hand the same validated tags to every device that uses it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from agent import registry
from agent.config.alarms import asked_of, check_alarms
from agent.config.areas import KEY, Places, has_areas
from agent.config.asks import check_tags
from agent.config.bases import DEEPEST, joined
from agent.config.classes import driver_class
from agent.config.defaults import TagDefaults, bare, check_groups
from agent.config.explain import explain, validate
from agent.config.files import Files, Unreadable
from agent.config.lists import unique_names
from agent.config.paths import map_path
from agent.config.problems import Mark, Scope
from agent.config.reader import Room, read
from agent.config.sections import MapHead
from agent.config.tables import is_table, read_table
from agent.config.tags import checked, group_names, item_type, spelt_out, with_defaults
from agent.config.tree import Mapping, Sequence, merge
from agent.config.words import shown
from agent.registry import DriverConfig

MAX_MAP = 4 << 20  # bytes of one map
MAX_MAPS = 16 << 20  # of all that one load reads, those that others extend each time
MAX_VALUES = 1_000_000  # in all of these, counted as `reader.MAX_WEIGHT` is
MAX_TAGS = 60_000  # of all of these
NO_QUIRKS = ("name", "driver", "endpoint", "map", "enabled", "tags", "groups", "areas", "place", "ct", "pt", "oee")
_PARTS = ("quirks", "defaults", "groups", "tags")


@dataclass(frozen=True, slots=True)
class DeviceMap:
    """A map as read; `said` is the head as written.
    `quirks`, `groups` and `areas` are defaults for its devices, `places` the areas as its own tags use them. `plain`
    are its tags as written, `raws` the same with `defaults` filled in, and `tags` as validated objects, or None when
    they had problems."""

    head: MapHead
    said: Mapping
    quirks: Mapping
    defaults: Mapping
    groups: Mapping
    areas: Mapping
    places: Places
    plain: Sequence
    raws: Sequence
    tags: list[Any] | None


class Maps:
    """The maps of one load, each read once. Paths start at `folder` and stay in it; tags may name one of the
    `calendars`."""

    def __init__(self, folder: Path, calendars: Collection[str] | None, files: Files, scope: Scope) -> None:
        self._folder, self._calendars, self._files = folder, calendars, files
        self._scope = scope
        self._read: dict[tuple[Path, str], DeviceMap | None] = {}
        self._room, self._bytes, self._tags = Room(MAX_VALUES), 0, 0

    def find(self, name: str, mark: Mark, scope: Scope, driver: str = "") -> DeviceMap | None:
        """The map that `map: name` at `mark` means; None after a problem was reported. A table that names no driver is
        read as one for `driver`."""
        path = map_path("map", name, self._folder, self._folder, mark, scope)
        if path is None:
            return None
        key = path, driver if is_table(path) else ""
        if key not in self._read:
            root = self._root(path, f"map: {shown(name)}", mark, scope, driver)
            self._read[key] = None if root is None else self._parse(root, path)
        return self._read[key]

    def open(self, path: Path) -> DeviceMap | None:
        """The map in a file, with all that it extends; None after a problem was reported."""
        root = self._root(path, "", Mark(str(path), 1, 1), self._scope, "")
        return None if root is None else self._parse(root, path)

    def _parse(self, root: Mapping, path: Path) -> DeviceMap | None:
        whole = self._extended(root, path, ())
        return None if whole is None else parse_map(whole, self._scope, self._calendars)

    def _root(self, path: Path, what: str, mark: Mark, scope: Scope, driver: str) -> Mapping | None:
        """What the file says by itself."""
        try:
            data = self._files.read(path, MAX_MAP)
        except Unreadable as error:
            scope.add(mark, ": ".join(filter(None, (what, str(error.args[0])))), error.hint)
            return None
        self._bytes += len(data)
        if self._bytes > MAX_MAPS:
            self._too_much(mark, f"all device maps together are larger than {MAX_MAPS >> 20} MB")
        table = is_table(path)
        root = (
            read_table(data, str(path), self._scope, driver)
            if table
            else read(data, str(path), self._scope.report, room=self._room)
        )
        tags = root.get("tags") if isinstance(root, Mapping) else None
        self._tags += len(tags) if isinstance(tags, Sequence) else 0
        if self._tags > MAX_TAGS:
            self._too_much(mark, f"all device maps together have more than {MAX_TAGS:,} tags")
        if table or isinstance(root, Mapping):
            return root
        if root is not None:
            self._scope.add(Mark(str(path), 1, 1), "a device map is a mapping with `device`, `driver` and `tags`")
        return None

    def _too_much(self, mark: Mark, what: str) -> NoReturn:
        """Raises Invalid: all that follows would take time and memory."""
        self._scope.add(mark, what, "let devices share a map, or split the site")
        self._scope.report.settle()
        raise AssertionError

    def _extended(self, root: Mapping, path: Path, above: tuple[tuple[Path, Mark], ...]) -> Mapping | None:
        """The map with everything below it that it extends. `above` are the maps that extend it, with where they do."""
        name = root.get("extends")
        if not isinstance(name, str) or not name:
            return root
        mark = root.value_marks["extends"]
        found = map_path("extends", name, path.parent, self._folder, mark, self._scope)
        if found is None:
            return None
        chain = (*above, (path.resolve(), mark))
        met = next((at for each, at in chain if each == found.resolve()), None)
        if met is not None or len(chain) > DEEPEST:
            first = chain[0][1] if met is None else met
            what = "maps extend one another in a circle" if met else f"more than {DEEPEST} maps extend one another"
            hint = f"it begins at {first.file}:{first.line}:{first.column}; end it here"
            self._scope.add(mark, f"extends: {shown(name)}: {what}", hint)
            return None
        driver = root.get("driver")
        said = driver if isinstance(driver, str) else ""
        base = self._root(found, f"extends: {shown(name)}", mark, self._scope, said)
        base = None if base is None else self._extended(base, found, chain)
        if base is None:
            return None
        other = base.get("driver")
        if driver is None and "driver" in base:
            root.put("driver", other, base.key_marks["driver"], base.value_marks["driver"])
        elif other is not None and other != driver:
            what = f"extends: {shown(name)} is for the driver {shown(other)}, not {shown(driver)}"
            self._scope.add(mark, what, "extend a map for this driver, or change `driver:`")
            return None
        return joined(base, root, tag_class(root.get("driver")), self._scope)


def tag_class(driver: object) -> Any:
    """The class of a driver's tags, or None; that there is no such driver is said elsewhere."""
    known = isinstance(driver, str) and driver in registry.drivers()
    return item_type(registry.driver_config(str(driver))) if known else None


def parse_map(root: Mapping, scope: Scope, calendars: Collection[str] | None = None) -> DeviceMap | None:
    """The map below `root`, or None after problems that leave nothing to use. The calendars are those of the site."""
    config = driver_class(root, scope) if "driver" in root else None
    kind = item_type(config) if config else None
    parts = (*_PARTS, KEY) if config is None or has_areas(config) else _PARTS
    said = root.without(*parts)
    head = validate(MapHead, said, root.mark, scope)
    quirks, defaults, groups, areas = (_section(root, name, scope) for name in ("quirks", "defaults", "groups", KEY))
    _refuse(quirks, NO_QUIRKS, "quirks", scope)
    _refuse(defaults, ("name",), "defaults", scope)
    group_names(groups, scope)
    raws = _tags(root, scope)
    plain = spelt_out(raws, kind, scope) if kind else raws
    raws = with_defaults(plain, TagDefaults(defaults, groups))
    unique_names(raws, "tag", scope)
    if head is None or config is None:
        return None
    if kind:
        check_groups(kind, groups, scope)
    places = Places(config, kind, areas or None)
    tags = checked(kind, raws, scope, places=places) if kind else []
    found = DeviceMap(head, said, quirks, defaults, groups, areas, places, plain, raws, tags)
    if found.tags:
        check_tags(raws, found.tags, (), calendars, scope)
        check_alarms(asked_of(found.tags, raws), scope)
    _check_as_device(config, found, scope)
    return found


def _section(root: Mapping, name: str, scope: Scope) -> Mapping:
    found = root.get(name)
    if isinstance(found, Mapping):
        return found
    if found is not None:
        scope.add(root.value_marks[name], f"{name}: must be a mapping (key: value)")
    return Mapping(root.mark)


def _tags(root: Mapping, scope: Scope) -> Sequence:
    found = root.get("tags")
    if isinstance(found, Sequence) and (found or root.get(KEY)):
        return found
    if found is None and root.get(KEY):  # of a PLC: what is read is for each device to say
        return Sequence(root.mark)
    mark = root.value_marks.get("tags", root.mark)
    scope.add(mark, "a device map needs tags", "`tags:` is a list, such as - {name: voltage_l1, address: 0}")
    return Sequence(mark)


def _refuse(section: Mapping, names: tuple[str, ...], title: str, scope: Scope) -> None:
    for name in names:
        if name in section:
            scope.add(section.key_marks[name], f"{title}: {name} cannot be set here", "it belongs to a device or a tag")


def _check_as_device(config: type[DriverConfig], found: DeviceMap, scope: Scope) -> None:
    """Problems of quirks and groups, and of the tags with one another, whatever device they will serve."""
    raw = merge(found.quirks.without(*NO_QUIRKS), Mapping(found.quirks.mark), origin="quirks")
    raw.put("groups", bare(found.groups), found.groups.mark, found.groups.mark)
    if found.areas:
        raw.put(KEY, found.areas, found.areas.mark, found.areas.mark)
    data: dict[str, Any] = dict(raw)
    if found.tags:
        data["tags"] = found.tags
        raw.put("tags", found.raws, found.raws.mark, found.raws.mark)
    try:
        config.model_validate(data)
    except ValidationError as error:
        explain(error, config, raw, raw.mark, scope, only=lambda loc: bool(loc) and loc[0] in raw)
