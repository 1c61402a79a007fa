"""The requests by which Modbus devices will be read: what `floorgate check --blocks` shows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.cli.tables import cell, show, table
from agent.config import Site
from agent.config.maps import DeviceMap
from agent.model.text import duration_text
from drivers.api import LineConfig

DRIVER = "modbus"
_NETWORK = "tcp://device"  # a map alone may serve any wire; this is one on which bytes cost nothing


def of_site(site: Site) -> list[dict[str, Any]]:
    """A row per device and scan group."""
    devices = [device for device in site.devices if device.driver == DRIVER]
    return [row for device in devices for row in _rows(device, site.line(device.endpoint))]


def of_map(found: DeviceMap, file: Path) -> list[dict[str, Any]]:
    """The same for a device that is all as its map says."""
    if found.head.driver != DRIVER or not found.tags:
        return []
    from drivers.modbus.config import Config  # noqa: PLC0415  # loads only where it is needed

    keys = {"name": file.stem, "driver": DRIVER, "endpoint": _NETWORK, "groups": found.groups, "tags": found.tags}
    return list(_rows(Config.model_validate({**found.quirks, **keys}), LineConfig(endpoint=_NETWORK)))


def say(rows: Sequence[dict[str, Any]]) -> None:
    """A table for each scan group."""
    sides = {"bytes": "right", "ms": "right"}
    for row in rows:
        counts = dict.fromkeys(("count", "tags", "bridged"), "right")
        shown = table(f"\n{_title(row)}", table="left", registers="left", in_manuals="left", **counts, **sides)
        for each in row["requests"]:
            where = [each["table"], _range(each["first"], each["last"]), each["numbers"]]
            figures = [each[key] for key in ("registers", "tags", "bridged", "bytes")]
            shown.add_row(*map(cell, [*where, *figures, "" if each["ms"] is None else f"{each['ms']:.1f}"]))
        show(shown)


def _title(row: dict[str, Any]) -> str:
    requests = row["requests"]
    count = "1 request" if len(requests) == 1 else f"{len(requests)} requests"
    size = f"{sum(each['bytes'] for each in requests)} bytes"
    took = "" if requests[0]["ms"] is None else f", {sum(each['ms'] for each in requests):.1f} ms of the wire"
    return f"{row['device']}, every {duration_text(row['interval'])} (group {row['group']}): {count}, {size}{took}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _rows(device: Any, line: LineConfig) -> Iterator[dict[str, Any]]:
    from drivers.modbus.groups import planned  # noqa: PLC0415  # as above

    for group, requests in planned(device, line):
        found = [
            {
                "table": each.block.table.name,
                "first": each.block.address,
                "last": each.block.address + each.block.count - 1,
                "numbers": each.block.numbers,
                "registers": each.block.count,
                "tags": len(each.block.tags),
                "bridged": each.block.bridged,
                "bytes": each.size,
                "ms": None if each.seconds is None else round(1e3 * each.seconds, 1),
            }
            for each in requests
        ]
        yield {"device": device.name, "group": group.name, "interval": group.interval, "requests": found}
