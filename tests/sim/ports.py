"""Ports for servers on loopback that come and go."""

import contextlib
import random
import socket


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """One that stays free while its server is away: below those that the system gives to outgoing connections."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
