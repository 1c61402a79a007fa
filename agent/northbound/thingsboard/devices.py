"""Which devices the platform knows to be there, and what it was told of them, over one connection; pure."""

from collections.abc import Container, Iterable, Mapping, Sequence

from agent.model.tag import Schema
from agent.northbound.thingsboard.telemetry import Lane, beside

PLACE = "place"


class Devices:
    """`connected` holds since when each is (monotonic seconds); those that have `left` have history only."""

    def __init__(self, live: Lane, places: Mapping[str, Sequence[str]], left: Container[str] = ()) -> None:
        self.connected: dict[str, float] = {}
        self._left = left
        self._live, self._places = live, places
        self._groups: dict[str, dict[str, Schema]] = {}  # of live data, by device
        self._seen: set[Schema] = set()
        self._units: dict[str, dict[str, str]] = {}
        self._told: dict[str, str] = {}  # where each is

    def attributes(self, schema: Schema) -> dict[str, str]:
        """Where it is, and the units of its tags: what was not told yet."""
        if schema in self._seen:
            return {}
        self._seen.add(schema)
        place = self._place(schema.device)
        before = self._units.setdefault(schema.device, {})
        keys = beside([tag.name for tag in schema.tags], "unit")
        fresh = {keys[tag.name]: tag.unit for tag in schema.tags if tag.unit != before.get(keys[tag.name], "")}
        before |= fresh
        return place | fresh

    def _place(self, device: str) -> dict[str, str]:
        place = "/".join(self._places.get(device, ()))
        before, self._told[device] = self._told.get(device, ""), place
        return {PLACE: place} if place != before else {}

    def lives(self, schema: Schema) -> None:
        """There is live data of it; what its group was before a reload counts no more."""
        self._groups.setdefault(schema.device, {})[schema.group] = schema

    def gone(self, devices: Iterable[str]) -> list[str]:
        """Those of these of which nothing can be read any more; they are not connected from now on."""
        found = [device for device in devices if device in self.connected and self._dead(device)]
        for device in found:
            del self.connected[device]
        return found

    def _dead(self, device: str) -> bool:
        """What is worked out of a device that is read is no sign of life."""
        if device in self._left:
            return True
        groups = list(self._groups.get(device, {}).values())
        read = [schema for schema in groups if not schema.made]
        return bool(groups) and all(map(self._live.dead, read or groups))
