"""Names for tags that were found rather than listed: made of the names on the way, legal, and each used once."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

from agent.model.text import plain
from drivers.browsing import Place

LONGEST = 120  # characters of a name that is made here
Names = tuple[str, ...]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def path(found: Sequence[Place], at: int) -> Names:
    """The names on the way to a place, from where browsing began."""
    names = []
    while at >= 0:
        names.append(found[at].name)
        at = found[at].parent
    return tuple(reversed(names))


def check(naming: str, wildcards: int = 1 << 30) -> None:
    """Raises ValueError when `naming` asks for anything but the name and what the wildcards of a pattern stand for."""
    asked = [text for text in _PLACEHOLDER.findall(naming) if text != "name"]
    odd = any(not (text.isascii() and text.isdigit() and int(text[:10]) >= 1) for text in asked)
    if odd or set(_PLACEHOLDER.sub("", naming)) & set("{}"):
        raise ValueError(f"{naming!r} is no name: write text, {{1}} for the first wildcard, {{name}} for the node's")
    if any(int(text[:10]) > wildcards for text in asked):
        raise ValueError(f"{naming!r} asks for more than the {wildcards} wildcards of the pattern")


def formed(naming: str, texts: Sequence[str], names: Names) -> str:
    """`press{1}_{name}` for the node at the end of `names`; `texts` are what the wildcards stand for. See `check`."""

    def said(match: re.Match[str]) -> str:
        return _bare(names[-1]) if match[1] == "name" else texts[int(match[1]) - 1]

    return legal(_PLACEHOLDER.sub(said, naming)) or "node"


def tag_names(paths: Sequence[Names], others: Collection[str] = ()) -> list[str]:
    """A legal name for each path: its last part, with as many of those before it as it takes to be the only one.

    None of them is among `others`.
    """
    parts = [[legal(_bare(each)) for each in names] for names in paths]
    parts = [[each for each in names if each] or ["node"] for names in parts]
    taken = [1] * len(parts)
    made = [names[-1] for names in parts]
    for _ in range(max(map(len, parts), default=0)):
        often = Counter(made)
        twins = [
            at for at, name in enumerate(made) if (often[name] > 1 or name in others) and taken[at] < len(parts[at])
        ]
        for at in twins:
            taken[at] += 1
            made[at] = "_".join(parts[at][-taken[at] :])[-LONGEST:].lstrip("$")
        if not twins:
            break
    return unique(made, others)


def unique(names: Sequence[str], others: Collection[str] = ()) -> list[str]:
    """The same, with a number behind each that was there before or is among `others`."""
    made: list[str] = []
    taken = {*names, *others}
    seen: Counter[str] = Counter(others)
    for name in names:
        seen[name] += 1
        found = name
        while seen[name] > 1 and found in taken:
            found = f"{name}_{seen[name]}"
            seen[name] += found in taken
        taken.add(found)
        made.append(found)
    return made


def legal(text: str) -> str:
    """A name that may leave the gateway: what it may not hold becomes `_`."""
    plain = unicodedata.normalize("NFC", text)
    cleaned = "".join(c if c.isprintable() and not c.isspace() and c not in "/+#" else "_" for c in plain)
    return cleaned.strip("_").lstrip("$")[:LONGEST]


def shown(names: Sequence[str], most: int = 3) -> str:
    """The first few, for a line in the log."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(plain, names[:most])) + more


def _bare(name: str) -> str:
    return name.partition(":")[2] or name
