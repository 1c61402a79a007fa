"""Tags whose address is a word of their PLC: the table, the address, and what else the word says."""

from collections.abc import Iterator, Mapping
from typing import Any

from drivers.modbus.areas import Absent, Atlas, Found, Word, parsed
from drivers.modbus.kinds import BIT_REGISTERS, DATE_WORDS, SIZED, WORDS, Register
from drivers.placing import Placed, Said

TRUST = "compare one value with the PLC before you rely on it"


def is_word(address: object) -> bool:
    """Whether an address is one for the areas; all others begin with a digit."""
    return isinstance(address, str) and address.strip()[:1].isalpha()


def placed(atlas: Atlas, said: Mapping[str, Any]) -> Placed | None:
    """What the keys of a tag stand for; None where its address is no word. Of a wrong word there are only problems."""
    address = said.get("address")
    if not is_word(address):
        return None
    try:
        word = parsed(str(address).strip())
        found = atlas.find(word, _table(atlas, word, said))
    except Absent as absent:
        return Placed(problems=(Said("address", str(absent), absent.hint),))
    except ValueError as error:
        return Placed(problems=(Said("address", str(error), f"there are {', '.join(atlas.letters)}"),))
    except _Contradiction as wrong:
        return Placed(problems=(wrong.said,))
    keys = {"register": found.area.register, "address": found.address, "address_base": 0} | dict(_more(found, said))
    return Placed(keys, tuple(_problems(atlas, word, found, said)), tuple(_doubts(found)))


class _Contradiction(Exception):
    def __init__(self, key: str, what: str, hint: str) -> None:
        super().__init__(what)
        self.said = Said(key, what, hint)


def _table(atlas: Atlas, word: Word, said: Mapping[str, Any]) -> Register:
    """Which table is meant. Letters that mean a bit and a number, as T and C do, are told apart by `register`, or by
    the type. Raises Absent and _Contradiction."""
    tables = atlas.tables(word)
    own = said.get("register")
    name = word.letters + word.digits
    if own in tables:
        return own  # type: ignore[no-any-return]  # it is one of them
    if own is not None and not _is_default("register", said):
        key = "register" if isinstance(own, str) else "address"
        what = f"{name} is {' or '.join(map(_a, tables))}, and `register` says {str(own)[:40]}"
        raise _Contradiction(key, what, "leave `register` out")
    if len(tables) == 1:
        return tables[0]
    bits = said.get("type") == "bool" and said.get("bit") is None and not word.tail
    if "type" not in said and not word.tail and said.get("bit") is None:
        what = f"{name} is {' and '.join(map(_a, tables))}"
        raise _Contradiction("address", what, "`type: bool` means the bit, `type: uint16` or another the number")
    return next(table for table in tables if (table in BIT_REGISTERS) is bits)


def _is_default(key: str, said: Mapping[str, Any]) -> bool:
    """What comes from the `defaults` of a map or a group may be overruled."""
    origin: Mapping[str, str] = getattr(said, "origin", {})
    return bool(origin.get(key))


def _a(table: str) -> str:
    return {"coil": "a coil", "discrete": "a discrete input", "input": "an input register"}.get(
        table, "a holding register"
    )


def _more(found: Found, said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if found.bit is not None:
        yield "bit", found.bit
    if found.area.is_bits and ("type" not in said or _is_default("type", said)):
        yield "type", "bool"
    elif found.area.words > 1 and "type" not in said:
        yield "type", "int32"


def _problems(atlas: Atlas, word: Word, found: Found, said: Mapping[str, Any]) -> Iterator[Said]:
    area, name = found.area, word.letters + word.digits
    if area.read_only and said.get("write") is not None:
        yield Said("write", f"{name} is an input of the PLC: it cannot be written", "leave `write` out")
    if found.bit is not None and said.get("bit", found.bit) != found.bit:
        yield Said(
            "bit", f"{said['address']} says bit {found.bit}, and `bit` says {said['bit']}", "keep one of the two"
        )
    kind = said.get("type", "int32" if area.words > 1 else "uint16")
    if area.is_bits or not isinstance(kind, str):
        return
    if area.words > 1 and WORDS.get(kind) != area.words and kind not in SIZED | {"datetime"}:
        yield Said("type", f"{name} has 32 bits, a {kind} has not", "int32, uint32 or float32")
        return
    most = _width(kind, said)
    end = found.address + most
    if end > area.stop and not atlas.reaches(area.register, found.address, end):
        what = f"it takes {most} registers from {name} on, and {area.last} is the last one there"
        yield Said("address", what, "is its type right?")


def _width(kind: str, said: Mapping[str, Any]) -> int:
    length = said.get("length")
    if kind in SIZED and isinstance(length, int):
        return max(length, 1)
    return DATE_WORDS.get(str(said.get("layout")), 1) if kind == "datetime" else WORDS.get(kind, 1)


def _doubts(found: Found) -> Iterator[Said]:
    if found.area.status == "unverified":
        yield Said("address", f"area {found.name!r} is unverified: no written source says where it is", TRUST)
