"""Who a device says it is: the answer to function 43/14 (Modbus Application Protocol 1.1b3, §6.21)."""

from dataclasses import dataclass

VENDOR, PRODUCT, REVISION = 0, 1, 2  # objects that every device with this function has
HEAD = 7  # function, type of interface, code, conformity, whether more follows, from which object, how many
MORE = 0xFF


@dataclass(frozen=True, slots=True)
class Identity:
    """Text as the device has it, cleaned of what no terminal should see."""

    vendor: str = ""
    product: str = ""
    revision: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.vendor, self.product, self.revision) if part)


@dataclass(frozen=True, slots=True)
class Part:
    """One answer; `more` is the object from which on to ask for the rest, or None."""

    objects: dict[int, bytes]
    more: int | None


def parse(pdu: bytes) -> Part:
    """Raises ValueError for an answer that contradicts itself."""
    if len(pdu) < HEAD:
        raise ValueError(f"an identification of {len(pdu)} bytes is too short")
    more, following, count = pdu[4:HEAD]
    objects: dict[int, bytes] = {}
    at = HEAD
    for _ in range(count):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            raise ValueError("an identification ends in the middle of an object")
        objects[pdu[at]] = pdu[at + 2 : at + 2 + pdu[at + 1]]
        at += 2 + pdu[at + 1]
    if at != len(pdu):
        raise ValueError(f"{len(pdu) - at} bytes too many after an identification")
    return Part(objects, following if more == MORE and following else None)


def identity(objects: dict[int, bytes]) -> Identity:
    return Identity(*(_text(objects.get(number, b"")) for number in (VENDOR, PRODUCT, REVISION)))


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
