"""Which question goes where, and what a caller must be allowed for it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from agent.model.errors import AgentError
from agent.status.gate import HERE, SAFE, Hosts, Patience, Rate, Token, digest, from_here
from agent.status.web import Answer, Caller, Handler, Refusal, Request, as_json, refused

ANYBODY, SOMEBODY, OWNER = "anybody", "somebody", "owner"
PER_SECOND, BURST = 50.0, 100  # questions of one token
JSON, PARCEL = "application/json", "application/msgpack"


@dataclass(frozen=True, slots=True)
class Route:
    """`needs` is ANYBODY, SOMEBODY (any token), OWNER (that of `agent.json`) or a scope; with `here` no token is needed
    from this machine. `path` may hold placeholders: `/api/v1/consumers/{name}/ack`. `kind` is what a body must be."""

    method: str
    path: str
    needs: str
    handler: Handler
    here: bool = False
    kind: str = JSON


class Keys:
    """All tokens, the owner's first, and what each opens. The owner's is long and drawn by chance: it is never made to
    wait. The others may be as a person has chosen them."""

    def __init__(self, owner: str, callers: Iterable[tuple[Caller, str]], patience: Patience | None = None) -> None:
        self._owner = Token(owner), Caller("", frozenset({OWNER, "values", "history", "metrics"}))
        self._patience = patience or Patience()
        self.renew(callers)

    def renew(self, callers: Iterable[tuple[Caller, str]]) -> None:
        """These and no others from now on; the owner stays."""
        self._others = [(Token(token), caller, Rate(PER_SECOND, BURST)) for caller, token in callers]

    def caller(self, request: Request) -> Caller:
        """Raises Refusal: 401 without a token or with a wrong one, 429 for who asks too often."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unknown("a token is needed")
        given = digest(token.strip())
        key, owner = self._owner
        if key.opens(given):
            return owner
        if wait := self._patience.left(request.remote):
            raise _later("too many wrong tokens", wait)
        found = [(caller, rate) for key, caller, rate in self._others if key.opens(given)]
        if not found:
            self._patience.failed(request.remote, given)
            raise _unknown("this token is not known")
        self._patience.passed(request.remote)
        ((caller, rate), *_) = found
        if wait := rate.take():
            raise _later("too many questions", wait)
        return caller


class Router:
    """Answers every request: first whether it may ask, then whether there is such a path."""

    def __init__(self, routes: Sequence[Route], keys: Keys, hosts: Hosts) -> None:
        self._keys, self._hosts = keys, hosts
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: dict[tuple[str, ...], dict[str, Route]] = {}
        for route in routes:
            steps = tuple(route.path.split("/"))
            where = (
                self._patterns.setdefault(steps, {}) if "{" in route.path else self._exact.setdefault(route.path, {})
            )
            where[route.method] = route

    async def __call__(self, request: Request) -> Answer:
        self._hosts.check(request)
        methods, parts = self._find(request.path)
        method = "GET" if request.method == "HEAD" else request.method
        route = methods.get(method) or next(iter(methods.values()), None)
        if route is not None and route.needs != ANYBODY and not (route.here and _local(request)):
            caller = self._keys.caller(request)
            if route.needs not in (SOMEBODY, *caller.scopes):
                what = "is for the owner of the data directory" if route.needs == OWNER else f"needs {route.needs!r}"
                raise Refusal(HTTPStatus.FORBIDDEN, f"this token does not open it: it {what}", "see `scopes`")
            request = replace(request, caller=caller)
        if route is None:
            self._keys.caller(request)
            raise Refusal(HTTPStatus.NOT_FOUND)
        if route.method != method:
            allowed = sorted({*methods, *(SAFE if "GET" in methods else ())})
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", ", ".join(allowed)),))
        if (
            method not in SAFE
            and request.headers.get("content-type", "").partition(";")[0].strip().lower() != route.kind
        ):
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, hint=f"Content-Type: {route.kind}")
        try:
            return await route.handler(replace(request, parts=parts))
        except AgentError as error:
            return _failed(error, request.caller)

    def _find(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]]:
        if path in self._exact:
            return self._exact[path], ()
        given = path.split("/")
        for steps, methods in self._patterns.items():
            if len(steps) == len(given) and all(
                a == b or (a[:1] == "{" and b) for a, b in zip(steps, given, strict=True)
            ):
                return methods, tuple(b for a, b in zip(steps, given, strict=True) if a[:1] == "{")
        return {}, ()


def _failed(error: AgentError, caller: Caller) -> Answer:
    """One that a person can do something about is answered in words; they may name files, which are the owner's."""
    if OWNER not in caller.scopes:
        after = (("Retry-After", "5"),)
        return refused(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer just now", "again in 5 s", after)
    found = {"kind": type(error).__name__, "error": error.message, "hint": error.hint}
    return as_json(found, HTTPStatus.CONFLICT)


def _local(request: Request) -> bool:
    """Whether it comes from this machine and was meant for it: a proxy passes on what others call it."""
    return from_here(request.remote) and request.headers.get("host", "").rpartition(":")[0].lower() in HERE


def _unknown(text: str) -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, text, "Authorization: Bearer TOKEN", (("WWW-Authenticate", "Bearer"),))


def _later(text: str, seconds: float) -> Refusal:
    after = str(max(1, math.ceil(seconds)))
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, text, f"again in {after} s", (("Retry-After", after),))
