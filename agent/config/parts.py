"""The site file and the files in `conf.d/` beside it: read one after the other, and joined to one.

Lists are joined. Of sections whose keys are names (`calendars`, `factors`) the keys are; every other section stands in
one file. Whatever stands in two is a problem that names both places.
"""

from collections.abc import Mapping as Table
from pathlib import Path

from agent.config.files import Files, Unreadable
from agent.config.problems import Mark, Report, Scope
from agent.config.reader import Room, read
from agent.config.references import References, Unresolved
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown
from agent.model.text import plain

FOLDER = "conf.d"
ENDINGS = (".yaml", ".yml")
MOST_PARTS = 200  # files in the folder
MAX_FILE = 1 << 20  # bytes of one of them, and of the site file
MAX_SITE = 4 << 20  # bytes of all together
LISTS = ("devices", "virtual", "lines", "sinks")
NAMED = ("calendars", "factors")  # mappings whose keys are names
DEEPER = ("coal_equivalent", "co2")  # those of `factors` that are such mappings themselves


def read_parts(path: Path, environ: Table[str, str], report: Report, files: Files) -> Mapping | None:
    """What the site file and its parts say, or None when one of them cannot be read; all problems go to `report`."""
    parts = _parts(path, report, files)
    left, whole, room = MAX_SITE, parts is not None, Room()
    expand = References(environ, path.parent, report)
    found: list[Mapping] = []
    for part in (path, *(parts or ())):
        data = _data(part, left, report, files)
        root = None if data is None else read(data, str(part), report, expand, optional=part != path, room=room)
        if root is not None and not isinstance(root, Mapping):
            report.add(Mark(str(part), 1, 1), "a configuration is a mapping, such as `gateway: {id: gw-1}`")
        if isinstance(root, Mapping):
            found.append(root)
        else:
            whole = False
        left -= len(data or b"")
    return _joined(found, Scope(report)) if whole else None


def _parts(path: Path, report: Report, files: Files) -> list[Path] | None:
    """The files of the folder by their names, not those that are hidden or left by editors; None after a problem."""
    folder = path.parent / FOLDER
    try:
        names = [name for name in files.inside(folder) if name.endswith(ENDINGS) and not name.startswith(".")]
    except Unreadable as error:
        report.add(Mark(str(folder), 1, 1), str(error.args[0]), error.hint)
        return None
    for name in names:
        if not name.isprintable():
            what = f"a file has a name with control characters, {plain(name[:80])}"
            report.add(Mark(str(folder), 1, 1), what, "give it another one")
            return None
    if len(names) > MOST_PARTS:
        report.add(Mark(str(folder), 1, 1), f"{len(names):,} files are more than {MOST_PARTS}", "join some of them")
        return None
    return [folder / name for name in names]


def _data(part: Path, left: int, report: Report, files: Files) -> bytes | None:
    try:
        return files.read(part, min(left, MAX_FILE))
    except Unreadable as error:
        message, hint = str(error.args[0]), error.hint
        if message.startswith("larger than") and left < MAX_FILE:
            message = f"with this file the site is larger than {MAX_SITE >> 20} MB"
            hint = "devices of one model can share a map"
        report.add(Mark(str(part), 1, 1), message, hint)
    return None


def _joined(roots: list[Mapping], scope: Scope) -> Mapping:
    if len(roots) == 1:
        return roots[0]
    whole = Mapping(roots[0].mark)
    for root in roots:
        for key in root:
            _put(whole, root, key, scope)
    return whole


def _put(whole: Mapping, root: Mapping, key: str, scope: Scope, above: str = "") -> None:
    """Add what `key` of `root` says to what is there already."""
    old, new = whole.get(key), root[key]
    if new is None and key in whole:
        return
    if old is None:
        whole.put(key, _own(new), root.key_marks[key], root.value_marks[key])
    elif isinstance(old, Unresolved) or isinstance(new, Unresolved):
        return
    elif not above and key in LISTS:
        _extend(old, new, key, root.value_marks[key], scope)
    elif (key in NAMED if not above else above == "factors" and key in DEEPER) and isinstance(old, Mapping):
        if isinstance(new, Mapping):
            for name in new:
                _put(old, new, name, scope, key)
        else:
            scope.add(root.value_marks[key], f"{key}: must be a mapping (key: value)")
    else:
        first = whole.key_marks[key]
        where = f"{above}: {shown(key)}" if above else key
        hint = f"the other one is at {first.file}:{first.line}:{first.column}; keep one"
        scope.add(root.key_marks[key], f"{where} stands in two files", hint)


def _extend(old: object, new: object, key: str, mark: Mark, scope: Scope) -> None:
    if not isinstance(new, Sequence):
        scope.add(mark, f"{key}: must be a list")
    elif isinstance(old, Sequence):
        for item, place in zip(new, new.item_marks, strict=True):
            old.put(item, place)


def _own(value: object) -> object:
    """What others may be added to is not shared with an alias."""
    if isinstance(value, Mapping):
        return value.without()
    if isinstance(value, Sequence):
        copy = Sequence(value.mark)
        for item, mark in zip(value, value.item_marks, strict=True):
            copy.put(item, mark)
        return copy
    return value
