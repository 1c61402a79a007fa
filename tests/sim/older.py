"""The code of an earlier version, as a tree that an agent can be started from."""

import shutil
import subprocess
from pathlib import Path

from tests.house import ROOT

_PACKAGES = ("agent", "drivers", "buffer", "configs")
_FORMAT_2 = "_V2 ="  # what the first commit after format 1 of the store has put into its migrations


def older(folder: Path) -> tuple[Path, int]:
    """The newest code that wrote stores of format 1, and 1; where the history does not reach so far back, today's code
    under the number 0.0.1, and 0."""
    commit = _git("log", f"-S{_FORMAT_2}", "--format=%H^", "--", "buffer/migrations.py").split()[-1:]
    if commit and _git("rev-parse", "--verify", "--quiet", *commit):
        with subprocess.Popen(["git", "archive", *commit, *_PACKAGES], cwd=ROOT, stdout=subprocess.PIPE) as archive:
            subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
        return folder, 1
    return under_another_number(folder, "0.0.1"), 0


def under_another_number(folder: Path, version: str) -> Path:
    """Today's code."""
    for name in _PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "agent" / "__init__.py").write_text(f'"""Another version."""\n\n__version__ = "{version}"\n')
    return folder


def environ(tree: Path) -> dict[str, str]:
    """What has `python -m agent` take this code, wherever it is started."""
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


def _git(*arguments: str) -> str:
    """Nothing where there is no git, or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
