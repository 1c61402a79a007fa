"""What a site file says, once it has been found right."""

from dataclasses import dataclass, replace

from agent.config.endpoint import shared
from agent.config.sections import BufferConfig, GatewayConfig, LogConfig, StatusConfig
from agent.config.virtual import VirtualConfig
from agent.normalise import Recipes
from agent.registry import DriverConfig, LineConfig, SinkConfig


@dataclass(frozen=True, slots=True)
class Site:
    """A whole configuration. `devices` are the enabled ones; `sinks` are all of them, because the store keeps what a
    disabled sink is owed (look at `sink.enabled`)."""

    gateway: GatewayConfig
    devices: tuple[DriverConfig, ...]
    lines: tuple[LineConfig, ...]
    sinks: tuple[SinkConfig, ...]
    buffer: BufferConfig
    log: LogConfig
    status: StatusConfig
    virtual: tuple[VirtualConfig, ...]
    recipes: Recipes  # what is asked of the values of all devices

    def bare(self) -> "Site":
        """The same without the tags of its devices, which their drivers have once they are built."""
        return replace(self, devices=tuple(map(_bare, self.devices)))

    def line(self, endpoint: str) -> LineConfig:
        """What is set for the wire of `endpoint`, or the defaults."""
        wire = shared(endpoint)
        listed = (line for line in self.lines if shared(line.endpoint) == wire)
        return next(listed, None) or LineConfig(endpoint=endpoint)


def _bare(device: DriverConfig) -> DriverConfig:
    return device.model_copy(update={"tags": []} if "tags" in type(device).model_fields else None)
