"""Which proxy stands before the platform, as a sink's configuration says it."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from agent.northbound.api import Secret, Section

_LONGEST = 255  # bytes of a name or a password in SOCKS5 (RFC 1929)


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it is, and who we are there; without a user we do not say."""

    scheme: Literal["http", "socks5"]
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


def _url(text: str) -> str:
    try:
        url = urlsplit(text)
        port = url.port
        str(url.hostname).encode("idna")
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address: {error}") from None
    if url.username is not None or url.password is not None:
        raise ValueError("user and password do not belong into the url: use `proxy_user` and `proxy_password`")
    if url.scheme not in {"http", "socks5"} or not url.hostname or not port:
        raise ValueError(f"{text!r} is not http://HOST:PORT or socks5://HOST:PORT")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise ValueError(f"{text!r} has something after the port")
    return text


class Proxied(Section):
    """The keys of a sink that can go through a proxy."""

    proxy: Annotated[str, AfterValidator(lambda text: _url(text) if text else text)] = Field(
        "", description="the way out, where there is no other: http://host:port (CONNECT), or socks5://host:port"
    )
    proxy_user: str = Field("", max_length=255, description="user name at the proxy")
    proxy_password: Secret | None = Field(
        None, description="password at the proxy: ${NAME}, file:PATH or credential:NAME"
    )

    @model_validator(mode="after")
    def _proxy_fits(self) -> Self:
        if (self.proxy_user or self.proxy_password) and not self.proxy:
            raise ValueError("`proxy_user` and `proxy_password` need a `proxy`")
        if self.proxy_password and not self.proxy_user:
            raise ValueError("`proxy_password` needs a `proxy_user`")
        if ":" in self.proxy_user and self.proxy.startswith("http:"):
            raise ValueError("a `proxy_user` of an HTTP proxy cannot hold a colon")
        way = self.way_out
        if way and way.user and max(len(text.encode()) for text in (way.user, way.password)) > _LONGEST:
            raise ValueError(f"`proxy_user` and `proxy_password` can have {_LONGEST} bytes each")
        if way and way.scheme == "socks5" and way.user and not way.password:
            raise ValueError("at a SOCKS5 proxy `proxy_user` needs a `proxy_password`")
        return self

    @property
    def way_out(self) -> Proxy | None:
        if not self.proxy:
            return None
        url = urlsplit(self.proxy)
        password = self.proxy_password.get_secret_value() if self.proxy_password else ""
        scheme: Literal["http", "socks5"] = "http" if url.scheme == "http" else "socks5"
        return Proxy(scheme, str(url.hostname), url.port or 0, self.proxy_user, password)
