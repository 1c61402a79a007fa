"""How much of a wire's time the scans of its devices will take, before anybody was asked.

A request takes the time of its bytes and of its answer's, the silences around them, the pause that the device needs,
and the time until the device begins to answer. Only the last is a guess (`RESPONSE`): what most devices keep to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from drivers.api import Budget, LineConfig, ScanCost
from drivers.modbus.config import PORTS, Config, spread
from drivers.modbus.cost import cost
from drivers.modbus.groups import groups
from drivers.modbus.timing import timing
from drivers.transport import Endpoint, parse_endpoint

RESPONSE = {"rtu": 0.02, "ascii": 0.02, "listen": 0.3}  # seconds until the answer begins; 4G takes its time
NETWORK = 0.005  # the same on a local network
BAUDS = (19_200, 38_400, 57_600, 115_200)
_SEVERAL = ("tcp", "tls", "rtu+tcp", "ascii+tcp")  # schemes on which devices spread over connections


def budget(line: LineConfig, devices: Sequence[Config]) -> list[Budget]:
    """One for each wire that these devices share."""
    endpoints = [parse_endpoint(config.endpoint, PORTS) for config in devices]
    return [estimate(line, endpoint, name, members) for name, endpoint, members in _wires(line, endpoints, devices)]


def estimate(line: LineConfig, endpoint: Endpoint, name: str, devices: Sequence[Config]) -> Budget:
    """What one wire has to do, and which of its settings would change that."""
    costs = _costs(line, endpoint, devices)
    return Budget(name, costs, tuple(_remedies(line, endpoint, devices)))


def _wires(
    line: LineConfig, endpoints: Sequence[Endpoint], devices: Sequence[Config]
) -> Iterator[tuple[str, Endpoint, list[Config]]]:
    """As the driver spreads them: over connections in turn, and each that dials in has its own."""
    first = endpoints[0]
    if first.scheme == "listen":
        for each in dict.fromkeys(endpoints):
            yield (
                str(each),
                each,
                [config for endpoint, config in zip(endpoints, devices, strict=True) if endpoint == each],
            )
        return
    over = spread(devices, line.connections if first.scheme in _SEVERAL else 1)
    for number in range(max(over) + 1):
        users = [config for config, at in zip(devices, over, strict=True) if at == number]
        yield f"{first} #{number + 1}" if number else str(first), first, users


def _costs(line: LineConfig, endpoint: Endpoint, devices: Sequence[Config]) -> tuple[ScanCost, ...]:
    pace = timing(endpoint, line.silence)
    response = RESPONSE.get(endpoint.scheme, NETWORK)
    found: list[ScanCost] = []
    for config in devices:
        pause = max(line.pause, config.pause)
        for group in groups(config, cost(endpoint, line.silence, pause)):
            seconds = sum(pace.request(block.size) + response + pause for block in group.blocks())
            found.append(ScanCost(config.name, group.name, group.interval, seconds))
    return tuple(found)


def _remedies(line: LineConfig, endpoint: Endpoint, devices: Sequence[Config]) -> Iterator[tuple[str, float]]:
    """Each setting with the share of the time that would be needed with it."""
    if endpoint.serial is not None:
        for baud in (baud for baud in BAUDS if baud > endpoint.serial.baud):
            faster = replace(endpoint, serial=replace(endpoint.serial, baud=baud))
            yield f"baud={baud}", _share(_costs(line, faster, devices))
    elif endpoint.scheme in _SEVERAL:
        total = _share(_costs(line, endpoint, devices))
        for number in range(line.connections + 1, min(len(devices), 16) + 1):
            yield f"connections: {number}", total * line.connections / number


def _share(costs: Sequence[ScanCost]) -> float:
    return sum(cost.seconds / cost.interval for cost in costs)
