"""A site file into a Site, or every problem that it has."""

import gc
import os
from collections.abc import Collection, Iterator
from collections.abc import Mapping as Table
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import TypeVar

from agent.config.calendars import read_calendars
from agent.config.clashes import check_clashes
from agent.config.classes import sink_class
from agent.config.commands import check_commands
from agent.config.derived import calculated
from agent.config.devices import read_devices
from agent.config.doors import check_doors
from agent.config.energy import Energy
from agent.config.explain import validate
from agent.config.files import Files, Unreadable
from agent.config.known import Known
from agent.config.lines import check_wires, read_lines
from agent.config.lint import lint
from agent.config.lists import listed, mappings, unique_names
from agent.config.maps import MAX_MAP, DeviceMap, Maps
from agent.config.needs import check_version
from agent.config.oddities import check_oddities, places
from agent.config.oee import check_virtual_oee
from agent.config.parts import FOLDER, read_parts
from agent.config.problems import Report, Scope
from agent.config.reader import keys_of
from agent.config.recipes import Owner, recipes
from agent.config.sections import BufferConfig, GatewayConfig, LogConfig, MapHead, StatusConfig
from agent.config.site import Site
from agent.config.tables import is_table
from agent.config.tree import Mapping
from agent.config.virtual import read_virtual
from agent.config.weighed import check_weighed
from agent.config.words import did_you_mean, shown
from agent.config.zone import machine_zone, named_zone
from agent.normalise.local import Local
from agent.registry import Section, SinkConfig

KEYS = (
    "floorgate",
    "gateway",
    "devices",
    "virtual",
    "lines",
    "calendars",
    "factors",
    "sinks",
    "buffer",
    "log",
    "status",
)
_OF_A_SITE = frozenset(KEYS) - set(MapHead.model_fields)  # both have a `status`
_GATEWAY = "such as `gateway: {id: gw-1, site: [acme, hangzhou]}`"
S = TypeVar("S", bound=Section)


def load(
    path: Path, environ: Table[str, str] = os.environ, report: Report | None = None, files: Files | None = None
) -> Site:
    """The site that `path` and the files in `conf.d/` beside it describe. Raises Invalid with every problem of these
    files and of the maps they name. `report` also has the warnings afterwards, and `files` what was read.

    `environ` answers `${NAME}` and says where credentials are; paths start at the folder of `path`, in whichever file
    they stand. Only the configuration classes of the drivers and sinks that are named are imported.
    """
    report, files = report or Report(), files or Files()
    with _uncollected():
        root = read_parts(path, environ, report, files)
        if root is not None:
            check_version(root, Scope(report))
        site = _site(root, path.parent, files, Scope(report)) if root is not None else None
    report.settle()
    assert site is not None
    return site


@contextmanager
def _uncollected() -> Iterator[None]:
    """What a load makes is kept, or gone at its end, and has no circles: to look for these took as long as the load."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def load_map(path: Path, report: Report | None = None) -> DeviceMap:
    """The device map in `path`. Raises Invalid with every problem of the file."""
    report = report or Report()
    found = Maps(_home(path), None, Files(), Scope(report)).open(path)
    report.settle()
    assert found is not None
    lint(found, Scope(report))
    return found


def is_map(path: Path) -> bool:
    """Whether `path` looks like a device map rather than a site."""
    if is_table(path):
        return True
    try:
        keys = keys_of(Files().read(path, MAX_MAP), _OF_A_SITE)
    except Unreadable:
        return False
    return bool({"tags", "extends", "areas"} & keys) and not _OF_A_SITE & keys


def _home(path: Path) -> Path:
    """The folder in which the maps are that a map by itself may extend: where we are, or else its own."""
    here = Path.cwd()
    return here if path.absolute().is_relative_to(here) else path.parent


def _site(root: Mapping, folder: Path, files: Files, scope: Scope) -> Site | None:
    _keys(root, scope)
    gateway = _section(root, "gateway", GatewayConfig, scope)
    local = Local(_zone(root, gateway, scope))
    calendars = read_calendars(root, local, scope)
    named = _calendar_names(root)
    devices, raws = read_devices(root, Maps(folder, named, files, scope), named, scope)
    if scope.report.devices is not None:
        scope.report.devices.update((device.name, raw) for device, raw in zip(devices, raws, strict=True))
    virtual = read_virtual(root, scope)
    lines = read_lines(root, devices, scope)
    sinks = _sinks(root, scope)
    buffer = _section(root, "buffer", BufferConfig, scope)
    log = _section(root, "log", LogConfig, scope)
    status = _section(root, "status", StatusConfig, scope)
    if not (gateway and buffer and log and status):
        return None
    enabled = tuple(device for device in devices if device.enabled)
    pairs: list[tuple[Owner, Mapping]] = [*zip(devices, raws, strict=True), *virtual]
    existing = [each for each, _ in virtual]
    known = Known(root, pairs, calendars)
    derived = calculated(pairs, known, named, scope)
    check_virtual_oee(virtual, known, named, scope)
    weighed = Energy(root, pairs, known, scope).weighed(folder, local, files)
    asked = recipes(enabled, existing, local, calendars, derived, weighed)
    check_clashes(pairs, asked, scope)
    check_weighed(pairs, asked, scope)
    known.clear()  # its tags know it: a ring of all that was read is not to be left to the garbage collector
    site = Site(gateway, enabled, lines, sinks, buffer, log, status, tuple(existing), asked)
    check_wires(root, site, scope)
    check_commands(root, devices, sinks, scope)
    check_doors(root, status, sinks, scope)
    check_oddities(root, site, pairs, scope)
    scope.report.places.update(places(root, pairs))
    return site


def _calendar_names(root: Mapping) -> Collection[str] | None:
    """None where nobody knows which there are, because the section is wrong."""
    named = root.get("calendars")
    return () if named is None else named if isinstance(named, Mapping) else None


def _keys(root: Mapping, scope: Scope) -> None:
    for key in root:
        if key not in KEYS and not scope.full:
            hint = "is this a device map? a site names it in `map:`" if key == "tags" else did_you_mean(key, KEYS)
            scope.add(root.key_marks[key], f"unknown key {shown(key)}", hint)


def _section(root: Mapping, name: str, kind: type[S], scope: Scope) -> S | None:
    """An optional section that is missing or empty is all defaults."""
    mark = root.value_marks.get(name, root.mark)
    if name == "gateway" and root.get(name) is None:
        is_part = Path(mark.file).parent.name == FOLDER
        hint = "a part of a site is checked with its site file" if is_part else _GATEWAY
        scope.add(mark, "gateway is missing", hint)
        return None
    raw = root.get(name)
    return validate(kind, Mapping(mark) if raw is None else raw, mark, scope.within(name))


def _zone(root: Mapping, gateway: GatewayConfig | None, scope: Scope) -> tzinfo:
    if gateway is None or not gateway.timezone:
        return machine_zone()
    return named_zone(gateway.timezone, root["gateway"].value_marks["timezone"], scope.within("gateway"))


def _sinks(root: Mapping, scope: Scope) -> tuple[SinkConfig, ...]:
    unique_names(listed(root, "sink"), "sink", scope)
    found: list[SinkConfig] = []
    for raw, inner in mappings(root, "sink", scope):
        config = sink_class(raw, inner)
        sink = validate(config, raw, raw.mark, inner) if config else None
        if sink is not None:
            found.append(sink)
    return tuple(found)
