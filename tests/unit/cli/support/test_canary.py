"""A secret that was planted wherever there may be one is nowhere in the archive, in no spelling."""

import asyncio
import base64
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.config import load
from agent.runtime import app
from tests.unit.runtime.explaining import settled

CANARY = "Canary/+&=%7Qx9Zk2mP"
SITE = """\
# an old password: {canary}
gateway: {{id: gw-1}}   # {canary}
devices:
  - {{name: boiler, driver: sim, interval: 100ms, tags: [{{name: heat}}]}}
  - name: press
    driver: opcua
    endpoint: opc.tcp://127.0.0.1:1
    user: floorgate
    password: file:opcua.secret
    tags: [{{name: a, node: "ns=2;s=a"}}]
sinks:
  - {{name: broker, type: mqtt, url: "mqtt://127.0.0.1:1", username: u, password: "${{MQTT_PASSWORD}}"}}
  - name: hook
    type: http
    url: ${{HOOK}}
    headers: {{X-Api-Key: "${{HEADER}}"}}
    cert: {folder}/hook.pem
    key: {folder}/hook.key
  - {{name: board, type: thingsboard, url: "mqtt://127.0.0.1:1", token: credential:board}}
  - {{name: apps, type: pull, token: 'file:{folder}/apps.token'}}
buffer: {{commit: 50ms, max_size: 64MB, reserve: 64MB}}
"""


def planted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with the canary in files, in the environment, in credentials, in addresses and in comments."""
    credentials = folder / "credentials"
    credentials.mkdir()
    key = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"
    held = {"opcua.secret": CANARY, "apps.token": CANARY, "hook.pem": CANARY, "hook.key": key}
    for path, text in {**held, "credentials/board": CANARY, "apps.log": f"a line with {CANARY}\n"}.items():
        (folder / path).write_text(text, "utf-8")
        (folder / path).chmod(0o600)
    monkeypatch.setenv("MQTT_PASSWORD", CANARY)
    monkeypatch.setenv("HOOK", f"https://127.0.0.1:1/hook/{quote(CANARY, safe='')}?token={quote(CANARY, safe='')}")
    monkeypatch.setenv("HEADER", CANARY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    (folder / "site.yaml").write_text(SITE.format(canary=CANARY, folder=folder), "utf-8")
    return folder / "site.yaml"


def support(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["support", *map(str, arguments)])


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        for name in file.namelist():
            yield name, file.read(name)


def decoded(data: bytes) -> Iterator[bytes]:
    """All that may be Base64, from each of the four letters on where it may begin."""
    for found in re.findall(rb"[A-Za-z0-9+/_-]{16,}", data):
        plain = found.translate(bytes.maketrans(b"-_", b"+/"))
        for begin in range(4):
            piece = plain[begin:]
            yield base64.b64decode(piece[: len(piece) // 4 * 4])


def holds(data: bytes, secret: str) -> bool:
    spelt = [secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]]
    low = data.lower()
    known = any(each.lower().encode() in low for each in (*spelt, secret.encode().hex()))
    return known or any(secret.encode() in each for each in decoded(data))


def test_this_test_would_find_it() -> None:
    for ahead in (b"", b"u", b"us:", b"user:"):
        coded = base64.b64encode(ahead + CANARY.encode() + b" and so on")
        assert holds(b'{"x": "' + coded + b'"}', CANARY) and not holds(coded, "Another/+&=%7Qx9Zk2mP")


async def test_a_canary_is_nowhere_in_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, data, stop, out = planted(tmp_path, monkeypatch), tmp_path / "data", asyncio.Event(), tmp_path / "out.zip"
    task = asyncio.create_task(app.run(load(config), data, stop))
    try:
        await settled((data / "agent.json").exists)
        token = json.loads((data / "agent.json").read_text("utf-8"))["token"]
        basic = base64.b64encode(f"user:{CANARY}".encode()).decode()
        log = logging.getLogger("floorgate")
        log.warning("it said %s", CANARY)
        log.warning("it said %r and %s", {"password": CANARY}, quote(CANARY, safe=""))
        log.warning("sent Authorization: Basic %s", basic, extra={"body": json.dumps({"a": CANARY})})
        log.warning("the door opens with %s", token)
        found = await asyncio.to_thread(
            support, "--data", data, "-c", config, "-o", out, "--log", tmp_path / "apps.log", "--json"
        )
    finally:
        stop.set()
        await task
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    names = {member["name"] for member in said["members"]}
    assert {
        "inventory.json",
        "health.json",
        "metrics.txt",
        "log/lines.txt",
        "log/apps.log",
        "config/site.yaml",
    } <= names
    assert said["hidden"] >= 6
    assert out.stat().st_mode & 0o777 == 0o600
    for name, text in members(out):
        assert not holds(text, CANARY), name
        assert not holds(text, token), name
        assert CANARY not in name
    assert not holds(found.output.encode(), CANARY)
    shown = dict(members(out))
    assert b"it said (a secret)" in shown["log/lines.txt"]
    assert b"password: file:opcua.secret" in shown["config/site.yaml"]
    assert b"${MQTT_PASSWORD}" in shown["config/site.yaml"]
    said = {row["reference"] for row in json.loads(shown["references.json"])}
    assert {"${MQTT_PASSWORD}", "file:opcua.secret", "credential:board"} <= said


def test_a_canary_in_a_configuration_that_is_wrong_is_nowhere_either(tmp_path: Path) -> None:
    """Nothing could be loaded, so nobody knows what is a secret but by its place."""
    (tmp_path / "conf.d").mkdir()
    url = f"mqtt://u:{quote(CANARY)}@h"
    (tmp_path / "site.yaml").write_text(
        f"gateway: {{id: gw-1}}\nsinks:\n  - {{name: p, type: mqtt, password: {CANARY}, url: {url}}}\n"
        f"  - name: q\n    token: |\n      {CANARY}\n   headers:\n    X: {CANARY}\n  : [broken\n",
        "utf-8",
    )
    (tmp_path / "conf.d" / "more.yaml").write_text(f"devices:\n - password '{CANARY}'  # {CANARY}\n", "utf-8")
    (tmp_path / "agent.log").write_text(f"nobody marked this as secret: {CANARY}\n" * 3, "utf-8")
    out, log = tmp_path / "out.zip", tmp_path / "agent.log"
    found = support("--data", tmp_path / "none", "-c", tmp_path / "site.yaml", "-o", out, "--log", log)
    assert found.exit_code == 0, found.output
    for name, text in members(out):
        assert not holds(text, CANARY), name
    shown = dict(members(out))
    assert not json.loads(shown["check.json"])["ok"]
    assert shown["log/agent.log"].count(b"(a secret)") == 3
    assert "config/conf.d/more.yaml" in shown
