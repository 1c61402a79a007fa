"""What an OPC UA device may be told, and how a mistake is explained."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.opcua.config import Config, address

GOOD = {"name": "press-3", "driver": "opcua", "endpoint": "opc.tcp://192.168.1.31:4840", "security": "none"}


def errors(**changes: Any) -> str:
    """What is said of a device that differs from a good one in these keys (... takes a key away)."""
    raw = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(raw)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in caught.value.errors())


def test_a_device_subscribes_unless_told_otherwise() -> None:
    device = Config.model_validate(GOOD)
    assert (device.mode, device.queue_size, device.profile, device.gap) == ("subscribe", None, "auto", "mark")


def test_no_security_must_be_written_out() -> None:
    assert "security: none` explicitly" in errors(security=...)
    assert errors(security=...).startswith("security:")


@pytest.mark.parametrize("policy", ["auto", "Basic256Sha256", "sign", 1, True])
def test_encryption_is_not_pretended(policy: object) -> None:
    """A device that asks for what this version does not have is refused, not connected without it."""
    assert "comes with a later version" in errors(security=policy)


def test_all_mistakes_are_told_at_once() -> None:
    found = errors(security=..., mode="push", endpoint="tcp://x", tags=[{"name": "t", "node": "Temp"}])
    assert all(f"{part}:" in found for part in ("security", "mode", "endpoint", "tags.0.node"))


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("tcp://h:4840", "not an OPC UA endpoint"),
        ("opc.tcp://", "not an OPC UA endpoint"),
        ("192.168.1.31", "not an OPC UA endpoint"),
        ("opc.tcp://h:99999", "not an endpoint"),
        ("opc.tcp://h:0", "port 0"),
        ("opc.tcp://[::1", "not an endpoint"),
        ("opc.tcp://joe:secret@h:4840", "no user and no password"),
    ],
)
def test_a_wrong_endpoint_is_explained(endpoint: str, reason: str) -> None:
    assert reason in errors(endpoint=endpoint)


def test_an_endpoint_has_a_host_and_a_port() -> None:
    assert address("opc.tcp://plc.local/UA/Server") == ("plc.local", 4840)
    assert address("opc.tcp://[fe80::1]:48010") == ("fe80::1", 48010)


def test_the_password_of_an_endpoint_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="no password") as caught:
        address("opc.tcp://joe:secret@h:4840")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("option", ["username", "password", "certificate"])
def test_a_user_belongs_to_a_secured_connection_and_comes_later(option: str) -> None:
    assert "Extra inputs" in errors(**{option: "x"})


@pytest.mark.parametrize("kind", ["bool", "int64", "float32", "str", "string"])
def test_a_tag_may_name_its_type(kind: str) -> None:
    tags = [{"name": "t", "node": "i=2258", "type": kind}]
    assert Config.model_validate({**GOOD, "tags": tags}).tags[0].type == kind


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("queue_size", 0),
        ("queue_size", 10001),
        ("sampling_interval", "2h"),
        ("sampling_interval", 5),
        ("mode", "poll "),
    ],
)
def test_limits_are_kept(key: str, value: object) -> None:
    assert errors(**{key: value}).startswith(key)


def test_the_schema_for_editors_demands_security() -> None:
    schema = Config.model_json_schema()
    assert "security" in schema["required"]
    assert schema["properties"]["security"]["const"] == "none"
    assert "default" not in schema["properties"]["security"]


def test_checking_a_file_does_not_load_the_wire() -> None:
    """asyncua costs half a second and 25 MB."""
    code = "import sys, drivers.opcua.config; sys.exit('asyncua' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
