"""How our devices are called on the platform, and which of ours is meant by a name there; pure."""

import re
from collections.abc import Sequence

PLACEHOLDERS = ("device", "gateway", "site")
_FIELD = re.compile(r"\{([^{}]*)\}")
_LONGEST = 100  # characters of a template


def check(template: str) -> str:
    """The template itself; raises ValueError naming what is wrong with it."""
    fields = _FIELD.findall(template)
    for name in fields:
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ValueError(f"{{{name}}} is not a placeholder of a device's name: there are {known}")
    if fields.count("device") != 1:
        raise ValueError("{device} must stand there, once: without it all devices would have one name")
    literal = _FIELD.sub("", template)
    if "{" in literal or "}" in literal or not template.isprintable() or len(template) > _LONGEST:
        raise ValueError(f"a template has at most {_LONGEST} characters, all of them printable, and no single brace")
    return template


class Names:
    """`{device}` by default; the rest of the template is the same for all of them."""

    def __init__(self, template: str, gateway: str, site: Sequence[str]) -> None:
        fixed = {"gateway": gateway, "site": "/".join(site)}
        before, _, after = template.partition("{device}")
        self._before, self._after = (_FIELD.sub(lambda field: fixed[field[1]], part) for part in (before, after))

    def name(self, device: str) -> str:
        return f"{self._before}{device}{self._after}"

    def device(self, name: str) -> str:
        """Ours; empty when it can be none."""
        fits = name.startswith(self._before) and name.endswith(self._after)
        return name[len(self._before) : len(name) - len(self._after)] if fits else ""
