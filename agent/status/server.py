"""The loopback HTTP server: whether the process lives, how its parts are, and the ledger for the command line.

Where it listens stands in `agent.json` in the data directory, readable by the owner only, with a token drawn at each
start: who can read that file may ask. `/healthz` needs no token and tells nothing; `/metrics` and `/readyz` need none
from this machine itself, so that a collector beside the agent can read them.
"""

import asyncio
import json
import os
import secrets
import time
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from agent.health import Health, Load, Part
from agent.model.errors import AgentError
from agent.status.ready import readiness
from agent.status.store import Desk, Pages
from agent.status.web import Answer, Handler, Refusal, Request, Server, as_json

FILE = "agent.json"
_PATIENCE = 8.0  # seconds: a collector gives up after ten


async def serve(listen: str, data: Path, health: Health, desk: Desk) -> None:
    """Serve until cancelled. `listen` is `HOST:PORT`; port 0 takes any free one."""
    token = secrets.token_urlsafe(24)
    server = Server(_answers(token, health, desk))
    path = data / FILE
    try:
        host, port = await _listen(server, listen)
        _announce(path, {"pid": os.getpid(), "host": host, "port": port, "token": token})
        health.part("status", listen).up()
        await asyncio.Event().wait()
    finally:
        path.unlink(missing_ok=True)
        await server.close()


async def _listen(server: Server, listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    try:
        return await server.listen(host.strip("[]"), int(port))
    except OSError as error:
        raise AgentError(
            f"status page: cannot listen on {listen}: {error.strerror}", hint="is the port taken?"
        ) from error


def _answers(token: str, health: Health, desk: Desk) -> Handler:
    """Answers every request: first whether it may ask, then whether there is such a path."""
    routes = {**_routes(health, desk), **Pages(desk).routes()}
    paths = {path for _, path in routes}

    async def answer(request: Request) -> Answer:
        given = request.headers.get("authorization", "")
        if not _open(request) and not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise Refusal(HTTPStatus.UNAUTHORIZED)
        handler = routes.get(("GET" if request.method == "HEAD" else request.method, request.path))
        if handler is None:
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED if request.path in paths else HTTPStatus.NOT_FOUND)
        try:
            return await handler(request)
        except AgentError as error:  # one that a person can do something about is answered in words
            found = {"kind": type(error).__name__, "error": error.message, "hint": error.hint}
            return as_json(found, HTTPStatus.CONFLICT)

    return answer


def _routes(health: Health, desk: Desk) -> dict[tuple[str, str], Handler]:
    async def healthz(request: Request) -> Answer:
        return as_json({"status": "ok"})

    async def readyz(request: Request) -> Answer:
        found = readiness(health, time.monotonic_ns())
        return as_json(found, HTTPStatus.OK if found["ready"] else HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(request: Request) -> Answer:
        """How the parts are is told even when the store does not answer; that is when somebody needs it."""
        accounts, stats = [], None
        with suppress(AgentError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                stats = await desk.stats()
                accounts = await desk.ledger()
        return await asyncio.to_thread(_metrics, [*health.parts.values()], accounts, stats, [*health.loads.values()])

    async def parts(request: Request) -> Answer:
        return as_json([asdict(part) for part in health.parts.values()])

    return {
        ("GET", "/healthz"): healthz,
        ("GET", "/readyz"): readyz,
        ("GET", "/metrics"): metrics,
        ("GET", "/api/v1/health"): parts,
    }


def _metrics(
    parts: list[Part], accounts: list[dict[str, Any]], stats: dict[str, Any] | None, loads: list[Load]
) -> Answer:
    from agent.status.metrics import TYPE, Metrics  # noqa: PLC0415  # 2 MB that only an agent with a collector needs

    return Answer(Metrics(parts, accounts, stats, loads).text(), TYPE)


def _open(request: Request) -> bool:
    """Whether no token is needed."""
    return request.path == "/healthz" or (request.path in ("/metrics", "/readyz") and _from_here(request.remote))


def _from_here(remote: str | None) -> bool:
    try:
        return ip_address(remote or "").is_loopback
    except ValueError:
        return False


def _announce(path: Path, facts: dict[str, object]) -> None:
    """Written whole or not at all, for the owner's eyes only. Raises AgentError."""
    draft = path.with_suffix(".new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(facts, file)
        draft.replace(path)
    except OSError as error:
        raise AgentError(f"status page: cannot write {path}: {error.strerror}", hint="is the disk full?") from error
