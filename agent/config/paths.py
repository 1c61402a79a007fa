"""Where a device map may be: on the shelf, in the folder of whoever names it, or where an absolute path says."""

from pathlib import Path

from agent.config.files import configs_dir
from agent.config.problems import Mark, Scope
from agent.config.tables import is_table
from agent.config.words import did_you_mean, shown

YAML = (".yaml", ".yml")


def map_path(key: str, name: str, start: Path, home: Path, mark: Mark, scope: Scope) -> Path | None:
    """The file that `key: name` at `mark` means; None after a problem was reported.

    A name without a slash or an ending is one of the shelf. A relative path starts at the folder `start`, and must lead
    to something in or below `home`, links followed. An absolute one was written by somebody who knows this machine: it
    may lead anywhere, but only to a file that by its name is a map.
    """
    if "/" in name or name.lower().endswith(YAML) or is_table(name):
        return _inside(key, name, start, home, mark, scope)
    known = {path.stem: path for path in (configs_dir() / "devices").glob("*.yaml")}
    if name not in known:
        hint = did_you_mean(name, known) or "a map of your own is a path, such as ./my-meter.yaml"
        scope.add(mark, f"{key}: there is no device map {shown(name)}", hint)
    return known.get(name)


def _inside(key: str, name: str, start: Path, home: Path, mark: Mark, scope: Scope) -> Path | None:
    path = start / name
    try:
        real, within = path.resolve(), home.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL byte
        scope.add(mark, f"{key}: {shown(name)}: this cannot be a path: {error}")
        return None
    if real.is_relative_to(within):
        return path
    if Path(name).is_absolute():
        if real.name.lower().endswith(YAML) or is_table(real):
            return path
        scope.add(mark, f"{key}: {shown(name)} is no device map", "a map is a .yaml, .csv or .xlsx")
    else:
        hint = "put the map there, or in a folder below"
        scope.add(mark, f"{key}: {shown(name)} leads out of {home.absolute()}", hint)
    return None
