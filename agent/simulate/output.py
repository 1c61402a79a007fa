"""Where the simulated site is written: a file beside the user's, or a folder where it has parts in `conf.d/`."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from agent.config import Files, Report
from agent.config.parts import FOLDER, read_parts
from agent.model.errors import AgentError
from agent.simulate.rewrite import NOTE, Swap, moved, rewritten, swaps

_MARK = NOTE.partition("{")[0].encode()


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
    there = [*texts, *(folder / FOLDER).glob("*.y*ml")] if parts else list(texts)
    for target in there:
        _ours(target)
    sources = dict(zip(texts, [site, *parts], strict=True))
    for target, text in texts.items():
        _write(target, text, sources[target])
    for target in there:  # a part that the site has no more would be read along
        if target not in texts:
            target.unlink(missing_ok=True)
    return output


def _ours(path: Path) -> None:
    """Raises AgentError for a file that somebody else has written."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MARK)) == _MARK:
                return
    except FileNotFoundError:
        return
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}", hint="name a file that may be written with --out") from error
    wrong = f"{path}: is there already, and `floorgate simulate` has not written it"
    raise AgentError(wrong, hint="name another file with --out, or move this one away")


def _text(path: Path, data: bytes, by_file: Mapping[str, dict[tuple[int, int], str]]) -> str:
    places = by_file.get(str(path)) or by_file.get(str(path.absolute())) or _same(path, by_file)
    return NOTE.format(name=path.name) + rewritten(data, places)


def _same(path: Path, by_file: Mapping[str, dict[tuple[int, int], str]]) -> dict[tuple[int, int], str]:
    return next((found for name, found in by_file.items() if Path(name).absolute() == path.absolute()), {})


def _write(path: Path, text: str, source: Path) -> None:
    """For those who may read the user's own file, and nobody else: a password may stand in it."""
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.touch(0o600)
            draft.write_text(text, "utf-8", newline="")
            shutil.copymode(source, draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}", hint="name a file that may be written with --out") from error
