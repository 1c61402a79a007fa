"""What is secret is found in any spelling, and what looks like a secret is taken out even if nobody knows it."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli.support.redact import literals, redacted
from agent.cli.support.scrub import HIDDEN, Scrubber

SECRET = 'Can/ry+&%="7Qx9<Zk'


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote(SECRET, safe="").lower().replace("can", "Can").replace("qx9", "Qx9").replace("zk", "Zk"),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(json.dumps(SECRET)),
        repr(SECRET),
        SECRET.encode().hex(),
        *(base64.b64encode(ahead + SECRET.encode() + b" and more").decode() for ahead in (b"", b"u", b"u:", b"us:")),
        base64.urlsafe_b64encode(b"user:" + SECRET.encode()).decode(),
    ],
)
def test_a_known_secret_is_found_however_it_is_spelt(spelt: str) -> None:
    scrub = Scrubber([SECRET])
    found = scrub(f"before {spelt} after")
    assert found.startswith("before ") and found.endswith(" after") and HIDDEN in found
    assert SECRET not in found and "7Qx9" not in found
    assert scrub.hidden >= 1


@settings(max_examples=40)
@given(st.binary(max_size=9), st.text(min_size=10, max_size=30), st.binary(max_size=9))
def test_base64_of_what_holds_a_secret_does_not_hold_it_any_more(before: bytes, secret: str, after: bytes) -> None:
    whole = base64.b64encode(before + secret.encode("utf-8", "surrogatepass") + after).decode()
    try:
        found = Scrubber([secret])(whole)
    except UnicodeEncodeError:
        return
    assert found != whole


def test_a_key_of_many_lines_is_found_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEabcdefgh0123\nQRSTuvwx45678901\n-----END KEY-----\n"
    assert "QRST" not in Scrubber([key])("a log line with QRSTuvwx45678901 in it")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefgh1234", f"Authorization: {HIDDEN}"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", f"{{'authorization': '{HIDDEN}'}}"),
        ("sent with Bearer abcdefgh1234", f"sent with Bearer {HIDDEN}"),
        ("tcp://user:pw@h:1/x", f"tcp://{HIDDEN}@h:1/x"),
        ("https://h/x?token=abc&a=1", f"https://h/x?token={HIDDEN}&a=1"),
        ('{"password": "a b", "n": 1}', f'{{"password": {HIDDEN}, "n": 1}}'),
        (r'{"line": "{\"api_key\":\"a b\"}"}', None),
        ("mqtt_password=hunter2 level=3", f"mqtt_password={HIDDEN} level=3"),
        ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", HIDDEN),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", HIDDEN),
        ("-----BEGIN PRIVATE KEY-----\nMII and it is cut", HIDDEN),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, shown: str | None) -> None:
    found = Scrubber([])(text)
    assert found == shown if shown is not None else "a b" not in found


@pytest.mark.parametrize(
    "text",
    [
        "password: ${PW}",
        "password: file:pw.secret",
        '"token": "credential:apps"',
        'floorgate_part_up{kind="sink",name="a"} 1',
        '"secrets": [1]',
        "compass 7, bypass=1",
        "keyboard: 7",
        '{"hidden": "(a secret)", "password": "(a secret)"}',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Scrubber([])(text) == text


def test_what_is_too_short_would_be_everywhere() -> None:
    assert Scrubber(["ab", "", " "])("abc") == "abc"


WRITTEN = """\
gateway: {id: gw-1}   # the password is canary
devices:
  - {name: d, driver: opcua, user: u, password: "can, ary", endpoint: 'opc.tcp://u:canary@h:1/x'}
  - {name: z, password: ${A}, token: canary, url: mqtt://h/, key: credential:x}
  - name: e
    password: ${PW}
    tags: [{name: bypass, address: 3, text: "a # b"}]
sinks:
  - name: p
    url: https://u:canary@h/hook/canary
    password: |
      canary
      canary

      canary
    token: file:tok
  - name: q
    headers:
      X-A: canarycanary
      X-B: ${B}
    access_token:
      canary
    password canary
    password: "multi
      line canary"
    client_key_password: canary
    batch: 7
    headers: {A: b, C: canarycanary}
# canary
"""


def test_a_file_loses_its_secrets_and_comments_and_keeps_its_lines() -> None:
    shown = redacted(WRITTEN).splitlines()
    assert "canary" not in redacted(WRITTEN) and "can, ary" not in redacted(WRITTEN)
    assert len(shown) == len(WRITTEN.splitlines())
    for number, line in (
        (0, "gateway: {id: gw-1}   # (a comment)"),
        (2, "  - {name: d, driver: opcua, user: u, password: (a secret), endpoint: 'opc.tcp://h:1/x'}"),
        (3, "  - {name: z, password: ${A}, token: (a secret), url: mqtt://h/, key: credential:x}"),
        (5, "    password: ${PW}"),
        (9, "    url: https://h/…"),
        (15, "    token: file:tok"),
        (26, "    batch: 7"),
    ):
        assert shown[number] == line


def test_what_stood_in_a_file_is_looked_for_everywhere() -> None:
    scrub = Scrubber(literals(WRITTEN))
    assert "canary" not in scrub("a log line with canarycanary, canary and can, ary")


@settings(max_examples=40)
@given(st.text(alphabet="password:{}[]\"'#|>-\n \t$,ab", max_size=200))
def test_whatever_a_file_holds_its_lines_keep_their_numbers(text: str) -> None:
    assert len(redacted(text).split("\n")) == max(1, len(text.splitlines()))
