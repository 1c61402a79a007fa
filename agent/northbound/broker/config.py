"""What every sink is told that talks to an MQTT broker: where it is, who we are, and how much may be under way."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from agent.northbound.address import address
from agent.northbound.api import Seconds, Secret, SinkConfig
from agent.northbound.proxy.config import Proxied

_LONGEST = 65535  # bytes of a text in MQTT
PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def _url(text: str) -> str:
    url = address(text, PORTS, "mqtt://HOST:PORT, nor mqtts://, ws:// or wss:// in its place")
    if url.fragment or (url.scheme.startswith("mqtt") and (url.path not in {"", "/"} or url.query)):
        raise ValueError(f"{text!r} has something after the port; topics have keys of their own")
    return text


def _text(text: str) -> str:
    if not text.isprintable() or len(text.encode()) > _LONGEST:
        raise ValueError(f"this may have {_LONGEST:,} bytes, and no control characters")
    return text


Text = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_text)]
Url = Annotated[str, AfterValidator(_url)]


class BrokerConfig(Proxied, SinkConfig):
    """An MQTT broker, and how to reach it. A kind of sink adds what it says there."""

    url: Url = Field(
        description="the broker: mqtt://host:port, or mqtts:// with TLS; over WebSocket ws://host:port/path, or wss://"
    )
    username: Text = Field("", description="user name at the broker")
    password: Secret | None = Field(
        None, description="password or token: ${NAME}, file:PATH or credential:NAME, read at each connection"
    )
    client_id: Text = Field("", description="client id; without one floorgate-GATEWAY-SINK")
    protocol: Annotated[
        Literal["auto", "5", "3.1.1"],
        BeforeValidator(lambda version: "5" if version == 5 else version),  # YAML reads a bare 5 as a number
        WithJsonSchema({"enum": ["auto", 5, "5", "3.1.1"]}),
    ] = Field("auto", description="auto: MQTT 5, or 3.1.1 where 5 is not spoken")
    keepalive: Annotated[Seconds, Field(ge=1, le=65535)] = Field(30.0, description="silence after which a ping is sent")
    timeout: Annotated[Seconds, Field(ge=0.1, le=300)] = Field(10.0, description="how long the broker may not answer")
    window: int = Field(
        200, ge=1, le=10_000, description="publishes that may be unconfirmed; the broker may allow fewer"
    )
    ca: str = Field("", description="with TLS: file with the certificates to trust; without one the system's")
    cert: str = Field("", description="with TLS: file with our certificate")
    key: str = Field("", description="with TLS: file with the key of our certificate")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.password is not None and not self.username and self.protocol == "3.1.1":
            raise ValueError("under MQTT 3.1.1 `password` needs a `username`")
        if bool(self.cert) != bool(self.key):
            raise ValueError("`cert` and `key` belong together")
        if not self.tls and (self.ca or self.cert):
            raise ValueError("`ca`, `cert` and `key` are for mqtts:// and wss://; this url is not encrypted")
        return self

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme in {"mqtts", "wss"}

    @property
    def host(self) -> str:
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        url = urlsplit(self.url)
        return url.port or PORTS[url.scheme]

    @property
    def path(self) -> str:
        """Of a WebSocket; empty where it is none."""
        url = urlsplit(self.url)
        if not url.scheme.startswith("ws"):
            return ""
        return (url.path or "/mqtt") + (f"?{url.query}" if url.query else "")

    @property
    def where(self) -> str:
        """How log lines and errors name this broker."""
        return f"{self.type} {self.host}:{self.port}"
