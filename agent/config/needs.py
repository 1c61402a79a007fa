"""`floorgate:` of a site: the oldest version that understands what it says; an older one refuses it as a whole.

The key may stand in any file of the site, and nobody has to write it.
"""

import re
from typing import Any

from agent import __version__
from agent.config.problems import Scope
from agent.config.tree import Mapping
from agent.config.words import shown

KEY = "floorgate"
PATTERN = r"^\d{1,4}\.\d{1,4}\.\d{1,4}$"
_NUMBERS = re.compile(r"\d+")


def check_version(root: Mapping, scope: Scope) -> None:
    """Refuse what needs a newer version; then `scope.report.needs` says which."""
    wanted: Any = root.get(KEY)
    if wanted is None:
        return
    mark = root.value_marks[KEY]
    if not isinstance(wanted, str) or not re.match(PATTERN, wanted):
        scope.add(mark, f"{KEY}: {shown(wanted)} is no version", "write all three numbers, such as 0.2.0")
    elif _numbers(wanted) > _numbers(__version__):
        scope.report.needs = wanted
        scope.add(
            mark,
            f"this configuration is for floorgate {wanted} or newer, and this is {__version__}",
            "install that version, or take a file that this one knows: `floorgate history` lists what ran before",
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in _NUMBERS.findall(version)[:3]]
