"""S1: beyond this machine the status server needs TLS and a token, or nothing starts."""

from typing import Any

import pytest

from agent.northbound.api import pulled_of
from tests.unit.config.conftest import DEVICE, GATEWAY

SITE = GATEWAY + DEVICE
PULL = "sinks: [{name: apps, type: pull, token: '${T}'}]\n"
TLS = ", tls: {cert: a.pem, key: a.key}"
ENV = {"T": "0123456789abcdef", "U": "0123456789abcdef", "V": "fedcba9876543210"}


@pytest.mark.parametrize("listen", ["0.0.0.0:9100", "[::]:9100", "192.168.1.7:0", "gw-01:9100", "localhost.evil.com:1"])
def test_another_address_needs_tls_and_a_token(problems: Any, site: Any, listen: str) -> None:
    said = problems(f"{SITE}status: {{listen: '{listen}'}}\n")
    assert [line.split(" (")[0] for line in said] == [
        "site.yaml:3:18: status: listen: beyond this machine `tls` is needed",
        "site.yaml:3:18: status: listen: beyond this machine a token is needed",
    ]
    status = site(f"{SITE}{PULL}status: {{listen: '{listen}'{TLS}}}\n", ENV).status
    assert (status.is_local, status.tls.cert, status.tls.key) == (False, "a.pem", "a.key")


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.8.8:9100", "[::1]:9100", "localhost:9100"])
def test_loopback_needs_neither(site: Any, listen: str) -> None:
    assert site(f"{SITE}status: {{listen: '{listen}'}}\n").status.is_local


def test_a_consumer_that_is_not_enabled_has_no_token_to_show(problems: Any) -> None:
    off = PULL.replace("'${T}'", "'${T}', enabled: false")
    (said,) = problems(f"{SITE}{off}status: {{listen: '0.0.0.0:1'{TLS}}}\n", ENV)
    assert "a token is needed" in said


def test_each_consumer_has_a_token_of_its_own(complaint: Any, site: Any) -> None:
    two = SITE + "sinks:\n  - {name: a, type: pull, token: '${T}'}\n  - {name: b, type: pull, token: '${%s}'}\n"
    assert complaint(two % "U", ENV).startswith("site.yaml:5:34: sink 'b': token: it is that of a")
    assert len(site(two % "V", ENV).sinks) == 2


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("token: 0123456789abcdef", "a secret is not written into the file"),
        ("token: '${SHORT}'", "16 characters or more"),
        ("token: '${SPACED}'", "no space"),
        ("token: '${T}', scopes: []", "scopes"),
        ("token: '${T}', scopes: [all]", "scopes"),
        ("token: '${T}', backfill: {rate: 1x}", "`backfill` says nothing here"),
        ("token: '${T}', scopes: [commands]", "need each other"),
        ("token: '${T}', shape: flat", "unknown key"),
        ("scopes: [frames]", "token"),
    ],
)
def test_what_a_consumer_cannot_have_is_told(problems: Any, keys: str, why: str) -> None:
    env = {**ENV, "SHORT": "0123456789abcde", "SPACED": "0123456789 abcdef"}
    assert why in " ".join(problems(f"{SITE}sinks: [{{name: apps, type: pull, {keys}}}]\n", env))


def test_a_consumer_has_frames_and_values_unless_told(site: Any) -> None:
    pulled = pulled_of(site(SITE + PULL, ENV).sinks[0])
    assert pulled is not None
    assert pulled.scopes == ["frames", "values"]
    assert ENV["T"] not in repr(pulled)


@pytest.mark.parametrize("host", ["'a b'", "'http://a'", "'a:b'", "'*'", "''", "'[::1'"])
def test_a_host_is_a_name_or_an_address(problems: Any, host: str) -> None:
    assert "hosts" in " ".join(problems(f"{SITE}status: {{hosts: [{host}]}}\n"))
