"""Connections: straight, or through a proxy; blocking, so for a thread."""

import socket
import time

from agent.model.errors import SinkError, Unavailable
from agent.northbound.proxy.config import Proxy
from agent.northbound.proxy.handshake import handshake

_PIECE = 4096


def straight(host: str, port: int, deadline: float) -> socket.socket:
    """Blocks until `deadline` (monotonic seconds) at most, looking up a name left out. Raises OSError.

    Each address of a name gets its share of the time, so that a dead one is not the end.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left(deadline) / (len(found) - number))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    raise failed


def left(deadline: float) -> float:
    """Seconds. Raises TimeoutError when there are none."""
    rest = deadline - time.monotonic()
    if rest <= 0:
        raise TimeoutError
    return rest


def through(proxy: Proxy, host: str, port: int, deadline: float, where: str) -> socket.socket:
    """As `straight`, by way of a proxy, which looks up the name. Raises Denied and Unavailable."""
    at = f"{where} through the proxy {proxy.host}:{proxy.port}"
    try:
        sock = straight(proxy.host, proxy.port, deadline)
    except OSError as error:
        raise Unavailable(f"{at}: {_why(error)}", hint="is the proxy there?") from None
    try:
        _shake_hands(sock, proxy, host, port, deadline, where)
    except OSError as error:
        sock.close()
        raise Unavailable(f"{at}: {_why(error)}", hint="is `proxy` right?") from None
    except SinkError:
        sock.close()
        raise
    return sock


def _shake_hands(sock: socket.socket, proxy: Proxy, host: str, port: int, deadline: float, where: str) -> None:
    steps = handshake(proxy, host, port, where)
    wish = next(steps)
    while True:
        sock.settimeout(left(deadline))
        sock.sendall(wish)
        sock.settimeout(left(deadline))
        came = sock.recv(_PIECE)
        if not came:
            raise ConnectionAbortedError("the proxy closed the connection instead of answering")
        try:
            wish = steps.send(came)
        except StopIteration:
            return


def _why(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)
