"""The sections of a site file that are not devices or sinks."""

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from agent.registry import Name, Seconds, Section, Size

MAX_SIZE = 1 << 30  # bytes: the store's size where the file does not say, or a quarter of the disk if that is less
CONFIRMS = 2  # sources that know nothing of each other


class GatewayConfig(Section):
    """Who this gateway is."""

    id: Name = Field(description="the name by which the platform knows this gateway; part of every message")
    site: list[Name] = Field([], max_length=8, description="where it stands, from large to small: company, plant, area")
    timezone: str = Field(
        "", max_length=64, description="such as Asia/Shanghai: whose days and hours; the machine's unless told"
    )


class BufferConfig(Section):
    """How long and how much the store keeps while a platform is away."""

    keep: Annotated[Seconds, Field(ge=60, le=3650 * 86400)] = Field(
        7 * 86400.0, description="how long undelivered data is kept"
    )
    max_size: Annotated[Size, Field(ge=1 << 20)] | None = Field(
        None, description="most bytes on disk; without it 1GB or a quarter of the file system, whichever is less"
    )
    reserve: Size = Field(1 << 30, description="free disk space that is left to others")
    commit: Annotated[Seconds, Field(ge=0.01, le=60)] = Field(
        0.5, description="longest wait of a value in memory before it is on disk: what a power cut may cost"
    )


class LogConfig(Section):
    """What the agent says, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least important line that is written"
    )
    format: Literal["auto", "text", "json", "journal"] = Field(
        "auto", description="auto: text on a terminal, with fields to the journal under systemd, JSON otherwise"
    )


class TlsConfig(Section):
    """With what the status server proves who it is."""

    cert: str = Field(min_length=1, description="its certificate and those between it and its authority, as PEM")
    key: str = Field(min_length=1, description="the key of the certificate, as PEM, not encrypted")


Host = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$", max_length=255)]


class StatusConfig(Section):
    """Where the agent answers: whether it lives, how its parts are, the ledger, and what consumers fetch."""

    listen: str = Field(
        "127.0.0.1:0",
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:\[\]/]+):\d{1,5}$",
        description="host:port of the status server; port 0 takes a free one; beyond loopback it needs tls and a token",
    )
    tls: TlsConfig | None = Field(None, description="its certificate; without it there is no encryption")
    hosts: list[Host] = Field([], max_length=16, description="more names by which it is called, as in a Host header")

    @property
    def is_local(self) -> bool:
        """Whether nobody else can reach it."""
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    @field_validator("listen")
    @classmethod
    def _port(cls, listen: str) -> str:
        port = int(listen.rpartition(":")[2])
        if port > 65535:
            raise ValueError(f"port {port} is more than 65535")
        return listen


class MapDevice(Section):
    """What a device map describes."""

    vendor: str = Field(description="who makes it")
    model: str = Field(description="the models that the map fits")
    kind: str = Field("", pattern=r"^[a-z0-9_]*$", description="what it is, such as power_meter_3ph")
    name_zh: str = Field("", description="its Chinese name")


class MapHead(Section):
    """A device map without what its driver must judge: quirks, defaults, groups and tags."""

    device: MapDevice = Field(description="what the map describes")
    driver: str = Field(description="the driver that its tags are written for")
    extends: str = Field("", description="another map that this one adds to: a name from configs/devices or a path")
    sources: list[str] = Field([], description="where the facts come from, each with its version or commit")
    status: Literal["confirmed", "draft"] = Field(
        "draft", description="confirmed: two independent sources or more agree; draft: try it before you rely on it"
    )
    notes: list[str] = Field([], description="what a person should know before using it")

    @field_validator("status")
    @classmethod
    def _is_earned(cls, status: str, info: ValidationInfo) -> str:
        named = len({source.strip() for source in info.data.get("sources", [])} - {""})
        if status == "confirmed" and named < CONFIRMS:
            raise ValueError(f"confirmed needs {CONFIRMS} independent sources, {named} named: draft until then")
        return status
