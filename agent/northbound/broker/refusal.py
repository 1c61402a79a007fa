"""Why there is no connection, or none any more, for what the sinks do differently then."""

from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from agent.model.errors import SinkError, Unavailable
from agent.northbound.broker import codes

_OURS = "does it want a client certificate (`cert`, `key`)?"


class NotSpoken(Unavailable):
    """The broker refused this protocol version (`certain`), or hung up or fell silent instead of answering."""

    certain = False


class NotReached(Unavailable):
    """There was nobody to talk to: the broker has heard nothing of us."""


class HungUp(Unavailable):
    """The other side closed the connection without a word."""


class NoRetain(Unavailable):
    """The broker keeps no retained messages, so it refused a will that asks for it."""


def refused(error: MqttConnectError, where: str) -> SinkError:
    """What a CONNACK that says no means."""
    code = int(error.rc.value if isinstance(error.rc, ReasonCode) else error.rc or 0)
    if code == codes.UNSUPPORTED_PROTOCOL:
        refusal = NotSpoken(f"{where}: the broker does not speak this version of MQTT", hint="set `protocol: auto`")
        refusal.certain = True
        return refusal
    if code == codes.NO_RETAIN:
        return NoRetain(f"{where}: the broker keeps no retained messages")
    return codes.refused(code, where)


def hint(text: str, *, tls: bool) -> str:
    """What to look at when a connection was not made."""
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "is `ca` the authority of this broker, does `url` use the name in its certificate, is our clock right?"
    if "SSL" in text or "ssl" in text:
        return f"does this port speak TLS, and {_OURS}"
    if "Connection refused" in text or "closed the connection" in text:
        return "is the broker running, and is this its port (1883, with TLS 8883)?" + (f" And {_OURS}" if tls else "")
    return ""
