"""What a service's bad status means for the session, and what the person is told."""

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Refused, Unreachable
from drivers.opcua.nodes import parse
from drivers.opcua.refusal import lost, refusal
from drivers.opcua.session import MONITOR_LIMIT, MOST, READ_LIMIT, Session

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


def learnt(*answers: object) -> Session:
    session = Session(ENDPOINT, "press-3", 1.0)
    session._learn([ua.DataValue(ua.Variant(answer)) for answer in answers])
    return session


@pytest.mark.parametrize(
    ("announced", "read", "monitor"),
    [(20, 20, 20), (0, READ_LIMIT, MONITOR_LIMIT), (None, READ_LIMIT, MONITOR_LIMIT), (10**6, MOST, MOST)],
)
def test_a_server_s_limits_are_kept(announced: int | None, read: int, monitor: int) -> None:
    """Many servers say 0 or nothing: then we are careful."""
    session = learnt(["http://opcfoundation.org/UA/"], announced, announced)
    assert (session.read_limit, session.monitor_limit) == (read, monitor)


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
