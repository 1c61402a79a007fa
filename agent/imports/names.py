"""Names that our files allow, each once; whatever could not stay as it was is told."""

import re

from agent.imports.notes import Notes, Renamed
from agent.model.text import LONGEST_NAME, is_name

_NOT_IN_NAMES = re.compile(r"[\s/+#\x00-\x1f\x7f]+")


def valid(text: str, otherwise: str) -> str:
    """A name as near to `text` as can be; letters of any language stay."""
    name = _NOT_IN_NAMES.sub("_", text.strip()).strip("_")
    if name.startswith(("$", "file:", "credential:")):  # the others would be read as a file
        name = f"_{name}"
    name = name.replace("${", "$_{")[:LONGEST_NAME]
    return name if is_name(name) else otherwise


class Names:
    """The names of one list, such as the tags of a device."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def give(self, text: str, otherwise: str, place: str) -> str:
        """A name that is free; `otherwise` where `text` leaves none."""
        wanted = valid(text, otherwise)
        name = wanted
        while name in self._taken:
            number = self._next[wanted] = self._next.get(wanted, 1) + 1
            end = f"_{number}"
            name = f"{wanted[: LONGEST_NAME - len(end)]}{end}"
        self._taken.add(name)
        if name != text and text:
            self._notes.renamed.append(Renamed(place, text, name))
        return name
