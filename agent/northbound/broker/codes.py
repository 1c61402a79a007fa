"""What a broker's reason codes mean for us: wait, ask a person, or give a message up (MQTT 5.0 §2.4).

The 3.1.1 codes of a CONNACK arrive here as their MQTT 5 cousins, for the library translates them.
"""

from agent.model.errors import Denied, Rejected, SinkError, Unavailable

UNCONFIRMED = -1  # no PUBACK yet
CONFIRMED = frozenset({0x00, 0x10})  # success, and success without a subscriber: the broker has it either way

WITH_WILL = 0x04  # of a DISCONNECT of ours: the will is to be published nevertheless
FAILURE = 0x80  # from here on a reason code says no
CONNECTION_LOST = 0x80  # paho's word for a connection that is gone without any
UNSUPPORTED_PROTOCOL = 0x84
NOT_AUTHORISED = 0x87
TOO_LARGE = 0x95
NO_RETAIN = 0x9A
NO_QOS = 0x9B

_NAMES = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    0x8E: "session taken over",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9F: "connection rate exceeded",
    0x9E: "shared subscriptions not supported",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}

# A refused connection that only a person can change; all other codes may heal by themselves and are tried again.
_REFUSED_FOR_GOOD = {
    0x85: "choose another `client_id`",
    0x86: "check `username` and `password`",
    NOT_AUTHORISED: "check `username` and `password`, and that this user may write to the topic of the last will",
    0x8A: "ask whoever runs the broker",
    0x8C: "the broker wants a way to log in that is not spoken here; user and password, or a certificate, are",
    0x90: "the broker does not take the topic of our last will",
    NO_QOS: "the broker takes QoS 0 only, which confirms nothing; use one that takes QoS 1",
}

# A PUBACK that will be the same next time: the message is set aside. Everything else (0x80 unspecified, 0x83
# implementation specific, 0x91 identifier in use, 0x97 quota, unknown ones) is tried again later, and so is what is too
# large: then in parts.
_NEVER_TAKEN = frozenset({0x90, 0x99})

# A SUBACK that only a person can change. 0x80 is all that 3.1.1 can say.
_NOT_HEARD = frozenset({0x80, NOT_AUTHORISED, 0x8F, 0x9E, 0xA1, 0xA2})

_CLOSED_HINTS = {
    0x8E: "is another gateway or sink using the same `client_id`?",
    0x8D: "the link is slower than `keepalive` allows",
    0x93: "lower `window`",
    0x96: "the broker limits how much it takes",
    0x9C: "point `url` to the broker's new place",
    0x9D: "point `url` to the broker's new place",
}


def name(code: int) -> str:
    return f"{_NAMES.get(code, 'unknown reason')} ({code})"


def refused(code: int, where: str) -> SinkError:
    """What a CONNACK with this code means."""
    if code in _REFUSED_FOR_GOOD:
        return Denied(f"{where}: the broker refused us: {name(code)}", hint=_REFUSED_FOR_GOOD[code])
    return Unavailable(f"{where}: the broker refused us for now: {name(code)}")


def closed(code: int, where: str) -> SinkError:
    """What a DISCONNECT from the broker with this code means."""
    if code == NOT_AUTHORISED:
        return Denied(f"{where}: the broker closed the connection: {name(code)}", hint=_REFUSED_FOR_GOOD[code])
    return Unavailable(f"{where}: the broker closed the connection: {name(code)}", hint=_CLOSED_HINTS.get(code, ""))


def shut(where: str, topic: str) -> SinkError:
    """What it means that the broker hangs up over messages of any size."""
    return Denied(
        f"{where}: the broker hangs up over messages to {topic} that are not too large",
        hint=f"let this user write to {topic}; the broker's log may say why it hangs up",
    )


def unsubscribed(code: int, where: str, wanted: str) -> SinkError:
    """What a SUBACK with this failure code means."""
    text = f"{where}: the broker does not let us subscribe to {wanted}: {name(code)}"
    return Denied(text, hint=f"let this user read {wanted}") if code in _NOT_HEARD else Unavailable(text)


def unconfirmed(code: int, what: str, topic: str) -> SinkError:
    """What a PUBACK with this failure code means; `what` names the message."""
    text = f"{what}: the broker did not take it: {name(code)}"
    if code == NOT_AUTHORISED:
        return Denied(text, hint=f"let this user write to {topic}")
    if code in _NEVER_TAKEN:
        return Rejected(text)
    return Unavailable(text)
