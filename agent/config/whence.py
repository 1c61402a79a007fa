"""Where a file speaks of a tag, and whether it is read: also of a file that has problems elsewhere."""

import os
from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config.devices import read_devices
from agent.config.files import Files
from agent.config.lists import name_of
from agent.config.maps import Maps
from agent.config.parts import read_parts
from agent.config.problems import Mark, Report, Scope
from agent.config.tree import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Whence:
    """`device` and `tag` are where the file speaks of them, None where it does not. `off` is the one of the two that is
    not enabled. `devices` are the names of all devices, `tags` those of this one."""

    device: Mark | None = None
    tag: Mark | None = None
    off: str = ""
    devices: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def whence(path: Path, device: str, tag: str, environ: Table[str, str] = os.environ) -> Whence:
    """Nothing is known of a file that cannot be read at all."""
    report, files = Report(), Files()
    scope = Scope(report)
    root = read_parts(path, environ, report, files)
    if root is None:
        return Whence()
    _, raws = read_devices(root, Maps(path.parent, None, files, scope), None, scope)
    listed = [*raws, *_mappings(root.get("devices")), *_mappings(root.get("virtual"))]  # of wrong ones what is there
    found = {name_of(raw): raw for raw in reversed(listed) if name_of(raw)}
    names = tuple(dict.fromkeys(name_of(raw) for raw in listed if name_of(raw)))
    if device not in found:
        return Whence(devices=names)
    raw = found[device]
    tags = dict(_tags(raw))
    mark, on = tags.get(tag, (None, True))
    off = "device" if raw.get("enabled") is False else "" if on else "tag"
    return Whence(raw.value_marks["name"], mark, off, names, tuple(tags))


def _mappings(listed: Any) -> list[Mapping]:
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, Sequence) else []


def _tags(raw: Mapping) -> Iterator[tuple[str, tuple[Mark, bool]]]:
    """Each name, where it stands, and whether it is enabled."""
    for tag in _mappings(raw.get("tags")):
        name, bits = name_of(tag), tag.get("bits")
        if not name:
            continue
        on = tag.get("enabled") is not False
        yield name, (tag.value_marks["name"], on)
        if isinstance(bits, Mapping):
            for bit in bits.values():
                yield f"{name}_{bit}", (tag.value_marks["bits"], on)
    derived = raw.get("derived")
    if isinstance(derived, Mapping):
        for name in derived:
            yield name, (derived.key_marks[name], True)
