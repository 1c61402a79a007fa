"""What an OPC UA device may be told, and how a mistake is explained."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.text import Referenced
from drivers.opcua.config import Config, address, every

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


def test_a_connection_is_encrypted_unless_told_otherwise() -> None:
    device = Config.model_validate({key: value for key, value in GOOD.items() if key != "security"})
    assert (device.security, device.security_mode) == ("auto", "encrypt")


@pytest.mark.parametrize("text", ["Basic256Sha256", "Aes256_Sha256_RsaPss", "Aes128Sha256RsaOaep"])
def test_a_policy_may_be_asked_for(text: str) -> None:
    assert Config.model_validate({**GOOD, "security": text}).security == text.replace("_", "")


@pytest.mark.parametrize("policy", ["Basic256", "Basic128Rsa15", "http://opcfoundation.org/UA/SecurityPolicy#Basic256"])
def test_a_broken_policy_is_refused_with_its_reason(policy: str) -> None:
    assert "broken (SHA-1)" in errors(security=policy)


@pytest.mark.parametrize("policy", ["sign", 1, True, None, ""])
def test_what_is_no_security_is_refused(policy: object) -> None:
    assert errors(security=policy).startswith("security: Input should be")


@pytest.mark.parametrize("key", ["user", "user_certificate"])
def test_without_encryption_there_is_no_user(key: str) -> None:
    """Whoever listens could be that user."""
    other = {"user_key": "k"} if key == "user_certificate" else {}
    assert "`security: none`" in errors(**{key: "x", **other})


@pytest.mark.parametrize(("key", "value"), [("security_mode", "sign"), ("certificate_host", "press")])
def test_what_has_no_meaning_without_encryption_is_not_pretended(key: str, value: str) -> None:
    assert "no meaning" in errors(**{key: value})


def test_a_password_comes_from_elsewhere_and_is_not_shown() -> None:
    secured = {**GOOD, "security": "auto", "user": "gateway"}
    assert "not written into the file" in errors(**secured, password="secret")
    device = Config.model_validate({**secured, "password": Referenced("secret")})
    assert device.password is not None and device.password.get_secret_value() == "secret"
    assert "secret" not in repr(device)
    assert "no text in UTF-8" in (said := errors(**secured, password=Referenced("secret\udcff")))
    assert "secret\udcff" not in said


def test_half_a_user_is_none() -> None:
    assert "needs a `user`" in errors(security="auto", password=Referenced("x"))
    assert "belong together" in errors(security="auto", user_certificate="a.pem")
    assert "keep `user` or `user_certificate`" in errors(security="auto", user="a", user_certificate="b", user_key="c")


def test_a_redundant_server_has_a_list_of_endpoints() -> None:
    """The first is what the device goes by; all others stay where they are needed."""
    device = Config.model_validate({**GOOD, "endpoint": ["opc.tcp://a:4840", "opc.tcp://b:4840"]})
    assert device.endpoint == "opc.tcp://a:4840"
    assert every(device.endpoint) == ("opc.tcp://a:4840", "opc.tcp://b:4840")
    assert every("opc.tcp://a") == ("opc.tcp://a",)


@pytest.mark.parametrize(
    ("endpoints", "reason"),
    [
        ([], "1 to 8 endpoints"),
        ([f"opc.tcp://h{n}" for n in range(9)], "1 to 8 endpoints"),
        (["opc.tcp://a", 7], "is text"),
        (["opc.tcp://a", "opc.tcp://a"], "twice"),
        (["opc.tcp://a", "tcp://b"], "not an OPC UA endpoint"),
        (None, "is text"),
    ],
)
def test_a_wrong_list_of_endpoints_is_explained(endpoints: object, reason: str) -> None:
    assert reason in errors(endpoint=endpoints)


def test_all_mistakes_are_told_at_once() -> None:
    found = errors(security="x", mode="push", endpoint="tcp://x", tags=[{"name": "t", "node": "Temp"}])
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
        (" opc.tcp://h", "it has spaces"),
        ("opc.tcp://h\n", "it has spaces"),
        ("opc.tcp://two words", "it has spaces"),
        ("opc.tcp://h/\x1b[2J", "what cannot be printed"),
        ("opc.tcp://a..b", "no host can have that name"),
        (f"opc.tcp://{'h' * 64}", "no host can have that name"),
    ],
)
def test_a_wrong_endpoint_is_explained(endpoint: str, reason: str) -> None:
    assert reason in errors(endpoint=endpoint)


def test_an_endpoint_has_a_host_and_a_port() -> None:
    assert address("opc.tcp://plc.local/UA/Server") == ("plc.local", 4840)
    assert address("opc.tcp://[fe80::1]:48010") == ("fe80::1", 48010)


@pytest.mark.parametrize("scheme", ["opc.tcp", "opc.tpc", "x"])
@pytest.mark.parametrize("host", ["h:4840", "h:99999", "h:0", "[::1", "h ", "", "a..b"])
@pytest.mark.parametrize("password", ["secret", "secret/", "secret@", "secret ", "secret#", "secret?"])
def test_the_password_of_an_endpoint_is_not_repeated(scheme: str, host: str, password: str) -> None:
    """Whatever else is wrong with it."""
    with pytest.raises(ValueError, match="endpoint") as caught:
        address(f"{scheme}://joe:{password}@{host}")
    assert "secret" not in str(caught.value)


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
        ("security", "Basic256Sha256#None"),
        ("security", "#None"),
    ],
)
def test_limits_are_kept(key: str, value: object) -> None:
    assert errors(**{key: value}).startswith(key)


def test_history_does_not_go_with_polling() -> None:
    """It would never be fetched."""
    assert "only goes with `mode: subscribe`" in errors(mode="poll", gap="history")


def test_a_write_that_could_never_pass_is_told_when_the_file_is_read() -> None:
    tag = {"name": "t", "node": "i=2258"}
    assert "is written by name" in errors(tags=[{**tag, "type": "enum", "write": {"max": 5}}])
    assert "the tag is a text" in errors(tags=[{**tag, "type": "string", "write": {"max": 5}}])


def test_the_schema_for_editors_knows_both_forms_of_an_endpoint() -> None:
    kinds = Config.model_json_schema()["properties"]["endpoint"]["anyOf"]
    assert [kind["type"] for kind in kinds] == ["string", "array"]


def test_checking_a_file_does_not_load_the_wire() -> None:
    """asyncua costs half a second and 25 MB."""
    code = "import sys, drivers.opcua.config; sys.exit('asyncua' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
