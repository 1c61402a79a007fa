"""What is said to a proxy, byte by byte, and what its answers mean; and which proxies a configuration may name."""

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.model.errors import Denied, SinkError, Unavailable
from agent.model.text import Referenced
from agent.northbound.broker.config import BrokerConfig
from agent.northbound.proxy.config import Proxy
from agent.northbound.proxy.handshake import handshake

HTTP, HTTP_USER = Proxy("http", "px", 3128), Proxy("http", "px", 3128, "gw", "s3crét")
SOCKS, SOCKS_USER = Proxy("socks5", "px", 1080), Proxy("socks5", "px", 1080, "gw", "s3crét")
OK = b"\x05\0\0\x01\x7f\0\0\1\x1f\x90"


def talk(proxy: Proxy, answers: list[bytes], *, host: str = "broker.example", piece: int = 10**6) -> list[bytes]:
    """What we said, when each thing that we say is answered with the next of `answers`, `piece` bytes at a time."""
    steps = handshake(proxy, host, 8883, "mqtt broker")
    said = [next(steps)]
    try:
        for answer in answers:
            said += [steps.send(answer[at : at + piece]) for at in range(0, len(answer), piece)]
    except StopIteration:
        return [each for each in said if each]
    raise AssertionError(f"it waits for more: {said}")


@pytest.mark.parametrize("piece", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
        b"HTTP/1.1 204 Fine\nvia: x\n\n",
    ],
)
def test_connect_is_said_once_whatever_comes_in_which_pieces(answer: bytes, piece: int) -> None:
    said = talk(HTTP, [answer], piece=piece)
    assert said == [b"CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n"]


@pytest.mark.parametrize(
    ("host", "target"),
    [("fd00::7", b"[fd00::7]:8883"), ("10.0.0.7", b"10.0.0.7:8883"), ("bücher.example", b"xn--bcher-kva.example:8883")],
)
def test_connect_names_the_place(host: str, target: bytes) -> None:
    assert talk(HTTP, [b"HTTP/1.1 200 OK\r\n\r\n"], host=host)[0].startswith(b"CONNECT %b HTTP/1.1\r\n" % target)


def test_connect_logs_in_with_basic() -> None:
    (said,) = talk(HTTP_USER, [b"HTTP/1.1 200 OK\r\n\r\n"])
    found = re.search(rb"\r\nProxy-Authorization: Basic (\S+)\r\n", said)
    assert found and base64.b64decode(found[1]).decode() == "gw:s3crét"


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_socks5_leaves_the_name_to_the_proxy(piece: int) -> None:
    said = talk(SOCKS, [b"\x05\0", OK], piece=piece)
    assert said == [b"\x05\x01\0", b"\x05\x01\0\x03\x0ebroker.example\x22\xb3"]


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_socks5_logs_in_when_it_is_asked_to(piece: int) -> None:
    said = talk(SOCKS_USER, [b"\x05\x02", b"\x01\0", OK], piece=piece)
    assert said[:2] == [b"\x05\x02\0\x02", b"\x01\x02gw\x07" + "s3crét".encode()]
    assert len(talk(SOCKS_USER, [b"\x05\0", OK], piece=piece)) == 2


@pytest.mark.parametrize(
    ("host", "address"), [("10.0.0.7", b"\x01\x0a\0\0\x07"), ("fd00::7", b"\x04\xfd" + bytes(14) + b"\x07")]
)
def test_socks5_names_an_address_as_one(host: str, address: bytes) -> None:
    assert talk(SOCKS, [b"\x05\0", OK], host=host)[1] == b"\x05\x01\0" + address + b"\x22\xb3"


@pytest.mark.parametrize("bound", [b"\x01" + bytes(6), b"\x04" + bytes(18), b"\x03\x05local\0\0", b"\x03\x00\0\0"])
def test_socks5_answers_with_any_kind_of_address(bound: bytes) -> None:
    assert len(talk(SOCKS, [b"\x05\0", b"\x05\0\0" + bound], piece=1)) == 2


