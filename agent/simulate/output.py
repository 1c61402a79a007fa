"""Where the simulated site is written: a file beside the user's, or a folder where it has parts in `conf.d/`."""

import os
from collections.abc import Mapping
from pathlib import Path

from agent.config import Files, Report
from agent.config.parts import FOLDER, read_parts
from agent.model.errors import AgentError
from agent.simulate.rewrite import NOTE, Swap, moved, rewritten, swaps


def default_output(site: Path) -> Path:
    """`site.simulated.yaml` beside `site.yaml`."""
    return site.with_name(f"{site.stem}.simulated{site.suffix or '.yaml'}")


def write_site(site: Path, output: Path, new: Mapping[str, str], *, ca: str = "") -> Path:
    """Write the site with these endpoints (old canonical spelling → new); the path of the file for `floorgate run -c`.

    Raises AgentError.
    """
    files = Files()
    root = read_parts(site, os.environ, Report(), files)
    assert root is not None  # it has been loaded
    parts = [path for path in files.taken if path != site.absolute()]
    found: list[Swap] = list(swaps(root, new, ca=ca))
    folder = output.parent
    if parts or output.parent.absolute() != site.parent.absolute():
        found += moved(root, site.parent)
    if parts:
        folder = output.with_suffix("")
        output = folder / site.name
    by_file: dict[str, dict[tuple[int, int], str]] = {}
    for swap in found:
        by_file.setdefault(swap.mark.file, {})[swap.mark.line, swap.mark.column] = swap.text
    texts = {output: _text(site, files.taken[site.absolute()], by_file)}
    for path in parts:
        texts[folder / FOLDER / path.name] = _text(path, files.taken[path], by_file)
    for target, text in texts.items():
        _write(target, text)
    return output


def _text(path: Path, data: bytes, by_file: Mapping[str, dict[tuple[int, int], str]]) -> str:
    places = by_file.get(str(path)) or by_file.get(str(path.absolute())) or _same(path, by_file)
    return NOTE.format(name=path.name) + rewritten(data, places)


def _same(path: Path, by_file: Mapping[str, dict[tuple[int, int], str]]) -> dict[tuple[int, int], str]:
    return next((found for name, found in by_file.items() if Path(name).absolute() == path.absolute()), {})


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, "utf-8", newline="")
        draft.replace(path)
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}", hint="name a file that may be written with --out") from error
