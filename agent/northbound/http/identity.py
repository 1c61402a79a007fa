"""Who we are, to the platform and to a proxy before it: what stands in files is read anew for each connection."""

import base64
from dataclasses import replace

from pydantic import SecretStr

from agent import __version__
from agent.model.errors import Unavailable
from agent.northbound.api import fresh
from agent.northbound.http.config import Config
from agent.northbound.proxy.config import Proxy


def headers(config: Config) -> dict[str, str]:
    """Those that every request has; it belongs into a thread. Raises Unavailable when a secret cannot be used."""
    found = {"User-Agent": f"floorgate/{__version__}", "Accept": "*/*"}
    found |= {name: _plain(config, _fresh(config, value, name), name) for name, value in config.headers.items()}
    found["Accept-Encoding"] = "identity"
    if config.token is not None:
        token = _plain(config, _fresh(config, config.token, "token"), "token")
        found["Authorization"] = f"Bearer {token}"
    elif config.username:
        login = f"{config.username}:{_fresh(config, config.password, 'password')}"
        found["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    return found


def way(config: Config) -> Proxy | None:
    """The proxy, with its password; it belongs into a thread. Raises Unavailable."""
    found = config.way_out
    if found is None:
        return None
    return replace(found, password=_fresh(config, config.proxy_password, "proxy_password"))


def _fresh(config: Config, secret: SecretStr | None, which: str) -> str:
    if secret is None:
        return ""
    try:
        return fresh(secret)
    except (OSError, ValueError) as error:
        text = f"{config.where}: `{which}` cannot be read: {error}"
        raise Unavailable(text, hint="look at its file") from None


def _plain(config: Config, text: str, which: str) -> str:
    """A file may hold something else by now than what was checked."""
    if not text.isascii() or not text.isprintable():
        what = f"{config.where}: `{which}` holds more than a header can: ASCII that can be printed, on one line"
        raise Unavailable(what, hint="look at its file")
    return text
