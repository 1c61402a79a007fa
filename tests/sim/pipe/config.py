"""Where the socket lies."""

from pydantic import Field

from agent.northbound.api import Commanded, SinkConfig


class Config(Commanded, SinkConfig):
    """A Unix socket that commands come over."""

    socket: str = Field(description="its path")
