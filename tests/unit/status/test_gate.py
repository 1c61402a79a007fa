"""S2 to S5, S30: who may ask for what, under which name, how often."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.health import Health
from agent.model.errors import StoreError
from agent.status import routes
from agent.status.gate import FREE, Hosts, Patience, Rate
from agent.status.pull import Mark, Page, Pull, Span, Style, Unfit
from agent.status.web import Caller, Refusal, Request
from tests.unit.status.test_server import CLERK, serving

HERE = ["127.0.0.1:9100", "localhost:9100", "[::1]:9100", "LOCALHOST:9100", "192.168.1.7:9100"]
NAMED = ["gw.example", "GW.example:9100", "proxy.example:443"]
OTHERS = [
    *("", "127.0.0.1", "localhost", "127.0.0.1:9101", "127.0.0.1:9100:9100", "127.0.0.1:91001", "127.0.0.2:9100"),
    *("127.0.0.1.evil.com:9100", "evil.com:9100", "evil.com", "localhost.evil.com:9100", "localhost:9100.evil.com"),
    *(
        "a@127.0.0.1:9100",
        "127.0.0.1:9100/",
        " 127.0.0.1:9100",
        "2130706433:9100",
        "0x7f.1:9100",
        "[::ffff:7f00:1]:9100",
    ),
    *("gw.example.evil.com", "xgw.example", "gw.example:80", "proxy.example", "proxy.example:9100", "localhost\0:9100"),
]
TOKEN, SHORT = "t" * 16, "s" * 16


def asked(host: str | None, method: str = "GET", **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, "/", headers=given if host is None else {"host": host, **given})


def hosts(*, tls: bool = False, port: int = 9100) -> Hosts:
    return Hosts("192.168.1.7", port, ["gw.example", "proxy.example:443"], tls=tls)


@pytest.mark.parametrize("host", [*HERE, *NAMED])
def test_s2_a_name_of_ours_is_let_in(host: str) -> None:
    hosts().check(asked(host))


@pytest.mark.parametrize("host", [None, *OTHERS])
def test_s2_any_other_name_is_not_ours(host: str | None) -> None:
    with pytest.raises(Refusal) as refusal:
        hosts().check(asked(host))
    assert refusal.value.answer.status == 421


def test_s2_the_usual_port_may_be_left_out() -> None:
    hosts(tls=True, port=443).check(asked("127.0.0.1"))
    hosts(port=80).check(asked("localhost"))
    with pytest.raises(Refusal):
        hosts(tls=True, port=80).check(asked("localhost"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9101"},
        {"origin": "https://localhost:9100"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://localhost:9100", "sec_fetch_site": "cross-site"},
    ],
)
def test_s3_nothing_is_changed_for_a_page_of_another_site(headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(Refusal) as refusal:
            hosts().check(asked("localhost:9100", method, **headers))
        assert refusal.value.answer.status == 403
    hosts().check(asked("localhost:9100", "GET", **headers))


def test_s3_what_no_browser_sends_is_changed() -> None:
    hosts().check(asked("localhost:9100", "POST"))
    hosts().check(asked("localhost:9100", "POST", origin="http://localhost:9100", sec_fetch_site="same-origin"))


def test_s5_wrong_tokens_cost_more_and_more_time() -> None:
    now = 100.0
    patience, waits = Patience(lambda: now), []
    for number in range(FREE + 7):
        patience.failed("10.0.0.1", b"%d" % number)
        waits.append(patience.left("10.0.0.1"))
    assert waits == [0.0] * FREE + [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert patience.left("10.0.0.2") == 0.0
    now += 60
    assert patience.left("10.0.0.1") == 0.0
    patience.passed("10.0.0.1")
    patience.failed("10.0.0.1", b"x")
    assert patience.left("10.0.0.1") == 0.0


def test_s5_the_same_wrong_token_counts_once() -> None:
    """A forgotten job must not lock out its neighbours."""
    patience = Patience(lambda: 0.0)
    for _ in range(100):
        patience.failed("10.0.0.1", b"old")
    assert patience.left("10.0.0.1") == 0.0


def test_s5_only_so_many_addresses_are_remembered() -> None:
    patience = Patience(lambda: 0.0)
    for number in range(5000):
        patience.failed(str(number), b"x")
    assert len(patience._wrong) == 1000


def test_s30_so_many_questions_a_second() -> None:
    now = 0.0
    rate = Rate(10.0, 3, lambda: now)
    assert [rate.take() for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.1)]
    now = 0.1
    assert [rate.take(), rate.take()] == [0.0, pytest.approx(0.1)]


class Consumer:
    """A tap and a window that say what they were asked."""

    def __init__(self, name: str, token: str, *scopes: str) -> None:
        self.caller, self.token = Caller(name, frozenset(scopes)), token
        self.acked: list[Mark] = []
        self.open = 0

    def _page(self, *said: object) -> Page:
        self.open += 1

        def done() -> None:
            self.open -= 1

        return Page(iter([json.dumps(said).encode()]), "application/json", "7", done)

    async def frames(self, limit: int, wait: float, style: Style, waits: Callable[[], bool]) -> Page:
        if wait == 1.5:
            self.open += 1
            while waits():
                await asyncio.sleep(0.01)
            self.open -= 1
        return self._page(limit, wait, *style)

    async def ack(self, marks: Sequence[Mark]) -> int:
        if marks[0].last == 404:
            raise Unfit("not handed out")
        if marks[0].last == 500:
            raise StoreError("store /var/lib/floorgate/store.db is gone")
        self.acked += marks
        return len(marks)

    async def command(self, payload: bytes) -> tuple[bool, bytes]:
        return payload != b"junk", b'{"outcome": "done"}'

    def devices(self) -> dict[str, Any]:
        return {"devices": []}

    def values(self, devices: frozenset[str], tags: frozenset[str]) -> Any:
        return iter([json.dumps([sorted(devices), sorted(tags)]).encode()])

    async def history(self, span: Span, limit: int, style: Style) -> Page:
        return self._page(span.device, sorted(span.tags), *span[2:], limit, *style)


ALL = Consumer("apps", TOKEN, "frames", "values", "history", "metrics", "commands")
FEW = Consumer("few", SHORT, "metrics")


@pytest.fixture
async def facts(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    async with serving(tmp_path, Health(), CLERK, Pull([ALL, FEW], ALL)) as found:
        yield found


def _ask(facts: dict[str, Any], method: str, path: str, body: object, headers: dict[str, str]) -> tuple[int, Any, Any]:
    with closing(http.client.HTTPConnection(facts["host"], facts["port"], timeout=10)) as connection:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json", **headers} if data else headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, response.headers, json.loads(text) if text[:1] in b"[{" and text else text


async def ask(
    facts: dict[str, Any], path: str, token: str = TOKEN, body: object = None, method: str = "", **headers: str
) -> tuple[int, Any, Any]:
    """Status, headers and what stands in the body."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given |= {"Authorization": f"Bearer {token}"} if token else {}
    method = method or ("GET" if body is None else "POST")
    return await asyncio.to_thread(_ask, facts, method, path, body, given)


