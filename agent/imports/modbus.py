"""What the Modbus importers share: wires, orders, types and manual's numbers, into the words of our files.

An order is `ABCD`, `CDAB`, `BADC` or `DCBA` (A is the highest byte). One register has only an order of bytes.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from agent.imports.draft import PLACEHOLDER, Device, Draft
from agent.imports.node import Node, Number
from agent.imports.numbers import exact, product
from agent.imports.numbers import unit as ucum

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
SWAPPED = ("BADC", "DCBA", "BA")
WORDS = {
    **dict.fromkeys(("bool", "int8l", "int8h", "uint8l", "uint8h", "int16", "uint16", "float16", "bcd16"), 1),
    **dict.fromkeys(("int32", "uint32", "float32", "bcd32"), 2),
    **dict.fromkeys(("int64", "uint64", "float64"), 4),
}
INTEGERS = ("int8l", "int8h", "uint8l", "uint8h", "int16", "uint16", "int32", "uint32", "int64", "uint64")
SIZED = ("string", "bytes")
TABLES = {0: "coil", 1: "discrete", 3: "input", 4: "holding"}
FUNCTIONS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
BIT_TABLES = ("coil", "discrete")
NO_WRITE = "what may be written is read only here"
ALLOW_WRITE = "give the tag a `write` section with its limits where a platform is to write it"
NO_RETRY = "Floorgate has its own way with devices that do not answer: each costs the wire a twentieth of its time"
OWN_PLAN = "Floorgate plans its requests itself"
_PARITIES = {"N": "N", "NONE": "N", "E": "E", "EVEN": "E", "O": "O", "ODD": "O", "M": "M", "MARK": "M", "S": "S"}
_PARITIES["SPACE"] = "S"


def order_of(wanted: str, kind: str, device: str) -> str | None:
    """What a tag has to say so that its order is `wanted` on a device with the order `device`; None: nothing."""
    if WORDS.get(kind, 1) > 1 and kind not in SIZED:
        return None if wanted == device else wanted
    swapped = wanted in SWAPPED
    return None if swapped == (device in SWAPPED) else "BA" if swapped else "AB"


def network(scheme: str, host: str, port: int | None, node: Node, key: str = "host") -> str:
    """`tcp://192.168.1.20:502`; an IPv6 address gets its brackets."""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    if not re.fullmatch(r"[\w.%$\{\}\[\]:-]+", host):
        node.note("not carried", f"`{key}`: {host!r} is no host", "correct `endpoint` of the device", key)
        host = PLACEHOLDER
    return f"{scheme}://{host}:{port or (802 if scheme == 'tls' else 502)}"


def serial(scheme: str, path: str, node: Node, told: Mapping[str, Any]) -> str:
    """`rtu:///dev/ttyUSB0?baud=9600&parity=E`; `told` are our options, those that are None left out."""
    path = path if re.fullmatch(r"COM\d{1,3}", path, re.IGNORECASE) else f"/{path.lstrip('/')}"
    if re.search(r"[\s?#&]", path):
        node.note("not carried", f"the port {path!r} is none that can be opened", "correct `endpoint` of the device")
        path = "/dev/ttyUSB0"
    options = "&".join(f"{key}={value}" for key, value in told.items() if value is not None)
    return f"{scheme}://{path}{'?' if options else ''}{options}"


def parity(node: Node, key: str) -> str | None:
    """N, E, O, M or S."""
    text = node.text(key)
    found = _PARITIES.get(text.upper())
    if text and found is None:
        node.note("not carried", f"`{key}`: {text!r} is no parity", "N, E or O in `endpoint`", key)
    return found


def stop_bits(node: Node, key: str) -> Number | None:
    found = node.number(key)
    if found is not None and found not in (1, 1.5, 2):
        node.note("not carried", f"`{key}`: {found} is no number of stop bits", "1, 1.5 or 2", key)
        return None
    return found


class Scaling:
    """`raw * scale + offset`, exactly, as long as it can be."""

    def __init__(self) -> None:
        self.scale, self.offset = Fraction(1), Fraction(0)

    def times(self, number: Number | None) -> "Scaling":
        if number:
            self.scale, self.offset = self.scale * exact(number), self.offset * exact(number)
        return self

    def by(self, number: Number | None) -> "Scaling":
        if number:
            self.scale, self.offset = self.scale / exact(number), self.offset / exact(number)
        return self

    def plus(self, number: Number | None) -> "Scaling":
        self.offset += exact(number or 0)
        return self

    def keys(self, node: Node, *, of_text: bool = False) -> dict[str, float]:
        """The keys of a tag; of what is no number they are told and left out."""
        if of_text and (self.scale != 1 or self.offset):
            node.note("not carried", "a scale of what is no number")
            return {}
        found = {}
        if self.scale != 1:
            found["scale"] = product(node, "its scale", self.scale)
        if self.offset:
            found["offset"] = product(node, "its offset", self.offset)
        return {key: int(number) if number == int(number) else number for key, number in found.items()}


def add(
    draft: Draft,
    device: Device,
    node: Node,
    *,
    name: str,
    register: str,
    address: int,
    kind: str,
    order: str = "ABCD",
    scaling: Scaling | None = None,
    unit: str = "",
    every: float | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """A tag of a Modbus device. `order` is how its bytes lie, whatever the device says; `more` are other keys."""
    more = dict(more or {})
    single = register in BIT_TABLES or kind == "bool" or more.get("bit") is not None
    keys: dict[str, Any] = {"register": None if register == "holding" else register, "address": address}
    if register not in BIT_TABLES and not (more.get("bit") is not None and kind in ("bool", "uint16")):
        keys["type"] = kind
        keys["order"] = order_of(order, kind, str(device.keys.get("order", "ABCD")))
    elif register not in BIT_TABLES:
        keys["order"] = order_of(order, "uint16", str(device.keys.get("order", "ABCD")))
    if keys.get("type") == "uint16":
        del keys["type"]
    keys |= (scaling or Scaling()).keys(node, of_text=single or kind in SIZED or bool(more.get("enum")))
    if unit:
        keys["unit"] = ucum(node, unit)
    draft.tag(device, name, node, {**keys, **more}, every)
