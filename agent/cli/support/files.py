"""The configuration files of a site as they are on the disk, readable or not, right or wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config import Files, Invalid, Report, Site, load, load_vocabulary
from agent.config.files import Unreadable, configs_dir, read_bytes
from agent.config.parts import ENDINGS, FOLDER
from agent.model.errors import AgentError

MOST = 200  # files
LARGEST = 1 << 20  # bytes of one
TEXTS = (".yaml", ".yml", ".csv", ".json", ".txt")
_REFERENCE = re.compile(r"\$\{(\w+)\}|\b(file|credential):(?!//)([^\s\"',}\]#]+)")


@dataclass(slots=True)
class Found:
    """`texts` by path, `lacks` why there is none; `site` is None where it cannot be loaded."""

    path: Path
    texts: dict[Path, str] = field(default_factory=dict)
    lacks: dict[Path, str] = field(default_factory=dict)
    site: Site | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""

    @property
    def folder(self) -> Path:
        return self.path.parent


def look(path: Path, environ: Mapping[str, str]) -> Found:
    """Load it, and read what the load has read, and what stands beside it."""
    found, report, files = Found(path), Report(load_vocabulary()), Files()
    try:
        found.site = load(path, environ, report=report, files=files)
    except Invalid as error:
        found.problems = [problem.as_dict() for problem in error.problems]
    except AgentError as error:
        found.trouble = str(error)
    except (RecursionError, ValueError, OSError) as error:
        found.trouble = f"it cannot be loaded: {error!r}"
    found.warnings = [problem.as_dict() for problem in report.warnings]
    for each in dict.fromkeys([path.absolute(), *_parts(path), *files.taken]):
        _take(each, found)
    return found


def _parts(path: Path) -> list[Path]:
    try:
        return sorted(each.absolute() for each in (path.parent / FOLDER).iterdir() if each.name.endswith(ENDINGS))
    except OSError:
        return []


def _take(path: Path, found: Found) -> None:
    """The device maps that come with the program are known to everybody."""
    if path.is_relative_to(configs_dir()):
        return
    if len(found.texts) >= MOST:
        found.lacks[path] = f"{MOST} files are enough"
    elif path.suffix.lower() not in TEXTS:
        found.lacks[path] = "it is no text: send it by itself if it matters"
    else:
        try:
            found.texts[path] = read_bytes(path, LARGEST).decode("utf-8", "replace")
        except Unreadable as error:
            found.lacks[path] = str(error)


def names(paths: list[Path], folder: Path) -> dict[Path, str]:
    """What files are called in the archive: as below the folder of the site, or by all of their path."""
    where = folder.absolute()
    inside = {path: path.relative_to(where) for path in paths if path.is_relative_to(where)}
    return {path: f"config/{(inside.get(path) or Path('elsewhere', *path.parts[1:])).as_posix()}" for path in paths}


def references(found: Found, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Where secrets are referred to, and whether there is anything; never what."""
    rows = []
    for path, text in found.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            for variable, kind, name in _REFERENCE.findall(line):
                row: dict[str, Any] = {"file": str(path), "line": number}
                if variable:
                    row |= {"reference": f"${{{variable}}}", "found": variable in environ}
                elif kind == "file":
                    row |= {"reference": f"file:{name}", **_state(found.folder / name)}
                else:
                    row |= {"reference": f"credential:{name}"}
                rows.append(row)
    return rows


def _state(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
    except OSError as error:
        return {"found": False, "error": error.strerror}
    return {"found": True, "mode": f"{status.st_mode & 0o7777:04o}", "owner": [status.st_uid, status.st_gid]}
