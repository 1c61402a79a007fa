"""What an OPC UA device is told: the server, how the way there is secured, how it is asked, which node is which tag."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from agent.model.tag import DType
from agent.model.text import Referenced, duration_text
from drivers.api import DriverConfig, Name, TagConfig, WriteConfig
from drivers.opcua.calling import Method
from drivers.opcua.eventing import EventsConfig
from drivers.opcua.globs import glob
from drivers.opcua.monitoring import Group, Monitoring
from drivers.opcua.naming import check
from drivers.opcua.nodes import NodeAddress
from drivers.opcua.roots import HERE, PREFIX, absolute, levels, prefixed
from drivers.opcua.spots import locate

PORT = 4840
MOST_ENDPOINTS = 8
MOST_PATTERNS = 100
NONE = (None, None, None)
Policy = Literal["Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256"]
BROKEN = ("Basic256", "Basic128Rsa15")  # policies on SHA-1, withdrawn by the OPC Foundation


class Endpoints(str):
    """The first of one or several endpoints of a device, which is what it goes by; `every` has all of them."""

    __slots__ = ("every",)
    every: tuple[str, ...]


def address(endpoint: str) -> tuple[str, int]:
    """Host and port of `opc.tcp://host:port/path`; the port is 4840 unless told. Raises ValueError."""
    shown = repr(f"…@{endpoint.rpartition('@')[2]}" if "@" in endpoint else endpoint)  # before it stands a password
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:  # whose text may be a part of the password
        raise ValueError(f"{shown} is not an endpoint: look at its host and its port") from None
    if parts.scheme != "opc.tcp" or not host:
        raise ValueError(f"{shown} is not an OPC UA endpoint: write opc.tcp://HOST:4840 or opc.tcp://HOST:4840/PATH")
    if "@" in parts.netloc:
        raise ValueError("an endpoint holds no user and no password: they would end up in logs")
    if not endpoint.isprintable() or endpoint != endpoint.strip() or set(parts.netloc) & set(" \\"):
        raise ValueError(f"{shown} is not an endpoint: it has spaces, or what cannot be printed")
    if port == 0:
        raise ValueError(f"{shown}: port 0 cannot be connected to")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{shown} is not an endpoint: no host can have that name") from None
    return host, port or PORT


def every(endpoint: str) -> tuple[str, ...]:
    """All endpoints of a device, in the order in which they are tried."""
    return endpoint.every if isinstance(endpoint, Endpoints) else (endpoint,)


def _endpoint(given: object) -> str:
    listed: Sequence[object] = given if isinstance(given, list | tuple) else [given]
    texts = [text for text in listed if isinstance(text, str)]
    if len(texts) != len(listed):
        raise ValueError("an endpoint is text, such as opc.tcp://HOST:4840, or a list of such texts")
    if not 1 <= len(texts) <= MOST_ENDPOINTS:
        raise ValueError(f"a device has 1 to {MOST_ENDPOINTS} endpoints, not {len(texts)}")
    for text in texts:
        address(text)
    if len(set(texts)) != len(texts):
        raise ValueError("an endpoint is listed twice")
    if not isinstance(given, list | tuple):
        return str(texts[0])
    first = Endpoints(str(texts[0]))
    first.every = tuple(str(text) for text in texts)
    return first


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
    """A policy may be written as its URI, or as in that, with underscores."""
    if not isinstance(text, str):
        return text
    plain = text.removeprefix("http://opcfoundation.org/UA/SecurityPolicy#").replace("_", "")
    if plain in BROKEN:
        raise ValueError(f"{text} is broken (SHA-1) and not used: write auto, and have the server offer a newer one")
    return "none" if plain == "None" else plain


def _secret(text: object) -> SecretStr:
    if not isinstance(text, Referenced):
        raise ValueError("a secret is not written into the file: use ${NAME}, file:PATH or credential:NAME")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("what stands there is no text in UTF-8") from None
    return SecretStr(str(text))


def _match(text: str, info: ValidationInfo) -> str:
    check(info.data.get("name") or "", glob(text).wildcards)
    return text


class Tag(TagConfig, Monitoring):
    """A tag that is the value of a node, or a place within it; with `match` all tags that a pattern finds."""

    name: Name = Field(
        "", description="the name that leaves the gateway; of found ones {1} is what the first wildcard stands for"
    )
    node: Annotated[str, AfterValidator(_node)] = Field(
        "",
        description="where it is: ns=3;s=Temp, nsu=urn:press;s=Temp (survives a server's restart), i=2258 or "
        "/Objects/2:Press/2:Temp; behind it [3] for an element of an array, .field for one of a structure",
    )
    match: Annotated[str, AfterValidator(_match)] = Field(
        "",
        description="instead of `node`: a pattern of the names on the way, such as Press*/**/Temp; what it finds is "
        "kept in the data directory",
    )
    type: Literal[DType, "string", "enum"] | None = Field(
        None, description="what the node holds; enum: the name of its number; without it a number, kept as float64"
    )
    write: WriteConfig | None = Field(None, description="what may be written; without it the tag is read only")

    @model_validator(mode="after")
    def _is_one_or_many(self) -> Self:
        if self.match and self.node:
            raise ValueError("`node` and `match` exclude each other: the one names a node, the other finds nodes")
        if not self.match and not self.node:
            raise ValueError("node is missing: where it is, such as ns=3;s=Temp, or `match` with a pattern of names")
        if not self.match and not self.name:
            raise ValueError("name is missing: the name that leaves the gateway")
        return self

    @model_validator(mode="after")
    def _has_no_limits_as_a_name(self) -> Self:
        if self.type == "enum" and self.write is not None and (self.write.min, self.write.max, self.write.step) != NONE:
            raise ValueError(
                "write: a tag of the type enum is written by name: `min`, `max` and `step` say nothing of it"
            )
        return self

    @property
    def dtype(self) -> DType:
        if self.type == "string" or self.type == "enum":  # noqa: PLR1714  # mypy understands no other
            return "str"
        return self.type or "float64"

    @model_validator(mode="after")
    def _can_be_written(self) -> "Tag":
        told = self.write
        if told is not None and self.dtype == "str" and (told.min, told.max, told.step) != (None, None, None):
            raise ValueError("write: `min`, `max` and `step` hold for numbers, and the tag is a text")
        return self


class Config(DriverConfig, Monitoring):
    """An OPC UA server, or a part of one."""

    endpoint: Annotated[
        str,
        PlainValidator(_endpoint),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_ENDPOINTS},
                ]
            }
        ),
    ] = Field(description="the server: opc.tcp://HOST:PORT/PATH, port 4840 unless told; a list where it is redundant")
    security: Annotated[Literal["auto", "none", Policy], BeforeValidator(_security)] = Field(
        "auto",
        description="auto: encrypted, by the best policy that both sides have; or a policy; none: without encryption",
    )
    security_mode: Literal["encrypt", "sign"] = Field(
        "encrypt", description="sign: messages are signed and not encrypted, so everybody can read them"
    )
    certificate_host: str = Field(
        "", max_length=253, description="host that the server's certificate names, if it is not that of the endpoint"
    )
    user: str = Field("", max_length=4096, description="user name at the server; without one it is asked as anonymous")
    password: Annotated[
        SecretStr | None,
        BeforeValidator(lambda text: None if text is None else _secret(text)),
        WithJsonSchema({"type": "string", "pattern": r"^(\$\{\w+\}|(file|credential):.+)$"}),
    ] = Field(None, description="password of the user: ${NAME}, file:PATH or credential:NAME")
    user_certificate: str = Field("", description="file with the certificate by which the user is known, DER or PEM")
    user_key: str = Field("", description="file with the key of that certificate, PEM, readable by the agent alone")
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

    @property
    def alone(self) -> bool:
        """Each has a session; those that are polled take turns with the others at their endpoint."""
        return self.mode != "poll"

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        if bool(self.user_certificate) != bool(self.user_key):
            raise ValueError("`user_certificate` and `user_key` belong together")
        if self.user and self.user_certificate:
            raise ValueError("a user has a name or a certificate: keep `user` or `user_certificate`")
        if self.password is not None and not self.user:
            raise ValueError("`password` needs a `user`")
        if self.security == "none":
            self._is_open()
        return self

    def _is_open(self) -> None:
        """Without encryption there are no secrets, and nothing that would only look like security."""
        for name in ("user", "user_certificate"):
            if getattr(self, name):
                raise ValueError(
                    f"`{name}` with `security: none`: anybody on the wire could use it; write security: auto"
                )
        if self.security_mode == "sign" or self.certificate_host:
            raise ValueError("`security_mode` and `certificate_host` have no meaning with `security: none`")

    @field_validator("tags")
    @classmethod
    def _are_somewhere(cls, tags: list[Tag], info: ValidationInfo) -> list[Tag]:
        """Nodes below the root, by their whole way; those of a map have none yet."""
        root, namespaces = info.data.get("root"), info.data.get("namespaces")
        patterns = [tag.match for tag in tags if tag.match]
        if len(patterns) > MOST_PATTERNS:
            raise ValueError(f"{len(patterns)} have a pattern, {MOST_PATTERNS} may")
        for text in patterns:
            if text.startswith(HERE) and (prefix := prefixed(text, namespaces or ())):
                raise ValueError(f"{text!r}: a pattern knows no prefixes: without `{prefix}:` any namespace fits")
        if root is None or namespaces is None or not any(tag.node.startswith(HERE) for tag in tags):
            return tags
        ways = [absolute(tag.node, root, namespaces) if tag.node.startswith(HERE) else tag.node for tag in tags]
        if not root:
            return tags
        return [tag.model_copy(update={"node": way}) for tag, way in zip(tags, ways, strict=True)]

    @model_validator(mode="after")
    def _parts_fit(self) -> "Config":
        lost = next((tag for tag in self.tags if tag.node.startswith(HERE)), None)
        if not self.root:
            lost = lost or next((tag for tag in self.tags if tag.match.startswith(HERE)), None)
        if lost is not None:
            where = lost.node or lost.match
            raise ValueError(f"root: is missing, below which {where!r} lies: such as root: /Objects/2:Machine_1")
        names = [each.name for each in self.events]
        taken = {*self.groups, duration_text(self.interval)}
        for at, name in enumerate(names):
            if name in taken or name in names[:at]:
                raise ValueError(f"events: {name!r} is the name of another group")
        if names and self.mode == "poll":
            raise ValueError("events: only come by subscription: take `mode: subscribe`")
        if self.gap == "history" and self.mode == "poll":
            raise ValueError("gap: history only goes with `mode: subscribe`")
        methods = [each.name for each in self.methods]
        if len(set(methods)) < len(methods):
            raise ValueError("methods: two have the same name")
        return self
