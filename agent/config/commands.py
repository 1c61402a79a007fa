"""What sinks may have written: patterns that stand for no tag that can be."""

import re
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several

from agent.config.lists import mappings, name_of
from agent.config.problems import Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown
from agent.registry import DriverConfig, SinkConfig, commands_of, fits, pattern_of


def check_commands(root: Mapping, devices: Several[DriverConfig], sinks: Several[SinkConfig], scope: Scope) -> None:
    """Each pattern of an `allow` must stand for a tag with a `write` section, of a device that is read or not."""
    listed = root.get("devices")
    if not isinstance(listed, Sequence) or len(listed) != len(devices):
        return  # a device is wrong: nobody knows what it would have had
    allowed = {sink.name for sink in sinks if commands_of(sink)}
    if not allowed:
        return
    can = _tags(devices)
    many = [name for name, writable in _tags(devices, found=True).items() if writable]
    for raw, inner in mappings(root, "sink", scope):
        commands = raw.get("commands")
        patterns = commands.get("allow") if isinstance(commands, Mapping) and name_of(raw) in allowed else None
        if isinstance(patterns, Sequence):
            for pattern, mark in zip(patterns, patterns.item_marks, strict=True):
                if not any(fits(pattern, name) for name, writable in can.items() if writable) and not any(
                    _may_be(pattern, name) for name in many
                ):
                    inner.add(
                        mark, f"commands.allow: no tag that can be written is {shown(pattern)}", _hint(pattern, can)
                    )


def _tags(devices: Several[DriverConfig], *, found: bool = False) -> dict[str, bool]:
    """Whether each `DEVICE/TAG` can be written; of those that are listed, or of those that stand for many."""
    return {
        f"{device.name}/{tag.name}": getattr(tag, "write", None) is not None
        for device in devices
        for tag in getattr(device, "tags", None) or ()
        if bool(pattern_of(tag)) is found
    }


def _may_be(pattern: str, name: str) -> bool:
    """Whether they begin alike, up to what is open in either: `press-3/oven{1}_temp` is a name of tags to be found."""
    ends = re.split(r"[*?]", pattern)[0], name.partition("{")[0]
    return ends[0].startswith(ends[1]) or ends[1].startswith(ends[0])


def _hint(pattern: str, can: Table[str, bool]) -> str:
    """Those that are meant but have no `write`, or else what looks like it."""
    meant = [name for name in can if fits(pattern, name)]
    if meant:
        return f"{meant[0]} has no `write` section" + f", nor have {len(meant) - 1} more" * (len(meant) > 1)
    writable = [name for name in can if can[name]]
    return did_you_mean(pattern, writable) if writable else "no tag has a `write` section"
