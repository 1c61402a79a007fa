"""Topic templates: which placeholders there are, and how names become topic levels."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from agent.model.tag import Schema

PLACEHOLDERS = ("gateway", "site", "place", "device", "group", "tag")
_FIELD = re.compile(r"\{([^{}]*)\}")
_NEVER = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_UNSAFE = re.compile(rf"[/+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NEVER}]")
_LONGEST = 256  # bytes of a template: filled in with the longest names it stays below MQTT's 65,535 (5.0 §4.7.3)


def check(template: str) -> str:
    """The template itself; raises ValueError naming what is wrong with it."""
    for name in _FIELD.findall(template):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ValueError(f"{{{name}}} is not a placeholder of a topic: there are {known}")
    literal = _FIELD.sub("", template)
    if not template.replace("{site}", "").replace("{place}", "").strip("/ "):
        raise ValueError("a topic needs more than that: a gateway may have no site, and a device no place")
    for bad, what in (("{", "an open brace"), ("}", "a closing brace"), ("+", "a wildcard"), ("#", "a wildcard")):
        if bad in literal:
            raise ValueError(f"{template!r} holds {what} ({bad}), which has no place in a topic")
    if not literal.isprintable():
        raise ValueError(f"{template!r} holds a control character")
    if len(template.encode()) > _LONGEST:
        raise ValueError(f"a topic template may have at most {_LONGEST} bytes")
    return template


def level(text: str) -> str:
    """A name as one topic level: the separator, wildcards, control characters and code points that are never one become
    `_`. Brokers close the connection over the last two (5.0 and 3.1.1 §1.5.4, §1.5.3)."""
    return _UNSAFE.sub("_", text)


def namer(
    template: str, gateway: str, site: Sequence[str], places: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Callable[..., bytes]:
    """What names the topic of a schema's frames, or of one tag of them, in UTF-8. `places` are those of the devices.

    A site without a name leaves no empty level behind, nor does a device without a place.
    """
    template = template if site else _without("site", template)
    fixed = {"gateway": level(gateway), "site": _levels(site)}
    nowhere = _without("place", template)

    def name(schema: Schema, tag: str = "") -> bytes:
        place = _levels(places.get(schema.device, ()))
        names = {"device": level(schema.device), "group": level(schema.group), "tag": level(tag)}
        fields = {**fixed, **names, "place": place}
        topic = _FIELD.sub(lambda field: fields[field[1]], template if place else nowhere)
        if topic.startswith("$") and not template.startswith("$"):
            topic = "_" + topic[1:]  # topics from $ on belong to the broker, unless the template says so
        return topic.encode()

    return name


def _levels(names: Sequence[str]) -> str:
    return "/".join(map(level, names))


def _without(field: str, template: str) -> str:
    return template.replace(f"{{{field}}}/", "").replace(f"/{{{field}}}", "").replace(f"{{{field}}}", "")
