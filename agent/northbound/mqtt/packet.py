"""MQTT PUBLISH packets, as far as their bytes go (MQTT 3.1.1 and 5.0, §3.3)."""

PUBLISH_QOS1 = 0x32
LARGEST = 268_435_460  # bytes of a packet: its length has four digits to the base of 128, the header five bytes at most
_RETAIN = 0x01

Message = tuple[bytes, bytes, bool]  # topic head, payload, retain


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


def publish_size(head: bytes, payload: bytes, properties: bytes) -> int:
    """Bytes of the packet that `publish` would make."""
    size = len(head) + 2 + len(properties) + len(payload)
    return 1 + len(varint(size)) + size


def size(message: Message, properties: bytes) -> int:
    """Bytes of the packet that carries it."""
    return publish_size(message[0], message[1], properties)


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
