"""What an OPC UA device is told: the server, how it is asked, and which node is which tag."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from agent.model.tag import DType
from agent.model.text import duration_text
from drivers.api import DriverConfig, TagConfig, WriteConfig
from drivers.opcua.calling import Method
from drivers.opcua.eventing import EventsConfig
from drivers.opcua.monitoring import Group, Monitoring
from drivers.opcua.nodes import NodeAddress
from drivers.opcua.roots import HERE, PREFIX, absolute, levels
from drivers.opcua.spots import locate

PORT = 4840
_NO_SECURITY = "write `security: none` explicitly to connect without encryption"


def address(endpoint: str) -> tuple[str, int]:
    """Host and port of `opc.tcp://host:port/path`; the port is 4840 unless told. Raises ValueError."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{endpoint!r} is not an endpoint: {error}") from None
    if parts.scheme != "opc.tcp" or not host:
        raise ValueError(
            f"{endpoint!r} is not an OPC UA endpoint: write opc.tcp://HOST:4840 or opc.tcp://HOST:4840/PATH"
        )
    if "@" in parts.netloc:
        raise ValueError("an endpoint holds no user and no password: they would end up in logs")
    if port == 0:
        raise ValueError(f"{endpoint!r}: port 0 cannot be connected to")
    return host, port or PORT


def _endpoint(text: str) -> str:
    address(text)
    return text


def _node(text: str) -> str:
    if text.startswith(HERE):
        levels(text)
    else:
        locate(text)
    return text


def _root(text: str) -> str:
    if text and isinstance(locate(text).node, NodeAddress):
        raise ValueError(f"{text!r} is no browse path: write /Objects/2:Machine_1 or /Objects/nsu=urn:maker;Machine_1")
    return text


def _security(text: object) -> object:
    if text is None or text == "":
        raise ValueError(f"how the connection is secured is not said: {_NO_SECURITY}")
    if text != "none":
        raise ValueError(f"{text!r} comes with a later version; until then {_NO_SECURITY}")
    return text


def _demand_security(schema: dict[str, Any]) -> None:
    schema["properties"]["security"].pop("default", None)
    schema["required"] = [*schema.get("required", []), "security"]


class Tag(TagConfig, Monitoring):
    """A tag that is the value of a node, or a place within it."""

    node: Annotated[str, AfterValidator(_node)] = Field(
        description="where it is: ns=3;s=Temp, nsu=urn:press;s=Temp (survives a server's restart), i=2258 or "
        "/Objects/2:Press/2:Temp; behind it [3] for an element of an array, .field for one of a structure"
    )
    type: Literal[DType, "string", "enum"] | None = Field(
        None, description="what the node holds; enum: the name of its number; without it a number, kept as float64"
    )
    write: WriteConfig | None = Field(None, description="what may be written; without it the tag is read only")

    @property
    def dtype(self) -> DType:
        if self.type == "string" or self.type == "enum":  # noqa: PLR1714  # mypy understands no other
            return "str"
        return self.type or "float64"


class Config(DriverConfig, Monitoring):
    """An OPC UA server, or a part of one."""

    model_config = ConfigDict(json_schema_extra=_demand_security)

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="the server: opc.tcp://HOST:PORT/PATH, port 4840 unless told"
    )
    security: Annotated[Literal["none"], BeforeValidator(_security), WithJsonSchema({"const": "none"})] = Field(
        "",  # stands for "not said", which the validator refuses with its reason
        validate_default=True,
        description="none: without encryption and without a user; it must be written out",
    )
    mode: Literal["subscribe", "poll"] = Field(
        "subscribe", description="subscribe: the server sends what changed, once per interval; poll: every interval all"
    )
    profile: Literal["auto", "careful", "s7-1200", "s7-1500"] = Field(
        "auto", description="what the server can take; auto: by the name of its maker and what it says of itself"
    )
    gap: Literal["mark", "history"] = Field(
        "mark", description="after an outage: mark, bad_comm in between; history: also fetch what the server kept"
    )
    groups: dict[str, Group] = Field({}, description="scan groups with intervals of their own")  # type: ignore[assignment]  # more of a group than other drivers know
    root: Annotated[str, AfterValidator(_root)] = Field(
        "", description="the instance, as a browse path, below which nodes that begin with ./ lie"
    )
    namespaces: dict[Annotated[str, Field(pattern=f"^{PREFIX.pattern}$")], str] = Field(
        {}, description="prefixes of namespaces in nodes that begin with ./"
    )
    tags: list[Tag] = Field([], description="the tags")
    events: list[EventsConfig] = Field([], max_length=32, description="events and alarms, as groups of their own")
    methods: list[Method] = Field([], max_length=256, description="methods that may be called; none unless listed")

    @field_validator("tags")
    @classmethod
    def _are_somewhere(cls, tags: list[Tag], info: ValidationInfo) -> list[Tag]:
        """Nodes below the root, by their whole way; those of a map have none yet."""
        root, namespaces = info.data.get("root"), info.data.get("namespaces")
        if root is None or namespaces is None or not any(tag.node.startswith(HERE) for tag in tags):
            return tags
        ways = [absolute(tag.node, root, namespaces) if tag.node.startswith(HERE) else tag.node for tag in tags]
        if not root:
            return tags
        return [tag.model_copy(update={"node": way}) for tag, way in zip(tags, ways, strict=True)]

    @model_validator(mode="after")
    def _parts_fit(self) -> "Config":
        lost = next((tag for tag in self.tags if tag.node.startswith(HERE)), None)
        if lost is not None:
            raise ValueError(f"root: is missing, below which {lost.node!r} lies: such as root: /Objects/2:Machine_1")
        names = [each.name for each in self.events]
        taken = {*self.groups, duration_text(self.interval)}
        for at, name in enumerate(names):
            if name in taken or name in names[:at]:
                raise ValueError(f"events: {name!r} is the name of another group")
        if names and self.mode == "poll":
            raise ValueError("events: only come by subscription: take `mode: subscribe`")
        methods = [each.name for each in self.methods]
        if len(set(methods)) < len(methods):
            raise ValueError("methods: two have the same name")
        return self
