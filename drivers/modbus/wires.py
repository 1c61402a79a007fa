"""Which devices share which wire."""

from collections.abc import Sequence
from functools import partial

from agent.model.errors import ConfigError
from drivers.api import LineConfig
from drivers.modbus.callers import Porch
from drivers.modbus.config import PORTS, Config, spread
from drivers.modbus.dial import dialler
from drivers.modbus.timing import timing
from drivers.modbus.wire import Wire
from drivers.transport import Endpoint, parse_endpoint

_SEVERAL = ("tcp", "tls", "rtu+tcp", "ascii+tcp")  # schemes on which a line may have several connections


def wires(line: LineConfig, devices: Sequence[Config]) -> list[Wire]:
    """The wire of each device, in their order. Raises ConfigError for settings of a line that contradict one
    another."""
    for config in devices:
        _leaves_time(line, config)
    endpoints = [parse_endpoint(config.endpoint, PORTS) for config in devices]
    made = partial(_wire, line, devices)
    first = endpoints[0]
    if line.connections > 1 and first.scheme not in _SEVERAL:
        raise ConfigError(f"line {line.endpoint}: only TCP has several `connections`", hint="remove `connections`")
    if first.scheme == "listen":
        ids = tuple(dict.fromkeys(endpoint.id for endpoint in endpoints))
        porch = Porch(first, ids)
        by_id = {endpoint.id: made(endpoint, porch=porch) for endpoint in endpoints}
        return [by_id[endpoint.id] for endpoint in endpoints]
    _agree(endpoints, devices)
    over = spread(devices, line.connections)
    several = [made(first, name=f"{first} #{n + 1}" if n else "") for n in range(max(over) + 1)]
    return [several[number] for number in over]


def lone_wire(endpoint: str, timeout: float) -> Wire:
    """A wire for whoever asks one thing and goes. Raises ValueError for text that is no endpoint."""
    parsed = parse_endpoint(endpoint, PORTS)
    line = LineConfig(endpoint=endpoint)
    porch = Porch(parsed, (parsed.id,)) if parsed.scheme == "listen" else None
    return Wire(parsed, timeout, dialler(parsed, line, porch), timing=timing(parsed))


def _wire(
    line: LineConfig, devices: Sequence[Config], endpoint: Endpoint, *, name: str = "", porch: Porch | None = None
) -> Wire:
    return Wire(
        endpoint,
        line.timeout,
        dialler(endpoint, line, porch),
        name=name,
        timing=timing(endpoint, line.silence),
        connect_delay=max(line.connect_delay, *(config.connect_delay for config in devices)),
    )


def _leaves_time(line: LineConfig, config: Config) -> None:
    timeout = config.timeout or line.timeout
    if max(line.pause, config.pause) >= timeout:
        message = f"{config.name}: the pause before a request uses up the timeout of {timeout:g} s"
        raise ConfigError(message, hint=f"raise `timeout` of the line {line.endpoint}")


def _agree(endpoints: Sequence[Endpoint], devices: Sequence[Config]) -> None:
    """A port has one speed and one framing for all that are on it."""
    first = (endpoints[0].scheme, endpoints[0].serial)
    for endpoint, config in zip(endpoints, devices, strict=True):
        if first[1] is not None and (endpoint.scheme, endpoint.serial) != first:
            message = f"{devices[0].name} and {config.name} share a port and do not agree how it is set"
            raise ConfigError(message, hint=f"{endpoints[0]} or {endpoint}: write the same for both")
