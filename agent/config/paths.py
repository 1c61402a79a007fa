"""Where a device map may be: on the shelf, or in the folder of whoever names it, and nowhere else."""

from pathlib import Path

from agent.config.files import configs_dir
from agent.config.problems import Mark, Scope
from agent.config.tables import is_table
from agent.config.words import did_you_mean, shown

YAML = (".yaml", ".yml")


def map_path(key: str, name: str, start: Path, home: Path, mark: Mark, scope: Scope) -> Path | None:
    """The file that `key: name` at `mark` means; None after a problem was reported.

    A name without a slash or an ending is one of the shelf. A path starts at the folder `start`, and must lead to
    something in or below `home`, links followed; an absolute one may also lead to the shelf.
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
        real = path.resolve()
        allowed = (home.resolve(), (configs_dir() / "devices").resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL byte
        scope.add(mark, f"{key}: {shown(name)}: this cannot be a path: {error}")
        return None
    if not any(real.is_relative_to(folder) for folder in allowed):
        scope.add(
            mark, f"{key}: {shown(name)} leads out of {home.absolute()}", "put the map there, or in a folder below"
        )
        return None
    return path
