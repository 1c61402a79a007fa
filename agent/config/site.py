"""What a site file says, once it has been found right."""

from dataclasses import dataclass

from agent.config.endpoint import shared
from agent.config.sections import BufferConfig, GatewayConfig, LogConfig, StatusConfig
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

    def line(self, endpoint: str) -> LineConfig:
        """What is set for the wire of `endpoint`, or the defaults."""
        wire = shared(endpoint)
        listed = (line for line in self.lines if shared(line.endpoint) == wire)
        return next(listed, None) or LineConfig(endpoint=endpoint)
