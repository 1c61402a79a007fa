"""The ways in which people write where a Modbus value is, all turned into the same few keys.

Plain numbers are addresses as the protocol has them, from 0. A manual's number counts from 1 and its first digit names
the table, and only text can be one without doubt: `"40001"`, `"400001"`, `"4x0001"`. Beyond 65535 it needs no quotes.
Short forms of other products are taken as they are: `voltage.holding.12.float32:scale=0.1` is a whole tag, and
`1!400004#BL` an address with its unit, order, bit or length.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from drivers.modbus.kinds import BIT_REGISTERS, Order, Register, Type

Keys = dict[str, Any]

TABLE_OF_DIGIT = {0: "coil", 1: "discrete", 3: "input", 4: "holding"}
FORMS = "write 12, 0x48, '40013' or '4x0013'"
SHORT_FORM = "voltage.holding.12.float32:scale=0.1"

_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,4}")
_MANUAL = re.compile(r"([0134])(?:(?<!0)x([0-9]{1,5})|([0-9]{4,5}))", re.IGNORECASE)  # 0x is hexadecimal
_STATION = re.compile(
    r"(?P<unit>[0-9]{1,3})!(?P<place>[0-9]{5,6})(?:\.(?P<bit>[0-9]{1,2}))?(?:#(?P<order>[LB]{1,2}))?"
    r"(?:\.(?P<length>[0-9]{1,3})(?P<way>[HLDE])?)?",
    re.IGNORECASE,
)
# The digits say which byte of the value comes first: 1234 is the network's own order
_ENDIAN = {"LL": "ABCD", "LB": "BADC", "BL": "CDAB", "BB": "DCBA", "L": "AB", "B": "BA"}
_OPTIONS = {"slaveid": "unit_id", "unit": "unit_id", "unit_id": "unit_id"}
_OPTIONS |= {key: key for key in ("scale", "offset", "bit", "length", "order", "layout")}
_NUMBERS = {"scale": float, "offset": float, "bit": int, "length": int, "unit_id": int}
_MODICON = (10_000, 100_000)


def resolved(data: Keys) -> Keys:
    """The keys of a tag with its address 0-based and everything that its spelling says; unchanged where it is wrong."""
    address = data.get("address")
    if isinstance(address, str) and _HEX.fullmatch(address):
        address = int(address, 16)
        data = {**data, "address": address}
    if isinstance(address, str):
        try:
            said = _said(address, data)
        except ValueError:
            return data
        return data if _contradiction(address, said, data) else {**data, **said}
    if isinstance(address, int) and not isinstance(address, bool):
        base = data.get("address_base")
        if (base == 1 and address > 0) or address > 65_535:
            table, number = counted(address, base == 1, data.get("register"))
            return {**data, "address": number, "address_base": 0, **({"register": table} if table else {})}
    return data


def counted(address: int, from_one: bool, register: str | None) -> tuple[str | None, int]:
    """(table that the number names, 0-based address) of a number from a manual; `register` is what the tag says.

    Six digits always name a table. Five do where numbers count from 1, unless `register` says that they do not.
    """
    table, number = _digits(address, _MODICON[1])
    if table and number <= 65_536 and register in (None, table):
        return table, number - 1
    if not from_one:
        return None, address
    table, number = _digits(address, _MODICON[0])
    if table and (register == table or (register is None and table not in BIT_REGISTERS)):
        return table, number - 1
    return None, address - 1


def objection(address: str, data: Mapping[str, Any]) -> str:
    """Why the text in `address:` cannot be one, or does not go with the other keys."""
    try:
        return _contradiction(address, _said(address, data), data) or f"{address!r} is no address: {FORMS}"
    except ValueError as error:
        return str(error)


def one_line(text: str) -> Keys:
    """The keys of a whole tag written as `voltage.holding.12.float32:scale=0.1`. Raises ValueError."""
    place, *options = text.split(":")
    parts = place.rsplit(".", 2)  # the type may be left out
    if len(parts) < 3 or parts[1].lower() not in get_args(Register):
        parts = place.rsplit(".", 3)
    if len(parts) < 3 or not parts[0]:
        raise ValueError(f"{text[:80]!r} is no tag: write a mapping, or NAME.REGISTER.ADDRESS.TYPE: {SHORT_FORM}")
    name, register, address, *kind = parts
    keys: Keys = {"name": name, "register": _one_of(register.lower(), get_args(Register)), "address": _number(address)}
    keys |= _kind(kind[0]) if kind else {}
    for option in options:
        keys |= _option(option)
    return keys


def _kind(text: str) -> Keys:
    kind = text.lower().removesuffix("-ieee")
    return {"type": "bool" if kind == "bit" else _one_of(kind, get_args(Type))}


def _option(text: str) -> Keys:
    name, found, value = text.partition("=")
    key = _OPTIONS.get(name.strip().lower().replace("byteorder", "order"))
    if not found or key is None:
        raise ValueError(f"{text[:40]!r} is not known here: one of {', '.join(dict.fromkeys(_OPTIONS.values()))}")
    if key == "order":
        return {key: _one_of(value.strip().upper(), ("AB", "BA", *get_args(Order)))}
    try:
        return {key: _NUMBERS.get(key, str)(value.strip())}
    except ValueError:
        raise ValueError(f"{text[:40]!r}: {value[:40]!r} must be a number") from None


def _number(text: str) -> int | str:
    """A plain number as one, anything else as text for `resolved`."""
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,4}", text) else text


def _one_of(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ValueError(f"{text[:40]!r} is not known here: one of {', '.join(known)}")
    return text


def _digits(address: int, unit: int) -> tuple[str | None, int]:
    """(table, 1-based number) when the first digit before `unit` names one: 400001 with 100000."""
    digit, number = divmod(address, unit)
    return (TABLE_OF_DIGIT.get(digit) if digit and number else None), number


def _said(address: str, data: Mapping[str, Any]) -> Keys:
    """The keys that an address as text stands for. Raises ValueError."""
    text = address.strip()
    if "!" in text:
        return _station(text, data)
    if match := _MANUAL.fullmatch(text):
        return _manual(address, int(match[1]), int(match[2] or match[3]))
    if re.fullmatch(r"[A-Za-z]{1,8}[0-9]{1,6}(\.[0-9]{1,2})?", text):
        hint = "is it a word of a PLC? its device map, or `areas` of the device, says where these are"
        raise ValueError(f"{address[:40]!r} is no address: {hint}")
    hint = "leave the quotes away" if re.fullmatch(r"[0-9]{1,5}", text) else FORMS
    if re.fullmatch(r"0x[0-9]{5}", text, re.IGNORECASE):
        hint = f"0x is hexadecimal and has four digits at most; a coil is '{int(text[2:]):05}'"
    raise ValueError(f"{address[:40]!r} is no address: {hint}")


def _manual(address: str, digit: int, number: int) -> Keys:
    if not 1 <= number <= 65_536:
        raise ValueError(f"{address!r}: numbers of a manual count from 1 to 65536: 40001 is the first")
    return {"register": TABLE_OF_DIGIT[digit], "address": number - 1, "address_base": 0}


def _station(text: str, data: Mapping[str, Any]) -> Keys:
    """`UNIT!PLACE[.BIT][#ORDER][.LENGTH[H|L]]`; the length of text is in bytes."""
    match = _STATION.fullmatch(text)
    if match is None or not match["place"].startswith(tuple("0134")):
        raise ValueError(
            f"{text[:40]!r} is no address: write UNIT!PLACE, such as 1!400004#BL, 1!300004.3, 1!400001.10H"
        )
    keys: Keys = {"unit_id": int(match["unit"]), **_manual(text, int(match["place"][0]), int(match["place"][1:]))}
    sized = data.get("type") in ("string", "bytes")
    length, bit = match["length"], match["bit"]
    if bit and not length and sized:
        length, bit = bit, None
    return keys | dict(_details(text, bit, match["order"], length, (match["way"] or "").upper(), data.get("type")))


def _details(
    text: str, bit: str | None, order: str | None, length: str | None, way: str, kind: object
) -> Iterator[tuple[str, Any]]:
    if length and bit:
        raise ValueError(f"{text!r}: a bit and a length do not go together")
    if bit:
        yield "bit", int(bit)
    if order:
        yield "order", _ENDIAN[order.upper()]
    if length:
        if way in ("D", "E"):
            raise ValueError(f"{text!r}: text with one character in a register ({way}) is not supported")
        yield "type", kind if kind in ("string", "bytes") else "string"
        yield "length", -(-int(length) // 2)
        if way:
            yield "order", "BA" if way == "L" else "AB"


def _contradiction(address: str, said: Keys, data: Mapping[str, Any]) -> str:
    """What the spelling says and another key says differently; what comes from a map's `defaults` may be overruled."""
    origin: Mapping[str, str] = getattr(data, "origin", {})
    for key, value in said.items():
        other = data.get(key, value)
        if key not in ("address", "address_base") and other not in (value, None) and not origin.get(key):
            return f"{address!r} says {key} {value}, and `{key}` says {other}: keep one of the two"
    return ""
