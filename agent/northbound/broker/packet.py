"""MQTT packets, as far as their bytes go (MQTT 3.1.1 and 5.0, §3); no I/O happens here."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

PUBLISH_QOS0 = 0x30
PUBLISH_QOS1 = 0x32
PINGREQ = b"\xc0\x00"
LARGEST = 268_435_460  # bytes of a packet: its length has four digits to the base of 128, the header five bytes at most
_RETAIN = 0x01
_CLEAN, _WILL, _WILL_RETAIN, _PASSWORD, _USERNAME = 0x02, 0x04, 0x20, 0x40, 0x80
_LONGEST = 65_535  # bytes of a text

Message = tuple[bytes, bytes, bool]  # topic head, payload, retain


class Will(NamedTuple):
    """What the broker publishes for us when the connection breaks without a goodbye."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Heard(NamedTuple):
    """A PUBLISH from the broker; `mid` is 0 under QoS 0."""

    topic: str
    payload: bytes
    retain: bool
    mid: int


def connect(
    client_id: str, keepalive: int, properties: bytes | None, will: Will | None, username: str, password: str
) -> bytes:
    """A CONNECT with a clean start (§3.1); empty `username` and `password` are left out. Raises ValueError.

    `properties` are those of MQTT 5, each with its name before it; None makes it one of 3.1.1.
    """
    five = properties is not None
    if password and not username and not five:
        raise ValueError("a password without a user name needs MQTT 5")
    flags, fields = _CLEAN, [client_id.encode()]
    if will is not None:
        flags |= _WILL | will.qos << 3 | (_WILL_RETAIN if will.retain else 0)
        fields += [will.topic.encode(), will.payload]
    for flag, text in ((_USERNAME, username), (_PASSWORD, password)):
        flags |= flag if text else 0
        fields += [text.encode()] if text else []
    if max(map(len, fields)) > _LONGEST:
        raise ValueError(f"a client id, user name, password or last will of more than {_LONGEST:,} bytes")
    packed = [topic_head(each) for each in fields]
    if five and will is not None:
        packed.insert(1, b"\0")  # properties of the will
    said = b"" if properties is None else varint(len(properties)) + properties
    head = b"\0\4MQTT%c%c%b" % (5 if five else 4, flags, keepalive.to_bytes(2, "big"))
    body = b"".join([head, said, *packed])
    return b"\x10" + varint(len(body)) + body


def topic_head(topic: bytes) -> bytes:
    """What a PUBLISH starts with after its length: the topic with its own length before it."""
    return len(topic).to_bytes(2, "big") + topic


def topic(message: Message) -> str:
    return message[0][2:].decode()


def publish(head: bytes, mid: int, payload: bytes, properties: bytes, *, retain: bool) -> bytes:
    """One QoS 1 packet; `head` from `topic_head`, `properties` is `b"\\0"` (none) in MQTT 5 and empty in 3.1.1."""
    size = len(head) + 2 + len(properties) + len(payload)
    command = PUBLISH_QOS1 | retain
    return b"%c%b%b%b%b%b" % (command, varint(size), head, mid.to_bytes(2, "big"), properties, payload)


def publish_unconfirmed(head: bytes, payload: bytes, properties: bytes, *, retain: bool) -> bytes:
    """One QoS 0 packet, which has no packet id and gets no answer."""
    size = len(head) + len(properties) + len(payload)
    return b"%c%b%b%b%b" % (PUBLISH_QOS0 | retain, varint(size), head, properties, payload)


def publish_size(head: bytes, payload: bytes, properties: bytes) -> int:
    """Bytes of the packet that `publish` would make."""
    size = len(head) + 2 + len(properties) + len(payload)
    return 1 + len(varint(size)) + size


def size(message: Message, properties: bytes) -> int:
    """Bytes of the packet that carries it."""
    return publish_size(message[0], message[1], properties)


def subscribe(mid: int, filters: Iterable[tuple[str, int]], properties: bytes) -> bytes:
    """Topic filters, each with the highest QoS that its messages may have."""
    wanted = b"".join(topic_head(name.encode()) + bytes((qos,)) for name, qos in filters)
    return b"\x82%b%b%b%b" % (varint(2 + len(properties) + len(wanted)), mid.to_bytes(2, "big"), properties, wanted)


def acknowledge(mid: int) -> bytes:
    """The PUBACK for a message of QoS 1 that came."""
    return b"\x40\x02" + mid.to_bytes(2, "big")


def varint(number: int) -> bytes:
    """A variable byte integer, 0 to 268,435,455 (§2.1.4 in 5.0, §2.2.3 in 3.1.1)."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if number < 0x20_0000:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
    if number <= 0xFFF_FFFF:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, number >> 21))
    raise ValueError(f"{number} does not fit into an MQTT length")


def puback(body: bytes | bytearray) -> tuple[int, int]:
    """(packet id, reason code) of a PUBACK without its fixed header; a short one means success. Raises ValueError."""
    if len(body) < 2:
        raise ValueError("a PUBACK without a packet id")
    return body[0] << 8 | body[1], body[2] if len(body) > 2 else 0


def suback(body: bytes, *, properties: bool) -> tuple[int, Sequence[int]]:
    """(packet id, reason code of each filter) of a SUBACK; `properties`: this is MQTT 5. Raises ValueError."""
    if len(body) < 3:
        raise ValueError("a SUBACK without a packet id or a reason code")
    return int.from_bytes(body[:2], "big"), body[_after_properties(body, 2) if properties else 2 :]


def heard(first: int, body: bytes, *, properties: bool) -> Heard:
    """A PUBLISH from the broker; `first` is the first byte of its fixed header. Raises ValueError.

    QoS 2 is refused: it is never asked for. So is a topic alias: we announce none (MQTT 5.0 §3.3.2.3.4).
    """
    qos, end = first >> 1 & 3, 2 + int.from_bytes(body[:2], "big")
    if qos > 1:
        raise ValueError(f"a PUBLISH with QoS {qos}, which nobody asked for")
    at = end + 2 if qos else end
    if len(body) < max(2, at):
        raise ValueError("a PUBLISH that ends before its topic or packet id does")
    mid = int.from_bytes(body[end:at], "big")
    if qos and not mid:
        raise ValueError("a PUBLISH of QoS 1 with packet id 0")
    name = _name(body[2:end])
    return Heard(name, body[_after_properties(body, at) if properties else at :], bool(first & _RETAIN), mid)


def _name(topic: bytes) -> str:
    """A topic name, strictly (§4.7.3 in 5.0 and 3.1.1)."""
    try:
        name = topic.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"a PUBLISH whose topic is not UTF-8: {error.reason}") from None
    if not name or not {"\0", "+", "#"}.isdisjoint(name):
        raise ValueError("a PUBLISH whose topic is empty, or holds a wildcard or a NUL")
    return name


def _after_properties(body: bytes, at: int) -> int:
    """Where a property list that begins at `at` ends (MQTT 5.0 §2.2.2)."""
    length = 0
    for digit in range(4):
        if at >= len(body):
            break
        length |= (body[at] & 0x7F) << 7 * digit
        at += 1
        if body[at - 1] < 0x80:
            if at + length > len(body):
                break
            return at + length
    raise ValueError("a packet whose properties have no end")
