"""Which Modbus devices a site has on which wires, and what each of them is when it is simulated."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from pathlib import Path

from agent.config import Site
from agent.simulate.device import Simulated, bounds
from agent.simulate.model import Asked
from agent.simulate.registers import Part, Place, Unit
from agent.simulate.servers import Bus, Datagrams, Modem, Server, Socket, Terminal, tls_context
from drivers.api import LineConfig
from drivers.modbus.callers import packet
from drivers.modbus.config import PORTS, Config
from drivers.modbus.cost import cost
from drivers.modbus.driver import ordered
from drivers.modbus.groups import groups
from drivers.modbus.kinds import BCD, INTEGERS, SIZED, integer_range
from drivers.modbus.likeness import GAP
from drivers.modbus.plan import TABLES
from drivers.modbus.tag import Tag
from drivers.transport import Endpoint, parse_endpoint

Papers = Callable[[], tuple[Path, Path]]  # files of the plant's certificate and its key, made when they are wanted
_NAMES = {table.name: register for register, table in TABLES.items()}


def asked(site: Site, device: str, tag: Tag) -> Asked:
    """What the values of a tag can be, in the unit of the device."""
    limits = bounds(site, device, tag)
    low, high = _room(tag)
    text = tag.type if tag.type in ("bytes", "datetime") else ""
    step = abs(tag.scale) if tag.type in INTEGERS | BCD else 0.0
    return Asked(
        tag.name,
        "float64" if tag.type in INTEGERS | BCD and tag.scaled else tag.dtype,
        tag.unit,
        tag.kind,
        tuple(tag.enum.values()),
        text,
        2 * tag.length if tag.type in SIZED else 0,
        max(low, limits.low),
        min(high, limits.high),
        limits.rate,
        step,
    )


def _room(tag: Tag) -> tuple[float, float]:
    """The least and the most that its registers can say, but for what means that there is no value."""
    if tag.type not in INTEGERS | BCD:
        return (-65504.0, 65504.0) if tag.type == "float16" else (-inf, inf)
    low, high = integer_range(tag.type) if tag.type in INTEGERS else (0, 10 ** (4 * tag.words) - 1)
    low, high = low + (low in tag.invalid), high - (high in tag.invalid)
    first, last = sorted((low * tag.scale + tag.offset, high * tag.scale + tag.offset))
    return first, last


def servers(
    site: Site, configs: Sequence[Config], devices: dict[str, Simulated], papers: Papers, free_port: Callable[[], int]
) -> Iterator[tuple[str, Server, list[Simulated]]]:
    """(endpoint as the file has it, what serves it, whom it serves) of the devices at one endpoint of the site."""
    line = site.line(configs[0].endpoint)
    wires: dict[str, list[Config]] = {}
    for config in configs:
        endpoint = parse_endpoint(config.endpoint, PORTS)
        wires.setdefault(endpoint.id, []).append(config)  # devices that dial in are wires of their own
    ports: list[int] = []

    def shared_port() -> int:
        ports[:] = ports or [free_port()]
        return ports[0]

    for members in wires.values():
        endpoint = parse_endpoint(members[0].endpoint, PORTS)
        units: dict[int, list[Part]] = {}
        for config in members:
            told = ordered(config, line)
            units.setdefault(config.unit, []).append(
                Part(devices[config.name], config.tags, told.order_of, readable(told, line, endpoint))
            )
        most = {config.unit: config.max_registers for config in members}
        bus = Bus(endpoint, {unit: Unit(parts, most[unit]) for unit, parts in units.items()})
        yield members[0].endpoint, _server(bus, line, papers, shared_port), bus.devices


def _server(bus: Bus, line: LineConfig, papers: Papers, shared_port: Callable[[], int]) -> Server:
    scheme = bus.endpoint.scheme
    if bus.endpoint.serial is not None:
        return Terminal(bus)
    if scheme == "udp":
        return Datagrams(bus)
    if scheme == "listen":
        return Modem(bus, packet(bus.endpoint.id), shared_port)
    if scheme == "tls":
        return Socket(bus, "tls", tls_context(*papers())) if line.ca else Socket(bus, "tcp")
    return Socket(bus, scheme)


def readable(config: Config, line: LineConfig, endpoint: Endpoint) -> list[Place]:
    """What the gateway reads: the tags, and the holes between them that it reads along.

    Where the map does not call the device strict it has the small holes too: who looks for its map reads over them.
    """
    price = cost(endpoint, line.silence, max(line.pause, config.pause))
    places = [
        (_NAMES[block.table.name], block.address, block.address + block.count)
        for group in groups(config, price)
        for block in group.blocks()
    ]
    return places if config.strict or config.max_gap == 0 else _joined(sorted(places))


def _joined(places: Iterable[Place]) -> list[Place]:
    found: list[Place] = []
    for name, first, stop in places:
        if found and found[-1][0] == name and first - found[-1][2] <= GAP:
            _, begun, ended = found.pop()
            found.append((name, begun, max(stop, ended)))
        else:
            found.append((name, first, stop))
    return found
