"""The keys of an `http` sink: what is taken, what is refused, and that no secret shows."""

from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.text import Referenced
from agent.northbound.http.config import Config


def config(**keys: Any) -> Config:
    return Config.model_validate({"name": "p", "type": "http", "url": "https://platform.example/ingest", **keys})


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("https://platform.example", "platform.example", 443, True),
        ("http://10.0.0.7/a/b?c=d", "10.0.0.7", 80, False),
        ("https://[fd00::7]:8443/x", "fd00::7", 8443, True),
    ],
)
def test_urls_and_their_default_ports(url: str, host: str, port: int, tls: bool) -> None:
    made = config(url=url)
    assert (made.host, made.port, made.tls) == (host, port, tls)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("platform.example/ingest", "is not https://HOST/PATH"),
        ("mqtt://platform.example", "is not https://HOST/PATH"),
        ("https://", "names no host"),
        ("https://platform:0/", "port 0"),
        ("https://platform:99999", "is not an address"),
        ("https://[fd00::7", "is not an address"),
        ("https://user:secret@platform/", "do not belong into the url"),
        ("https://platform/#here", "has a #"),
        ("https://platform/a b", "as %XX"),
        ("https://platform/a\r\nX: y", "as %XX"),
        ("https://platform/ü", "as %XX"),
        ("https://a..b/", "is not a host name"),
    ],
)
def test_a_wrong_url_is_named(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        config(url=url)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"token": "plain"}, "a secret is not written into the file"),
        ({"token": Referenced("a b")}, "without spaces"),
        ({"token": Referenced("a\nb")}, "without spaces"),
        ({"password": Referenced("x")}, "needs a `username`"),
        ({"username": "a:b", "password": Referenced("x")}, "colon"),
        ({"username": "a", "token": Referenced("x")}, "keep one of them"),
        ({"token": Referenced("x"), "headers": {"authorization": Referenced("x")}}, "keep one of them"),
        ({"url": "http://p", "ca": "x.pem"}, "not encrypted"),
        ({"cert": "x.pem"}, "belong together"),
        ({"format": "csv"}, "ndjson"),
        ({"window": 0}, "greater than or equal to 1"),
        ({"batch": 5000}, "less than or equal to 1000"),
        ({"timeout": 5}, "not a duration"),
        ({"verify": False}, "Extra inputs"),
        ({"headers": {"X-Api-Key": "plain"}}, "X-Api-Key may be a secret"),
        ({"headers": {"Cookie": "plain"}}, "Cookie may be a secret"),
        ({"headers": {"Content-Length": "1"}}, "set by the gateway itself"),
        ({"headers": {"host": "other"}}, "set by the gateway itself"),
        ({"headers": {"X Y": "1"}}, "is not the name of a header"),
        ({"headers": {"X-Y": "a\r\nZ: b"}}, "can be printed"),
        ({"headers": {"X-Y": 5}}, "must be text"),
        ({"headers": {"X-Y": "a", "x-y": "b"}}, "stands there twice"),
        ({"headers": {f"X-{n}": "a" for n in range(33)}}, "too many"),
        ({"headers": ["X"]}, "valid dictionary"),
    ],
)
def test_a_wrong_key_is_named(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        config(**keys)


def test_defaults_are_those_of_the_readme() -> None:
    made = config()
    assert (made.format, made.shape, made.compress) == ("ndjson", "envelope", "none")
    assert (made.timeout, made.window, made.batch, made.ordered) == (30.0, 4, 100, False)


def test_no_secret_shows() -> None:
    made = config(
        username="gw",
        password=Referenced("s3cret"),
        headers={"X-Tenant": "t3nant", "X-Api-Key": Referenced("s3cret")},
        url="https://platform.example/ingest?code=s3cret",
    )
    assert made.headers["X-Tenant"].get_secret_value() == "t3nant"
    assert "s3cret" not in repr(made.headers) + repr(made.password) + made.where