@pytest.mark.parametrize(
    ("proxy", "answers", "kind", "why"),
    [
        (HTTP, [b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic a=b\r\n\r\n"], Denied, "HTTP 407 Who? (check `proxy_"),
        (HTTP_USER, [b"HTTP/1.0 401 No\r\n\r\n"], Denied, "check `proxy_user`"),
        (HTTP, [b"HTTP/1.1 407 No\r\nproxy-authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n"], Denied,
         "the proxy wants Negotiate, NTLM, and only Basic"),
        (HTTP_USER, [b"HTTP/1.1 407 No\r\n\r\n"], Denied, "check `proxy_user`"),
        (HTTP, [b"HTTP/1.0 403 Filt\x1bered\r\ncontent-length: 9\r\n\r\n<html>"], Denied, "allow CONNECT to port 8883"),
        (HTTP, [b"HTTP/1.1 405 Method Not Allowed\r\n\r\n"], Denied, "does it know CONNECT"),
        (HTTP, [b"HTTP/1.1 502 Bad Gateway\r\n\r\n"], Unavailable, "HTTP 502 Bad Gateway (does the proxy get there"),
        (HTTP, [b"HTTP/1.1 302 Found\r\nlocation: http://evil/\r\n\r\n"], Unavailable, "HTTP 302 Found"),
        (HTTP, [b"HTTP/1.1 2 OK\r\n\r\n"], Unavailable, "no HTTP proxy"),
        (HTTP, [b"\x05\xff"], Unavailable, "no HTTP proxy"),
        (HTTP, [b"SSH-2.0-x\r\n"], Unavailable, "no HTTP proxy"),
        (HTTP, [b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000], Unavailable, "no HTTP proxy"),
        (HTTP, [b"HTTP/1.1 200 OK\r\n\r\n\x20\x02\0\0"], Unavailable, "says more than that the way is free"),
        (SOCKS, [b"HTTP/1.1 400 Bad\r\n\r\n"], Unavailable, "no SOCKS5 proxy"),
        (SOCKS, [b"\x05\xff"], Denied, "takes none of our ways to log in"),
        (SOCKS, [b"\x05\x02"], Unavailable, "no SOCKS5 proxy"),
        (SOCKS, [b"\x05\x01"], Unavailable, "no SOCKS5 proxy"),
        (SOCKS_USER, [b"\x05\x02", b"\x01\x01"], Denied, "does not let us in (check `proxy_user`"),
        (SOCKS, [b"\x05\0", b"\x05\x02\0\x01"], Denied, "not allowed by its rules (2)"),
        (SOCKS, [b"\x05\0", b"\x05\x05\0\x01"], Unavailable, "connection refused (5)"),
        (SOCKS, [b"\x05\0", b"\x05\x63\0\x01"], Unavailable, "unknown reason (99)"),
        (SOCKS, [b"\x05\0", b"\x04\0\0\x01"], Unavailable, "no SOCKS5 proxy"),
        (SOCKS, [b"\x05\0", b"\x05\0\0\x09"], Unavailable, "no SOCKS5 proxy"),
        (SOCKS, [b"\x05\0", OK + b"x"], Unavailable, "says more than that the way is free"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 100_000])
def test_an_answer_that_is_no_way_is_named(
    proxy: Proxy, answers: list[bytes], kind: type[SinkError], why: str, piece: int
) -> None:
    if "says more" in why:
        piece = 100_000  # what comes later is no part of the answer
    piece = max(piece, len(answers[0]) // 100)  # a long answer is searched again with each
    with pytest.raises(kind) as error:
        talk(proxy, answers, piece=piece)
    assert str(error.value).startswith("mqtt broker through the proxy px:")
    assert why in str(error.value) and str(error.value).isprintable()


@given(st.sampled_from([HTTP_USER, SOCKS_USER]), st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_no_answer_does_more_than_be_refused_and_none_tells_the_password(proxy: Proxy, answers: list[bytes]) -> None:
    steps, said = handshake(proxy, "b", 1, "here"), repr(proxy)
    next(steps)
    try:
        for answer in answers:
            steps.send(answer)
    except StopIteration:
        pass
    except SinkError as error:
        said += f"{error!r} {error} {error.hint}"
    assert "s3cr" not in said


def config(**keys: Any) -> BrokerConfig:
    return BrokerConfig.model_validate({"name": "p", "type": "mqtt", "url": "mqtt://b", **keys})


def test_a_proxy_of_the_configuration() -> None:
    assert config().way_out is None
    assert config(proxy="socks5://10.0.0.1:1080/").way_out == Proxy("socks5", "10.0.0.1", 1080)
    made = config(proxy="http://[fd00::1]:3128", proxy_user="gw", proxy_password=Referenced("s3cret"))
    assert made.way_out == Proxy("http", "fd00::1", 3128, "gw", "s3cret")
    assert "s3cret" not in repr(made) + repr(made.way_out) + made.model_dump_json()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"proxy": "px:3128"}, "is not http://HOST:PORT or socks5://HOST:PORT"),
        ({"proxy": "https://px:3128"}, "is not http://HOST:PORT"),
        ({"proxy": "socks5://px"}, "is not http://HOST:PORT"),
        ({"proxy": "http://px:99999"}, "is not an address"),
        ({"proxy": "http://a..b:1"}, "is not an address"),
        ({"proxy": "http://u:p@px:1"}, "do not belong into the url"),
        ({"proxy": "http://px:1/x"}, "after the port"),
        ({"proxy_user": "u"}, "need a `proxy`"),
        ({"proxy": "http://px:1", "proxy_password": Referenced("x")}, "needs a `proxy_user`"),
        ({"proxy": "http://px:1", "proxy_user": "u:v"}, "cannot hold a colon"),
        ({"proxy": "http://px:1", "proxy_user": "u", "proxy_password": "x"}, "a secret is not written into the file"),
        ({"proxy": "socks5://px:1", "proxy_user": "u"}, "needs a `proxy_password`"),
        ({"proxy": "socks5://px:1", "proxy_user": "u", "proxy_password": Referenced("é" * 128)}, "255 bytes each"),
    ],
)
def test_a_wrong_proxy_is_named(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        config(**keys)
