"""The keys of an `mqtt` sink: what is taken, what is refused, and that checking a file stays quick."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.text import Referenced
from agent.northbound.mqtt.config import Config


def config(**keys: Any) -> Config:
    return Config.model_validate({"name": "p", "type": "mqtt", "url": "mqtt://broker.example", **keys})


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker.example", "broker.example", 1883, False),
        ("mqtts://broker.example", "broker.example", 8883, True),
        ("mqtt://10.0.0.7:2883/", "10.0.0.7", 2883, False),
        ("mqtts://[fd00::7]:18883", "fd00::7", 18883, True),
        ("ws://broker.example", "broker.example", 80, False),
        ("wss://broker.example/a/b?c=d", "broker.example", 443, True),
    ],
)
def test_urls_and_their_default_ports(url: str, host: str, port: int, tls: bool) -> None:
    made = config(url=url)
    assert (made.host, made.port, made.tls) == (host, port, tls)


@pytest.mark.parametrize(
    ("url", "path"),
    [("mqtt://b/", ""), ("ws://b", "/mqtt"), ("wss://b/", "/"), ("ws://b:1/a/b", "/a/b"), ("ws://b?c=d", "/mqtt?c=d")],
)
def test_the_path_of_a_websocket(url: str, path: str) -> None:
    assert config(url=url).path == path


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("broker.example", "is not mqtt://HOST:PORT"),
        ("http://broker.example", "is not mqtt://HOST:PORT"),
        ("mqtt://", "names no host"),
        ("mqtt://broker:0", "port 0"),
        ("mqtt://broker:99999", "is not an address"),
        ("mqtt://broker:port", "is not an address"),
        ("mqtt://[fd00::7", "is not an address"),
        ("mqtt://user:secret@broker", "do not belong into the url"),
        ("mqtt://broker/topic", "after the port"),
        ("mqtt://broker?x=1", "after the port"),
        ("ws://broker/a#b", "after the port"),
        ("ws://broker/a b", "writes as %XX"),
        ("wss://broker/\x00", "writes as %XX"),
        ("ws://broker/ü", "writes as %XX"),
        (f"mqtt://{'a' * 64}.example", "is not a host name"),
        ("mqtt://a..b", "is not a host name"),
    ],
)
def test_a_wrong_url_is_named(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        config(url=url)


def test_defaults_are_those_of_the_readme() -> None:
    made = config()
    assert (made.protocol, made.keepalive, made.timeout, made.window, made.batch) == ("auto", 30.0, 10.0, 200, 100)
    assert made.topic == "floorgate/{gateway}/{device}/{group}"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"password": "plain"}, "a secret is not written into the file"),
        ({"password": Referenced("x"), "protocol": "3.1.1"}, "under MQTT 3.1.1 `password` needs a `username`"),
        ({"password": Referenced("\ud800")}, "no text in UTF-8"),
        ({"username": "a\0"}, "no control characters"),
        ({"client_id": "ü" * 40_000}, "65,535 bytes"),
        ({"ca": "x.pem"}, "this url is not encrypted"),
        ({"url": "mqtts://b", "cert": "x.pem"}, "belong together"),
        ({"protocol": "4"}, "protocol"),
        ({"keepalive": "100ms"}, "greater than or equal to 1"),
        ({"timeout": "1h"}, "less than or equal to 300"),
        ({"timeout": 5}, "not a duration"),
        ({"window": 0}, "greater than or equal to 1"),
        ({"batch": 5000}, "less than or equal to 1000"),
        ({"topic": "a/#"}, "wildcard"),
        ({"qos": 0}, "Extra inputs"),
    ],
)
def test_a_wrong_key_is_named(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        config(**keys)


@pytest.mark.parametrize(("given", "protocol"), [(5, "5"), ("5", "5"), ("3.1.1", "3.1.1"), ("auto", "auto")])
def test_versions_are_taken_as_yaml_reads_them(given: object, protocol: str) -> None:
    assert config(protocol=given).protocol == protocol


def test_a_password_does_not_show() -> None:
    made = config(username="gw", password=Referenced("s3cret"))
    assert made.password is not None
    assert made.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(made) + made.model_dump_json()


@pytest.mark.parametrize("kind", ["mqtt", "file", "http", "thingsboard"])
def test_checking_a_file_loads_no_client(kind: str) -> None:
    program = (
        f"import agent.northbound.{kind}.config, sys;"
        "print([m for m in ('aiomqtt', 'paho', 'aiohttp', 'asyncio', 'ssl') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
