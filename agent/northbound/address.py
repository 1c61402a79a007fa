"""Where a platform is: what the url of every sink is held to when the file is read."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit


def address(text: str, ports: Mapping[str, int], wanted: str) -> SplitResult:
    """The parts of a url whose scheme has a port in `ports`. Raises ValueError; `wanted` says what would be one."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address: {error}") from None
    if url.scheme not in ports:
        raise ValueError(f"{text!r} is not {wanted}")
    if url.username is not None or url.password is not None:
        raise ValueError("user and password do not belong into the url: use the keys `username` and `password`")
    if not url.hostname or port == 0:
        raise ValueError(f"{text!r} names no host, or port 0")
    if not (url.path + url.query).isascii() or " " in text or not text.isprintable():
        raise ValueError(f"{text!r} holds what a url writes as %XX")
    try:
        url.hostname.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{url.hostname!r} is not a host name: {error}") from None
    return url
