"""The plant of a site: its devices, the servers that stand for its endpoints, and what happens to them."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.config import Site, canonical, shared
from agent.model.errors import AgentError, ConfigError
from agent.registry import DriverConfig
from agent.simulate.device import Simulated
from agent.simulate.papers import HOSTNAME, Papers
from agent.simulate.script import Step
from agent.simulate.servers import HOST, Server

BEAT = 0.2  # seconds between two looks at the script and at devices that flap
_FIRST, _LAST = 15_000, 65_535
MODBUS, OPCUA = "modbus", "opcua"


@dataclass(frozen=True, slots=True)
class Stand:
    """A server that stands for an endpoint: as the file has it, as it is reached now, and whose it is."""

    endpoint: str
    simulated: str
    devices: tuple[str, ...]
    note: str = ""


class Plant:
    """`papers` is the folder for the certificate of the servers that encrypt. Raises ConfigError when there is nothing
    to simulate."""

    def __init__(
        self, site: Site, seed: int, papers: Path, *, port: int = 0, mono: Callable[[], float] = time.monotonic
    ) -> None:
        self._mono, self._started = mono, mono()
        self._papers, self._next = Papers(papers), port
        self.devices: dict[str, Simulated] = {}
        self._servers: list[tuple[str, Server, tuple[str, ...], str]] = []
        self._steps: list[Step] = []
        self._hosts: dict[str, None] = {}  # names in the certificates of OPC UA servers that encrypt
        self.omitted: dict[str, str] = {}  # what cannot be simulated: why, by device or tag
        wires: dict[tuple[str, str], list[DriverConfig]] = {}
        for config in site.devices:
            wires.setdefault((config.driver, shared(config.endpoint)), []).append(config)
        for (driver, _), members in wires.items():
            self._servers += self._build(driver, site, members, seed)
        if not self._servers:
            why = "it has none of modbus or opcua" if site.devices else "it has none that is enabled"
            raise ConfigError("no device of this file can be simulated", hint=why)

    def _build(
        self, driver: str, site: Site, members: Sequence[DriverConfig], seed: int
    ) -> Iterator[tuple[str, Server, tuple[str, ...], str]]:
        if driver == MODBUS:
            from agent.simulate import modbus  # noqa: PLC0415  # each kind of device loads its own library only
            from drivers.modbus.config import Config  # noqa: PLC0415  # as above

            found = [each for each in members if isinstance(each, Config)]
            for config in found:
                tags = [modbus.asked(site, config.name, tag) for tag in config.tags]
                self.devices[config.name] = Simulated(config.name, tags, seed, self.clock)
            for endpoint, server, devices in modbus.servers(
                site, found, self.devices, self._papers.pem, self._free_port
            ):
                yield endpoint, server, tuple(device.name for device in devices), ""
        elif driver == OPCUA:
            yield from self._opcua(site, members, seed)
        else:
            for each in members:
                self.omitted[each.name] = f"devices of the driver {driver!r} are not simulated: it stays as it is"

    def _opcua(
        self, site: Site, members: Sequence[DriverConfig], seed: int
    ) -> Iterator[tuple[str, Server, tuple[str, ...], str]]:
        """A server for each place of a redundant one, with the same nodes."""
        from agent.simulate import nodes, opcua  # noqa: PLC0415  # asyncua takes half a second
        from drivers.opcua.config import Config, every  # noqa: PLC0415  # as above

        configs = [each for each in members if isinstance(each, Config)]
        for config in configs:
            self.devices[config.name] = Simulated(config.name, nodes.asked(site, config), seed, self.clock)
        devices = [self.devices[config.name] for config in configs]
        for endpoint in dict.fromkeys(at for config in configs for at in every(config.endpoint)):
            leaves = [
                leaf for config in configs for leaf in nodes.leaves(config, self.devices[config.name], self.omitted)
            ]
            server = opcua.OpcuaServer(endpoint, configs, devices, leaves, self._papers)
            if server.secured:
                self._hosts[server.host] = None
            yield endpoint, server, tuple(config.name for config in configs), ""

    @property
    def ca(self) -> str:
        """The certificate that lines with TLS are to trust, once there is one."""
        path = self._papers.folder / f"{HOSTNAME}.pem"
        return str(path.absolute()) if path.exists() else ""

    @property
    def secured(self) -> list[Path]:
        """The certificates of OPC UA servers that encrypt."""
        return [self._papers.der(host) for host in self._hosts]

    def clock(self) -> float:
        """Seconds since the plant was started."""
        return self._mono() - self._started

    async def start(self) -> list[Stand]:
        """Every server listens. Raises AgentError; what has been started must be stopped then, too."""
        self._started = self._mono()
        stands = []
        for endpoint, server, devices, note in self._servers:
            port = self._free_port() if self._next else 0
            stands.append(Stand(endpoint, await server.start(port), devices, note))
        return stands

    async def until(self, stop: asyncio.Event) -> None:
        """Do what the script says, and what goes on all the time, until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(server.run(), name=f"serve:{at}") for at, server, _, _ in self._servers]
            while not stop.is_set():
                await self._beat()
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT):
                        await stop.wait()
            for task in tasks:
                task.cancel()

    async def _beat(self) -> None:
        now = self.clock()
        while self._steps and self._steps[0].at <= now:
            self._take(self._steps.pop(0))
        for _, server, _, _ in self._servers:
            await server.follow()

    def plan(self, steps: Sequence[Step]) -> None:
        """What is to happen; what is due has happened when this returns."""
        self._steps = sorted([*self._steps, *steps], key=lambda step: step.at)
        while self._steps and self._steps[0].at <= self.clock():
            self._take(self._steps.pop(0))

    def _take(self, step: Step) -> None:
        for name in step.devices:
            self.devices[name].fault = step.fault

    async def stop(self) -> None:
        for _, server, _, _ in self._servers:
            await server.stop()

    def _free_port(self) -> int:
        """The next port where the user named the first one, else any."""
        import socket  # noqa: PLC0415  # for this question only

        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for port in range(self._next, _LAST + 1) if self._next else [0]:
                try:
                    probe.bind((HOST, port))
                except OSError:
                    continue
                found = int(probe.getsockname()[1])
                self._next = found + 1 if self._next else 0
                return found
        raise AgentError(f"no free port on {HOST}", hint="name another first port with --port")


def endpoints(stands: Sequence[Stand]) -> dict[str, str]:
    """The simulated endpoint of each wire, by its canonical spelling."""
    return {canonical(stand.endpoint): stand.simulated for stand in stands}
