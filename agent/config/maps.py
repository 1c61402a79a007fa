"""Device maps (点表): find one, read it once, and hand the same validated tags to every device that uses it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.config.alarms import asked_of, check_alarms
from agent.config.asks import check_tags
from agent.config.classes import driver_class
from agent.config.defaults import TagDefaults, bare, check_groups
from agent.config.explain import explain, validate
from agent.config.files import Files, Unreadable, configs_dir
from agent.config.lists import unique_names
from agent.config.problems import Mark, Scope
from agent.config.reader import read
from agent.config.sections import MapHead
from agent.config.tags import checked, group_names, item_type, spelt_out, with_defaults
from agent.config.tree import Mapping, Sequence, merge
from agent.config.words import did_you_mean, shown
from agent.registry import DriverConfig

MAX_MAP = 4 << 20
NO_QUIRKS = ("name", "driver", "endpoint", "map", "enabled", "tags", "groups", "place", "ct", "pt", "oee")
_TABLES = (".csv", ".xlsx", ".xls")
_PARTS = ("quirks", "defaults", "groups", "tags")


@dataclass(frozen=True, slots=True)
class DeviceMap:
    """A map as read. `quirks` and `groups` are defaults for its devices. `plain` are its tags as written, `raws` the
    same with `defaults` filled in, and `tags` as validated objects, or None when they had problems."""

    head: MapHead
    quirks: Mapping
    defaults: Mapping
    groups: Mapping
    plain: Sequence
    raws: Sequence
    tags: list[Any] | None


class Maps:
    """The maps of one load, each read once. Relative paths start at `folder`; tags may name one of the `calendars`."""

    def __init__(self, folder: Path, calendars: Collection[str] | None, files: Files, scope: Scope) -> None:
        self._folder, self._calendars, self._files = folder, calendars, files
        self._scope = scope
        self._read: dict[Path, DeviceMap | None] = {}

    def find(self, name: str, mark: Mark, scope: Scope) -> DeviceMap | None:
        """The map that `map: name` at `mark` means; None after a problem was reported."""
        path = self._path(name, mark, scope)
        if path is None:
            return None
        if path not in self._read:
            self._read[path] = self._load(path, name, mark, scope)
        return self._read[path]

    def _path(self, name: str, mark: Mark, scope: Scope) -> Path | None:
        if name.lower().endswith(_TABLES):
            scope.add(mark, f"map: {shown(name)}: tables are not supported yet", "write the map as YAML for now")
            return None
        if "/" in name or name.endswith((".yaml", ".yml")):
            return self._folder / name
        known = {path.stem: path for path in (configs_dir() / "devices").glob("*.yaml")}
        if name not in known:
            hint = did_you_mean(name, known) or "a map of your own is a path, such as ./my-meter.yaml"
            scope.add(mark, f"map: there is no device map {shown(name)}", hint)
        return known.get(name)

    def _load(self, path: Path, name: str, mark: Mark, scope: Scope) -> DeviceMap | None:
        try:
            data = self._files.read(path, MAX_MAP)
        except Unreadable as error:
            scope.add(mark, f"map: {shown(name)}: {error.args[0]}", error.hint)
            return None
        root = read(data, str(path), self._scope.report)
        if isinstance(root, Mapping):
            return parse_map(root, self._scope, self._calendars)
        if root is not None:
            self._scope.add(Mark(str(path), 1, 1), "a device map is a mapping with `device`, `driver` and `tags`")
        return None


def parse_map(root: Mapping, scope: Scope, calendars: Collection[str] | None = None) -> DeviceMap | None:
    """The map below `root`, or None after problems that leave nothing to use. The calendars are those of the site."""
    head = validate(MapHead, root.without(*_PARTS), root.mark, scope)
    quirks, defaults, groups = (_section(root, name, scope) for name in ("quirks", "defaults", "groups"))
    _refuse(quirks, NO_QUIRKS, "quirks", scope)
    _refuse(defaults, ("name",), "defaults", scope)
    group_names(groups, scope)
    config = driver_class(root, scope) if "driver" in root else None
    kind = item_type(config) if config else None
    raws = _tags(root, scope)
    plain = spelt_out(raws, kind, scope) if kind else raws
    raws = with_defaults(plain, TagDefaults(defaults, groups))
    unique_names(raws, "tag", scope)
    if head is None or config is None:
        return None
    if kind:
        check_groups(kind, groups, scope)
    found = DeviceMap(head, quirks, defaults, groups, plain, raws, checked(kind, raws, scope) if kind else [])
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
    if isinstance(found, Sequence) and found:
        return found
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
    data: dict[str, Any] = dict(raw)
    if found.tags:
        data["tags"] = found.tags
        raw.put("tags", found.raws, found.raws.mark, found.raws.mark)
    try:
        config.model_validate(data)
    except ValidationError as error:
        explain(error, config, raw, raw.mark, scope, only=lambda loc: bool(loc) and loc[0] in raw)
