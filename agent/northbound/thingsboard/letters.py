"""A batch as messages of the gateway API: connects, attributes, telemetry, disconnects; no I/O happens here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from agent.model.frame import Entry
from agent.northbound.api import Batch
from agent.northbound.broker import packet
from agent.northbound.broker.packet import Message
from agent.northbound.broker.verdict import Written
from agent.northbound.encode import as_json
from agent.northbound.gap import DEVICE, gap, is_gap
from agent.northbound.thingsboard.devices import Devices
from agent.northbound.thingsboard.names import Names
from agent.northbound.thingsboard.telemetry import Packer, Records, overhead

_MS = 1_000_000
CONNECT, DISCONNECT, TELEMETRY, ATTRIBUTES, OWN_TELEMETRY, OWN_ATTRIBUTES, RPC = (
    packet.topic_head(topic)
    for topic in (
        b"v1/gateway/connect",
        b"v1/gateway/disconnect",
        b"v1/gateway/telemetry",
        b"v1/gateway/attributes",
        b"v1/devices/me/telemetry",
        b"v1/devices/me/attributes",
        b"v1/gateway/rpc",
    )
)


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of a payload: `aim` for one of many values, `most` for one that holds a single value."""

    aim: int
    most: int


class Letters:
    """Writes for one sink. `begin` is called with each connection: then the platform has to be told all anew."""

    def __init__(
        self,
        names: Names,
        profile: str,
        *,
        quality: bool,
        together: bool,
        now: Callable[[], float],
        places: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._names, self._profile, self._together, self._now = names, profile, together, now
        self._places = places
        self._records = Records(quality=quality)
        self._json: dict[str, bytes] = {}  # names of devices there, by ours
        self._left = set[str]()  # devices that the gateway has no more
        self.begin()

    def begin(self) -> None:
        self._records.begin()
        self.devices = Devices(self._records.live, self._places, self._left)

    def forget(self) -> None:
        """Something was refused: who knows what the platform has been told of qualities?"""
        connected = self.devices.connected
        self.begin()
        self.devices.connected |= connected

    def write(self, batch: Batch, room: Room) -> Written:
        """Each device is connected before what there is of it, and those of which nothing can be read go at the end."""
        written, packers = Written(), dict[bytes, Packer]()
        users: dict[str, list[int]] = {}
        for index, entry in enumerate(batch):
            schema = entry.frame.schema
            if schema.device == DEVICE:
                written.add(OWN_TELEMETRY, _own(entry), (index,))
                continue
            name, around = self._named(schema.device)
            records = self._records.write(entry, room.aim - around, room.most - around)
            if records is None:
                written.too_large.append(index)
                continue
            packer = packers.setdefault(b"" if self._together else name, Packer(room.aim))
            for record in records:
                packer.add(name, record, index)
            users.setdefault(schema.device, []).append(index)
            if not entry.history:
                self.devices.lives(schema)
        told = Written()
        self._introduce(batch, users, told, room.aim)
        for packer in packers.values():
            packer.flush()
            for payload, owners in zip(packer.messages, packer.owners, strict=True):
                told.add(TELEMETRY, payload, owners)
        for message in self.goodbyes(self.devices.gone(users)):
            told.messages.append(message)
            told.owners.append(())
        return Written([*told.messages, *written.messages], [*told.owners, *written.owners], written.too_large)

    def leave(self, there: AbstractSet[str]) -> list[Message]:
        """Only these devices are there now: goodbyes of the others."""
        gone = [device for device in self.devices.connected if device not in there]
        self._left |= set(gone)
        self._left -= there
        return self.goodbyes(self.devices.gone(gone))

    def goodbyes(self, devices: Sequence[str]) -> list[Message]:
        return [(DISCONNECT, as_json({"device": self._names.name(device)}), False) for device in devices]

    def _introduce(self, batch: Batch, users: dict[str, list[int]], told: Written, room: int) -> None:
        """The devices that are not connected, and what is not known of them."""
        for device, indices in users.items():
            owners = tuple(indices)
            if device not in self.devices.connected:
                self.devices.connected[device] = self._now()
                told.add(CONNECT, as_json({"device": self._names.name(device), "type": self._profile}), owners)
            fresh: dict[str, str] = {}
            for index in indices:
                fresh |= self.devices.attributes(batch[index].frame.schema)
            for payload in _attributes(self._names.name(device), fresh, room):
                told.add(ATTRIBUTES, payload, owners)

    def _named(self, device: str) -> tuple[bytes, int]:
        """Its name there as JSON, and what a message has around a record of it."""
        name = self._json.get(device)
        if name is None:
            name = self._json[device] = as_json(self._names.name(device))
        return name, overhead(name)


def _attributes(name: str, fresh: dict[str, str], room: int) -> Iterator[bytes]:
    """In as many messages as it takes."""
    payload = as_json({name: fresh})
    if not fresh:
        return
    if len(payload) <= room or len(fresh) == 1:
        yield payload
        return
    items = iter(fresh.items())
    yield from _attributes(name, dict(islice(items, len(fresh) // 2)), room)
    yield from _attributes(name, dict(items), room)


def _own(entry: Entry) -> bytes:
    """Of the gateway itself, which is the device that we are logged in as: a loss, or that the clock was set."""
    frame = entry.frame
    if is_gap(frame.schema):
        report = gap(entry)
        (lost,) = report.pop("ranges")
        values = {key: report[key] for key in ("type", "sink", "reason", "frames", "samples")} | lost
    else:
        values = {"type": frame.schema.group} | {tag.name: value for tag, value, _ in frame.rows()}
    values = {key: value for key, value in values.items() if value is not None}
    return as_json({"ts": frame.ts // _MS, "values": values})
