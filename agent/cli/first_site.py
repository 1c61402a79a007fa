"""The text of a first site file: commented, and such that `floorgate check` has nothing to say of it.

YAML alone; what its comments say is in `remarks`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.cli import remarks
from agent.cli.outline import quoted
from agent.config import canonical
from agent.model.text import is_name

SINKS = {"mqtt": "mqtt", "mqtts": "mqtt", "ws": "mqtt", "wss": "mqtt", "http": "http", "https": "http"}
SCHEMA = "floorgate.schema.json"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:")


@dataclass(frozen=True, slots=True)
class Device:
    """`unit` is None for OPC UA. `who` it says that it is, and how well a `map` fits, become comments. `secret` is the
    file with the password of `user`, `trust` the command by which a server comes to be trusted."""

    name: str
    endpoint: str
    unit: int | None = None
    map: str = ""
    who: str = ""
    guess: str = ""
    user: str = ""
    secret: str = ""
    trust: str = ""


@dataclass(frozen=True, slots=True)
class Sink:
    name: str
    url: str
    user: str = ""
    secret: str = ""

    @property
    def type(self) -> str:
        """By the URL; empty where no sink is meant by it."""
        return SINKS.get(urlsplit(self.url).scheme, "")


@dataclass(frozen=True, slots=True)
class Site:
    gateway: str
    place: Sequence[str]
    devices: Sequence[Device]
    sinks: Sequence[Sink]


def text(site: Site, schema: str = SCHEMA) -> str:
    """The file. `schema` is where its JSON Schema lies, for editors."""
    return "\n".join([*_head(site, schema), *_devices(site.devices), *_sinks(site.sinks), *_rest()]) + "\n"


def _head(site: Site, schema: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={schema}"
    yield "#"
    yield from (f"# {line}" for line in remarks.head())
    yield ""
    place = f", site: [{', '.join(map(_scalar, site.place))}]" if site.place else ""
    yield f"gateway: {{id: {_scalar(site.gateway)}{place}}}{_comment(remarks.gateway())}"
    yield ""


def _devices(devices: Sequence[Device]) -> Iterator[str]:
    yield "devices:"
    wires = Counter(canonical(device.endpoint) for device in devices)
    for device in devices:
        if device.unit is None:
            yield from _opcua(device)
        else:
            yield from _modbus(device, _interval(wires[canonical(device.endpoint)]))
        yield ""


def _interval(devices: int) -> str:
    """What so many meters at 9600 baud have time for."""
    return next((text for most, text in ((1, "1s"), (5, "5s"), (10, "10s"), (30, "30s")) if devices <= most), "1m")


def _modbus(device: Device, interval: str) -> Iterator[str]:
    yield f"  - name: {_scalar(device.name)}{_comment(remarks.identity(device.who))}"
    yield "    driver: modbus"
    yield f"    endpoint: {_scalar(device.endpoint)}"
    yield f"    unit: {device.unit}"
    if device.map:
        yield f"    map: {_scalar(device.map)}{_comment(remarks.guess(device.guess))}"
    yield f"    interval: {interval}"
    if not device.map:
        yield f"    tags:{_comment(remarks.no_map())}"
        yield "      - {name: first, address: 0, type: uint16}"


def _opcua(device: Device) -> Iterator[str]:
    yield f"  - name: {_scalar(device.name)}"
    yield "    driver: opcua"
    yield f"    endpoint: {_scalar(device.endpoint)}"
    yield f"    security: auto{_comment(remarks.security())}"
    if device.user:
        yield f"    user: {_scalar(device.user)}"
        yield f"    password: {_scalar(f'file:{device.secret}')}"
    yield "    interval: 1s"
    yield f"    tags:{_comment(remarks.pattern())}"
    yield '      - {match: "*"}'


def _sinks(sinks: Sequence[Sink]) -> Iterator[str]:
    if not sinks:
        yield f"# {remarks.nowhere()}"
        yield "# sinks:"
        yield '#   - {name: platform, type: mqtt, url: "mqtts://broker.example:8883"}'
    else:
        yield "sinks:"
    for sink in sinks:
        yield f"  - name: {_scalar(sink.name)}{_comment(remarks.sink())}"
        yield f"    type: {sink.type}"
        yield f"    url: {_scalar(sink.url)}"
        if sink.user:
            yield f"    username: {_scalar(sink.user)}"
        if sink.secret:
            yield f"    password: {_scalar(f'file:{sink.secret}')}{_comment(remarks.secret())}"
    yield ""


def _rest() -> Iterator[str]:
    yield f"# {remarks.buffer()}"
    yield "buffer: {keep: 7d, reserve: 1GB, commit: 500ms}"


def _comment(said: str) -> str:
    return f"     # {said}" if said else ""


def _scalar(value: str) -> str:
    """Plain where nothing in it means anything to YAML; a number in quotes."""
    is_word = value[:1].isalpha() and not set(value) - _PLAIN and not value.endswith(":")
    return value if is_word and value.lower() not in ("true", "false", "null") else quoted(value)


def named(wanted: str, taken: set[str]) -> str:
    """`wanted` as a name that no other device has, which is taken then."""
    base = "".join(c if is_name(c) and c != "$" else "-" for c in wanted).strip("-")[:64] or "device"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    taken.add(name)
    return name
