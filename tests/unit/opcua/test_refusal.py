"""What a service's bad status means for the session, and what the person is told."""

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Refused, Unreachable
from drivers.opcua.limits import MOST
from drivers.opcua.nodes import parse
from drivers.opcua.profiles import PROFILES
from drivers.opcua.refusal import lost, refusal
from drivers.opcua.session import Session

ENDPOINT = "opc.tcp://plc:4840"


@pytest.mark.parametrize("name", ["BadSessionIdInvalid", "BadSecureChannelClosed", "BadNoSubscription", "BadTimeout"])
def test_a_session_that_is_over_is_unreachable(name: str) -> None:
    error = refusal(ENDPOINT, "Read", getattr(StatusCodes, name))
    assert isinstance(error, Unreachable)
    assert str(error).startswith(f"{ENDPOINT}: Read: {name}")
    assert lost(getattr(StatusCodes, name))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BadTooManyOperations", "fewer items at once"),
        ("BadSecurityPolicyRejected", "no connection without encryption"),
        ("BadIdentityTokenRejected", "is the user known there"),
        ("BadServiceUnsupported", ""),
    ],
)
def test_a_proper_no_is_refused_with_the_next_step(name: str, hint: str) -> None:
    error = refusal(ENDPOINT, "Read", getattr(StatusCodes, name))
    assert isinstance(error, Refused)
    assert hint in error.hint
    assert not lost(getattr(StatusCodes, name))


def test_a_server_without_a_free_session_is_tried_again_later() -> None:
    error = refusal(ENDPOINT, "connecting", StatusCodes.BadTooManySessions)
    assert isinstance(error, Unreachable)
    assert "other clients" in error.hint


def learnt(namespaces: object, read: object = 0, monitor: object = 0, profile: str = "auto", **more: object) -> Session:
    session = Session(ENDPOINT, "press-3", 1.0, profile=profile)
    session._learn({"namespaces": namespaces, "read": read, "monitor": monitor, **more})
    return session


@pytest.mark.parametrize(
    ("announced", "read", "monitor"),
    [(20, 20, 20), (0, 500, 100), (None, 500, 100), (10**6, MOST, MOST)],
)
def test_a_server_s_limits_are_kept(announced: int | None, read: int, monitor: int) -> None:
    """Many servers say 0 or nothing: then we are careful."""
    session = learnt(["http://opcfoundation.org/UA/"], announced, announced)
    assert (session.read_limit, session.limits.of("monitor")) == (read, monitor)


def test_a_refusal_of_many_halves_what_is_asked_and_is_remembered() -> None:
    session = learnt([], 100, 100)
    assert session.limits.learn("monitor", StatusCodes.BadTooManyOperations, 100)
    assert session.limits.learn("monitor", StatusCodes.BadTooManyMonitoredItems, 50)
    session._learn({"namespaces": [], "read": 100, "monitor": 100})
    assert (session.limits.of("monitor"), session.limits.of("read")) == (25, 100)
    assert not session.limits.learn("monitor", StatusCodes.BadTooManyOperations, 1)
    assert not session.limits.learn("monitor", StatusCodes.BadServiceUnsupported, 100)


@pytest.mark.parametrize(
    ("maker", "product", "profile"),
    [
        ("Siemens AG", "SIMATIC.S7-1200.OPC-UA.Application:PLC_1", "s7-1200"),
        ("Siemens AG", "SIMATIC.S7-1500.OPC-UA.Application:PLC_1", "s7-1500"),
        ("Siemens AG", "CPU 1215C DC/DC/DC", "s7-1200"),
        ("Siemens AG", "CPU 1511-1 PN", "s7-1500"),
        ("Siemens AG", "SIMATIC NET", "s7-1200"),
        ("Siemens AG", "WinCC", "careful"),
        ("NodeOPCUA", "NodeOPCUA-Server", "careful"),
        (None, None, "careful"),
    ],
)
def test_a_known_plc_is_recognised(maker: object, product: object, profile: str) -> None:
    session = learnt([], 10**6, 10**6, maker=maker, product=product)
    assert session.profile is PROFILES[profile]
    assert session.read_limit <= session.profile.most


def test_a_profile_that_is_named_is_not_guessed() -> None:
    session = learnt([], 0, 0, "s7-1200", maker="ACME", product="PLC")
    assert session.profile is PROFILES["s7-1200"]
    assert session.read_limit == 100


def test_a_namespace_is_found_by_its_uri() -> None:
    session = learnt(["http://opcfoundation.org/UA/", "urn:plc", "urn:a;b"], 0, 0)
    for node, expected in (
        ("nsu=urn:plc;s=T", "ns=1;s=T"),
        ("nsu=urn:a%3Bb;i=5", "ns=2;i=5"),
        ("ns=9;s=T", "ns=9;s=T"),
    ):
        found = session.resolve(parse(node))
        assert found is not None
        assert found.to_string() == expected
    assert session.resolve(parse("nsu=urn:gone;s=T")) is None


def test_a_server_that_does_not_tell_its_namespaces_has_none() -> None:
    assert learnt(None, None, None).resolve(parse("nsu=urn:plc;s=T")) is None


@pytest.mark.parametrize(
    "text",
    ["ns=2;g=09087e75-8e5e-499b-954f-f2a9603db28a", "ns=2;b=AQID", "i=2258", "ns=2;s=a;b=c"],
)
def test_every_kind_of_node_id_is_one_of_asyncua_s(text: str) -> None:
    found = learnt(["http://opcfoundation.org/UA/"], 0, 0).resolve(parse(text))
    assert found == ua.NodeId.from_string(text)
