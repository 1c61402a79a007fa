"""What an `http` sink is told: where the platform is, how it knows us, and in which words it wants the frames."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from agent.model.text import Referenced
from agent.northbound.address import address
from agent.northbound.api import Seconds, Secret, SinkConfig, secret_of
from agent.northbound.proxy.config import Proxied
from agent.northbound.shapes import Shape
from agent.northbound.shapes.compress import Compression, available

PORTS = {"http": 80, "https": 443}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # a token, RFC 9110 §5.6.2
_SECRET = re.compile(r"auth|cookie|key|token|secret|password|credential|signature", re.IGNORECASE)
_OURS = {
    *("accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "idempotency-key"),
    *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
}
_MOST = 32  # further headers
_LONGEST = 4096  # characters of one


def _url(text: str) -> str:
    if address(text, PORTS, "https://HOST/PATH or http://HOST/PATH").fragment:
        raise ValueError(f"{text!r} has a #, which no server is told")
    return text


def _headers(found: object) -> object:
    """Values become secrets, all of them: a header may hold one whatever its name is."""
    if not isinstance(found, dict):
        return found
    if len(found) > _MOST:
        raise ValueError(f"{len(found)} headers are too many: {_MOST} at most")
    if len({str(name).lower() for name in found}) < len(found):
        raise ValueError("a header stands there twice")
    return {name: _header(name, value) for name, value in found.items()}


def _header(name: object, value: object) -> SecretStr:
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    if name.lower() in _OURS:
        raise ValueError(f"{name} is set by the gateway itself")
    if not isinstance(value, str):
        raise ValueError(f"the value of {name} must be text: put it between quotes")
    if _SECRET.search(name) and not isinstance(value, Referenced):
        how = "use ${NAME}, file:PATH or credential:NAME"
        raise ValueError(f"{name} may be a secret, which is not written into the file: {how}")
    if len(value) > _LONGEST or not value.isascii() or not value.isprintable():
        raise ValueError(
            f"the value of {name} must be at most {_LONGEST:,} characters that ASCII has and can be printed"
        )
    return secret_of(value) if isinstance(value, Referenced) else SecretStr(value)


def _token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]{1,8000}", token.get_secret_value()):
        raise ValueError("a token has 1 to 8,000 characters of ASCII, without spaces")
    return token


Token = Annotated[Secret, AfterValidator(_token)]
Headers = Annotated[
    dict[str, SecretStr],
    BeforeValidator(_headers),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": _MOST}),
]


class Config(Proxied, SinkConfig):
    """A platform that takes frames by HTTP. The README beside this file explains each key."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="where frames are posted to: https://host/path, or http:// without encryption"
    )
    format: Literal["ndjson", "json"] = Field("ndjson", description="one object a line, or one array")
    shape: Shape = Field("envelope", description="what an object looks like; columnar: bytes, whatever the format")
    compress: Compression = Field("none", description="what makes a request smaller; it says so by Content-Encoding")
    token: Token | None = Field(None, description="as `Authorization: Bearer`: ${NAME}, file:PATH or credential:NAME")
    username: str = Field("", max_length=1024, description="user name, sent as `Authorization: Basic`")
    password: Secret | None = Field(None, description="its password: ${NAME}, file:PATH or credential:NAME")
    headers: Headers = Field({}, description="further headers of each request; those that may be secret by ${NAME}")
    timeout: Annotated[Seconds, Field(ge=0.1, le=300)] = Field(30.0, description="how long a request may take")
    window: int = Field(4, ge=1, le=32, description="requests that may be under way, each on a connection of its own")
    ordered: bool = Field(False, description="true: one request at a time, in the order in which frames were read")
    batch: int = Field(100, ge=1, le=1000, description="frames in a request, at most")
    ca: str = Field("", description="https: file with the certificates to trust; without one the system's")
    cert: str = Field("", description="https: file with our certificate")
    key: str = Field("", description="https: file with the key of our certificate")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.password is not None and not self.username:
            raise ValueError("`password` needs a `username`")
        if ":" in self.username or not self.username.isprintable():
            raise ValueError("`username` holds a colon, or what cannot be printed (RFC 7617 §2)")
        shown = [bool(self.token), bool(self.username), "authorization" in map(str.lower, self.headers)]
        if sum(shown) > 1:
            raise ValueError("`token`, `username` and a header Authorization say who we are: keep one of them")
        if bool(self.cert) != bool(self.key):
            raise ValueError("`cert` and `key` belong together")
        if not self.tls and (self.ca or self.cert):
            raise ValueError("`ca`, `cert` and `key` are for https://; this url is not encrypted")
        if not available(self.compress):
            raise ValueError("`compress: zstd` needs a package that is not installed: pip install 'floorgate[zstd]'")
        return self

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def host(self) -> str:
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        url = urlsplit(self.url)
        return url.port or PORTS[url.scheme]

    @property
    def where(self) -> str:
        """How log lines and errors name this platform; the path and what follows it may hold a secret."""
        return f"{self.type} {self.host}:{self.port}"
