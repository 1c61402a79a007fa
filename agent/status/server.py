"""The HTTP server: whether the process lives, how its parts are, the ledger for the command line, and the pull API.

Where it listens stands in `agent.json` in the data directory, readable by the owner only, with a token drawn at each
start: who can read that file may ask. `/healthz` needs no token and tells nothing; `/metrics` and `/readyz` need none
from this machine itself, so that a collector beside the agent can read them.
"""

import asyncio
import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from http import HTTPStatus
from pathlib import Path

from agent import __version__
from agent.health import Health, Part
from agent.model import host, turns
from agent.model.errors import AgentError
from agent.model.listeners import listener
from agent.status import alarms, store
from agent.status.gate import Hosts
from agent.status.listener import Server
from agent.status.meters import Meters, Reading
from agent.status.metrics import TYPE, Metrics
from agent.status.people import People
from agent.status.pull import Pull
from agent.status.ready import readiness
from agent.status.routes import ANYBODY, OWNER, SOMEBODY, Keys, Route, Router
from agent.status.store import Desk
from agent.status.tls import Certificate
from agent.status.web import Answer, Request, as_json

FILE = "agent.json"
FIELDS = tuple(field.name for field in fields(Part))
_PATIENCE = 8.0  # seconds: a collector gives up after ten
_RETRY = 5.0  # seconds: a port that another has is tried again that often
_INSTEAD = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is: `listen` is `HOST:PORT`, port 0 takes any free one; `hosts` are other names that it goes by,
    `cert` and `key` the files of its certificate."""

    listen: str
    hosts: tuple[str, ...] = ()
    cert: str = ""
    key: str = ""


async def serve(
    place: Place,
    data: Path,
    health: Health,
    desk: Desk,
    pull: Pull | None = None,
    board: alarms.Alarms | None = None,
    people: People | None = None,
    more: Sequence[Route] = (),
    *,
    meters: Meters | None = None,
) -> None:
    """Serve until cancelled; `more` is what others answer. Raises AgentError."""
    token = secrets.token_urlsafe(24)
    part = health.part("status", place.listen)
    tls = Certificate(Path(place.cert), Path(place.key), part.noticed) if place.cert else None
    pull = pull or Pull()
    routes = [*_routes(health, desk, board, meters), *store.Pages(desk).routes(), *pull.routes()]
    routes += alarms.Board(board).routes() if board else []
    routes += [*(people.routes() if people else ()), *more]
    router: Router | None = None

    async def answer(request: Request) -> Answer:
        assert router is not None
        return await router(request)

    server = Server(answer, tls)
    path = data / FILE
    try:
        host, port, error = await _listen(server, place.listen)
        hosts = Hosts(place.listen.rpartition(":")[0].lower(), port, place.hosts, tls=tls is not None)
        keys = Keys(token, pull.tokens())
        pull.hear(lambda: keys.renew(pull.tokens()))
        router = Router(routes, keys, hosts)
        _announce(
            path,
            {
                "version": __version__,
                "pid": os.getpid(),
                "host": host,
                "port": port,
                "token": token,
                "cert": place.cert,
            },
        )
        await _stay(part, place.listen, error)
    finally:
        with suppress(OSError):  # on a disk that may not be written to nobody can have announced anything
            path.unlink(missing_ok=True)
        await server.close()


async def _listen(server: Server, listen: str) -> tuple[str, int, AgentError | None]:
    """Where it listens now. When another has the port, it is any free one of loopback, so that the command line works.

    Raises AgentError.
    """
    name, port = _split(listen)
    try:
        return *(await server.listen(name, port)), None
    except OSError as error:
        what = os.strerror(error.errno) if error.errno else str(error)
        hint = await asyncio.to_thread(_taken, error, port)
        found = AgentError(f"cannot listen on {listen}: {what}", hint=hint)
        if error.errno != errno.EADDRINUSE:
            raise found from error
        return *(await server.listen(_INSTEAD, 0)), found


async def _stay(part: Part, listen: str, error: AgentError | None) -> None:
    """For ever, or until the port that should have been is free; that is the error again."""
    if error is None:
        part.up()
        await asyncio.Event().wait()
        return
    part.down(error)
    while True:
        await asyncio.sleep(_RETRY)
        if await asyncio.to_thread(_free, listen):
            raise error


def _split(listen: str) -> tuple[str, int]:
    name, _, port = listen.rpartition(":")
    return name.strip("[]"), int(port)


def _free(listen: str) -> bool:
    name, port = _split(listen)
    try:
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        socket.create_server((name, port), family=family).close()
    except OSError:
        return False
    return True


def _taken(error: OSError, port: int) -> str:
    """Who has the port."""
    if error.errno != errno.EADDRINUSE:
        return "is this an address of this machine, and may this user listen there?"
    who = listener(port)
    which = f"{who} has the port" if who else "another process has the port"
    return f"{which}: end it, or choose another one with `status: listen:`"


def _routes(
    health: Health, desk: Desk, board: alarms.Alarms | None = None, meters: Meters | None = None
) -> list[Route]:
    async def healthz(request: Request) -> Answer:
        """The loop that reads devices answers it: one that stands still does not."""
        return as_json({"status": "ok"})

    async def readyz(request: Request) -> Answer:
        found = readiness(health, time.monotonic_ns())
        if board is not None:
            counts = board.counts()
            found["alarms"] = {"active": sum(n for _, n, _ in counts), "shelved": sum(n for _, _, n in counts)}
        return as_json(found, HTTPStatus.OK if found["ready"] else HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(request: Request) -> Answer:
        """How the parts are is told even when the store does not answer; that is when somebody needs it."""
        accounts, stats = [], None
        with turns.short():
            with suppress(AgentError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    stats = await desk.stats()
                    accounts = await desk.ledger()
            counts = board.counts() if board else []
            reading = await meters.read() if meters else Reading()
            ready = bool(readiness(health, time.monotonic_ns())["ready"])
            parts, loads = [*health.parts.values()], [*health.loads.values()]
            found = Metrics(parts, accounts, stats, loads, counts, reading, ready)
            return Answer(await asyncio.to_thread(found.text), TYPE)

    async def parts(request: Request) -> Answer:
        rows = [{name: getattr(part, name) for name in FIELDS} for part in health.parts.values()]
        return await asyncio.to_thread(as_json, rows)

    return [
        Route("GET", "/healthz", ANYBODY, healthz),
        Route("GET", "/readyz", SOMEBODY, readyz, here=True),
        Route("GET", "/metrics", "metrics", metrics, here=True),
        Route("GET", "/api/v1/health", OWNER, parts),
    ]


def _announce(path: Path, facts: dict[str, object]) -> None:
    """Written whole or not at all, for the owner's eyes only. Raises AgentError."""
    draft = path.with_suffix(".new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.RAW, 0o600), "w") as file:
            json.dump(facts, file)
        draft.replace(path)
    except OSError as error:
        raise AgentError(f"status page: cannot write {path}: {error.strerror}", hint="is the disk full?") from error
