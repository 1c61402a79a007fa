"""Asks a running agent, which says in `agent.json` of the data directory where it listens and what opens its door."""

import http.client
import json
import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from agent import __version__
from agent.model import rights
from agent.model.errors import AgentError, ConfigError, Damaged, StoreError
from agent.status.routes import JSON, PARCEL
from agent.status.server import FILE

TIMEOUT = 120.0  # seconds for an answer: to count a large backlog on a slow disk for the first time takes a while
MOST = 64 << 20  # bytes of one
LARGEST = 64 << 10  # bytes of agent.json
_NOBODY = (ConnectionError, http.client.HTTPException, ValueError, TypeError, LookupError)


class Silent(StoreError):
    """The agent did not answer."""


class Agent:
    """A running agent. Every call raises StoreError, and ConfigError where the agent finds a file wrong."""

    def __init__(self, path: Path, facts: dict[str, Any], timeout: float = TIMEOUT) -> None:
        self._path = path
        self._connection = _connection(facts, timeout)
        self._headers = {"Authorization": f"Bearer {facts['token']}"}
        self._pid, self._version = facts.get("pid"), str(facts.get("version", "an older version"))

    def close(self) -> None:
        self._connection.close()

    @property
    def data(self) -> Path:
        return self._path.parent

    def get(self, path: str, **query: object) -> Any:
        """What it answers, out of JSON; of `query` only what is not empty counts."""
        return json.loads(self.ask(path, None, **query))

    def readiness(self) -> dict[str, Any]:
        """What it tells at /readyz, ready or not."""
        try:
            self._connection.request("GET", "/readyz", headers=self._headers)
            answer = json.loads(self._connection.getresponse().read(MOST))
            return {**answer, "ready": bool(answer["ready"]), "reasons": [*answer["reasons"]]}
        except (*_NOBODY, OSError) as error:
            raise Silent(f"{self._path}: the agent does not answer: {error!r}", hint="has it ended?") from error

    def post(self, path: str, **fields: object) -> Any:
        return json.loads(self._tried(path, json.dumps(fields).encode(), {}, JSON))

    def ask(self, path: str, body: bytes | None = None, **query: object) -> bytes:
        """The body of the answer; a body that is sent is a parcel."""
        return self._tried(path, body, query, PARCEL)

    def _tried(self, path: str, body: bytes | None, query: dict[str, object], kind: str) -> bytes:
        try:
            return self._ask(path, body, query, kind)
        except (*_NOBODY, OSError) as error:
            raise Silent(f"{self._path}: the agent does not answer: {error!r}", hint="has it ended?") from error

    def alive(self) -> bool:
        """Whether it is one: after a `kill -9` somebody else may have got the port, or nobody."""
        try:
            return isinstance(json.loads(self._ask("/api/v1/health", None, {}, JSON)), list)
        except (*_NOBODY, StoreError):
            return False
        except OSError as error:
            raise StoreError(
                f"{self._path}: the agent does not answer: {error}", hint="is it still running?"
            ) from error

    def _ask(self, path: str, body: bytes | None, query: dict[str, object], kind: str) -> bytes:
        given = {key: value for key, value in query.items() if value not in (None, "", False)}
        asked = urlencode(given, doseq=True)
        method = "GET" if body is None else "POST"
        headers = self._headers if body is None else {**self._headers, "Content-Type": kind}
        self._connection.request(method, f"{path}?{asked}" if asked else path, body, headers)
        response = self._connection.getresponse()
        answer = response.read(MOST)
        if response.status == http.client.OK:
            return answer
        if response.status == http.client.CONFLICT:
            raise _error(json.loads(answer))
        hint = (
            ""
            if self._version == __version__
            else f"it is floorgate {self._version}, this is {__version__}: restart it"
        )
        what = f"{self._path}: the agent answers {path} with {response.status} {response.reason}"
        raise StoreError(what, hint=hint)


def _connection(facts: dict[str, Any], timeout: float) -> http.client.HTTPConnection:
    """To this machine, whatever address it listens on. Its certificate is in the file that it shows."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(facts["host"], facts["host"])  # noqa: S104  # compared, not bound
    if not facts.get("cert"):
        return http.client.HTTPConnection(host, facts["port"], timeout=timeout)
    context = ssl.create_default_context(cafile=facts["cert"])
    context.check_hostname = False  # it is for the names by which others know the gateway
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return http.client.HTTPSConnection(host, facts["port"], timeout=timeout, context=context)


def _error(said: dict[str, str]) -> AgentError:
    """As the agent raised it, as far as that matters here."""
    kinds = {"Damaged": Damaged, "ConfigError": ConfigError, "Invalid": ConfigError}
    return kinds.get(said["kind"], StoreError)(said["error"], hint=said["hint"])


def _facts(path: Path) -> Any:
    """What an agent wrote there; a pipe or a device, which might never end, is no file. Raises OSError, ValueError."""
    if not path.is_file():
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        return json.loads(file.read(LARGEST))


def environ(data: Path) -> dict[str, str]:
    """What the agent was started with, for its `${NAME}` and credentials, answering or not; empty when nobody says."""
    try:
        return _environ(_facts(data / FILE)["pid"])
    except (OSError, *_NOBODY):
        return {}


def _environ(pid: object) -> dict[str, str]:
    try:
        said = Path(f"/proc/{int(str(pid))}/environ").read_bytes()
    except (OSError, ValueError):
        return {}
    pairs = (each.partition(b"=") for each in said.split(b"\0") if each)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


@contextmanager
def find(data: Path, timeout: float = TIMEOUT) -> Iterator[Agent | None]:
    """The agent that runs on this data directory, or None; `timeout` (s) for each answer. Raises StoreError."""
    path = data / FILE
    with ExitStack() as stack:
        agent = None
        try:
            agent = Agent(path, _facts(path), timeout)
            stack.callback(agent.close)
        except (FileNotFoundError, *_NOBODY):
            pass
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", hint=rights.using(data)) from error
        yield agent if agent and agent.alive() else None