SCOPED = {
    "/api/v1/frames": None,
    "/api/v1/values": None,
    "/api/v1/tags": None,
    "/api/v1/devices": None,
    "/api/v1/history": None,
    "/api/v1/consumers/apps/ack": {"frames": []},
    "/api/v1/commands": {},
}
OWNED = ["/api/v1/health", "/api/v1/ledger", "/api/v1/store/stats", "/api/v1/store/frames"]


@pytest.mark.parametrize("path", [*SCOPED, *OWNED, "/api/v1/openapi.json", "/nowhere"])
async def test_s4_nothing_is_told_without_a_token(facts: dict[str, Any], path: str) -> None:
    for token in ("", "wrong", TOKEN[:-1], TOKEN + "t"):
        status, headers, found = await ask(facts, path, token, SCOPED.get(path))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert set(found) == {"error", "hint"}


@pytest.mark.parametrize("path", SCOPED)
async def test_s30_a_token_without_the_scope_is_403(facts: dict[str, Any], path: str) -> None:
    assert (await ask(facts, path, SHORT, SCOPED[path]))[0] == 403


@pytest.mark.parametrize("path", OWNED)
async def test_s30_a_consumer_is_no_owner(facts: dict[str, Any], path: str) -> None:
    assert (await ask(facts, path))[0] == 403
    assert (await ask(facts, path, facts["token"]))[0] == 200


