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
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from agent.health import Health
from agent.model.errors import AgentError
from agent.status.metrics import TYPE, Metrics
from agent.status.ready import readiness
from agent.status.store import Desk, Pages

FILE = "agent.json"
_MOST = 8 << 20  # bytes of a question
_PATIENCE = 8.0  # seconds: a collector gives up after ten


async def serve(listen: str, data: Path, health: Health, desk: Desk) -> None:
    """Serve until cancelled. `listen` is `HOST:PORT`; port 0 takes any free one."""
    token = secrets.token_urlsafe(24)
    runner = web.AppRunner(_app(token, health, desk), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    path = data / FILE
    try:
        await _listen(runner, listen)
        bound = runner.addresses[0]
        _announce(path, {"pid": os.getpid(), "host": bound[0], "port": bound[1], "token": token})
        health.part("status", listen).up()
        await asyncio.Event().wait()
    finally:
        path.unlink(missing_ok=True)
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: str) -> None:
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port), backlog=16).start()
    except OSError as error:
        raise AgentError(
            f"status page: cannot listen on {listen}: {error.strerror}", hint="is the port taken?"
        ) from error


def _app(token: str, health: Health, desk: Desk) -> web.Application:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not _open(request) and not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise web.HTTPUnauthorized
        return await handler(request)

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(request: web.Request) -> web.Response:
        found = readiness(health, time.monotonic_ns())
        return web.json_response(found, status=200 if found["ready"] else web.HTTPServiceUnavailable.status_code)

    async def metrics(request: web.Request) -> web.Response:
        """How the parts are is told even when the store does not answer; that is when somebody needs it."""
        accounts, stats = [], None
        with suppress(AgentError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                stats = await desk.stats()
                accounts = await desk.ledger()
        text = await asyncio.to_thread(Metrics(health.parts.values(), accounts, stats, health.loads.values()).text)
        return web.Response(body=text, headers={"Content-Type": TYPE})

    async def parts(request: web.Request) -> web.Response:
        return web.json_response([asdict(part) for part in health.parts.values()])

    app = web.Application(middlewares=[guarded, told], client_max_size=_MOST)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    app.add_routes([web.get("/api/v1/health", parts)])
    app.add_routes(Pages(desk).routes())
    return app


def _open(request: web.Request) -> bool:
    """Whether no token is needed."""
    return request.path == "/healthz" or (request.path in ("/metrics", "/readyz") and _from_here(request.remote))


def _from_here(remote: str | None) -> bool:
    try:
        return ip_address(remote or "").is_loopback
    except ValueError:
        return False


@web.middleware
async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An error that a person can do something about is answered in words."""
    try:
        return await handler(request)
    except AgentError as error:
        return web.json_response(
            {"kind": type(error).__name__, "error": error.message, "hint": error.hint},
            status=web.HTTPConflict.status_code,
        )


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