async def test_s30_a_consumer_gets_its_own_frames_alone(facts: dict[str, Any]) -> None:
    assert (await ask(facts, "/api/v1/frames?consumer=few"))[0] == 403
    assert (await ask(facts, "/api/v1/consumers/few/ack", body={"frames": []}))[0] == 403
    assert (await ask(facts, "/api/v1/frames?consumer=apps"))[0] == 200
    assert (await ask(facts, "/api/v1/frames", facts["token"]))[0] == 403


async def test_one_that_hangs_up_is_not_waited_for(facts: dict[str, Any]) -> None:
    _, writer = await asyncio.open_connection(facts["host"], facts["port"])
    head = f"Host: 127.0.0.1:{facts['port']}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    writer.write(f"GET /api/v1/frames?wait=1.5 HTTP/1.1\r\n{head}".encode())
    async with asyncio.timeout(5):
        while not ALL.open:
            await asyncio.sleep(0.01)
        writer.close()
        while ALL.open:
            await asyncio.sleep(0.01)


async def test_s6_a_token_is_taken_from_its_header_alone(facts: dict[str, Any]) -> None:
    """There are no sessions, and no cookie that a browser would send by itself."""
    for path, header in ((f"/api/v1/values?token={TOKEN}", {}), ("/api/v1/values", {"Cookie": f"token={TOKEN}"})):
        status, headers, _ = await ask(facts, path, "", **header)
        assert (status, headers["Set-Cookie"]) == (401, None)


async def test_s30_too_many_questions_are_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one token; the others are answered."""
    monkeypatch.setattr(routes, "BURST", 3)
    monkeypatch.setattr(routes, "PER_SECOND", 0.001)
    async with serving(tmp_path, Health(), CLERK, Pull([ALL, FEW], ALL)) as facts:
        found = [await ask(facts, "/api/v1/devices") for _ in range(5)]
        assert [status for status, _, _ in found] == [200, 200, 200, 429, 429]
        assert 900 < int(found[-1][1]["Retry-After"]) <= 1000
        assert (await ask(facts, "/api/v1/openapi.json", SHORT))[0] == 200
        assert (await ask(facts, "/api/v1/ledger", facts["token"]))[0] == 200


async def test_s5_the_owner_is_never_locked_out(facts: dict[str, Any]) -> None:
    for number in range(FREE + 1):
        await ask(facts, "/api/v1/devices", f"guess-{number}")
    status, headers, found = await ask(facts, "/api/v1/devices")
    assert (status, headers["Retry-After"], found["error"]) == (429, "5", "too many wrong tokens")
    assert (await ask(facts, "/api/v1/ledger", facts["token"]))[0] == 200


async def test_s2_s3_hold_for_every_path(facts: dict[str, Any]) -> None:
    for path in (*SCOPED, "/healthz", "/metrics", "/nowhere"):
        assert (await ask(facts, path, Host="evil.example"))[0] == 421
    status, _, _ = await ask(facts, "/api/v1/consumers/apps/ack", body={"frames": []}, Origin="http://evil.example")
    assert status == 403


async def test_s3_a_form_changes_nothing(facts: dict[str, Any]) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        assert (await ask(facts, "/api/v1/commands", body={}, Content_Type=kind))[0] == 415


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/v1/frames", "GET, HEAD"),
        ("OPTIONS", "/api/v1/frames", "GET, HEAD"),
        ("GET", "/api/v1/commands", "POST"),
        ("DELETE", "/api/v1/consumers/apps/ack", "POST"),
    ],
)
async def test_another_method_is_told_which(facts: dict[str, Any], method: str, path: str, allowed: str) -> None:
    status, headers, _ = await ask(facts, path, method=method)
    assert (status, headers["Allow"]) == (405, allowed)


async def test_s38_a_consumer_reads_no_path_of_ours(facts: dict[str, Any]) -> None:
    status, _, found = await ask(facts, "/api/v1/consumers/apps/ack", body={"upto": {"epoch": "a", "seq": 500}})
    assert (status, found["error"]) == (503, "the store does not answer just now")
