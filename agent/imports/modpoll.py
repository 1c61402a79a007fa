"""modpoll: its CSV, in which `device`, `poll` and `ref` rows follow one another."""

from collections.abc import Sequence
from typing import Any

from agent.imports import modbus
from agent.imports.draft import Device, Draft
from agent.imports.node import Node, Skip
from agent.imports.sources import Source

NAME, TITLE = "modpoll", "modpoll"
TABLES = {"coil": "coil", "discrete_input": "discrete", "holding_register": "holding", "input_register": "input"}
ORDERS = {"BE_BE": "ABCD", "LE_BE": "BADC", "LE_LE": "DCBA", "BE_LE": "CDAB"}
KINDS = {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (16, 32, 64)}
KINDS |= {f"float{bits}": f"float{bits}" for bits in (16, 32, 64)}
DEVICE, POLL, REF = (
    ["device", "name", "id"],
    ["poll", "type", "start", "size", "endian"],
    ["ref", "name", "address", "dtype", "rw", "unit", "scale"],
)
OLD_POLL, OLD_REF = (
    ["poll", "name", "id", "start", "size", "type", "endian"],
    ["ref", "name", "unit", "address", "dtype", "rw", "scale"],
)
RATE = 10.0


def is_one(source: Source) -> bool:
    words = [str(row.cells[0]).strip().lower() for row in source.rows[:200] if row.cells]
    return "poll" in words and "ref" in words


def build(sources: Sequence[Source], draft: Draft) -> None:
    for source in sources:
        Reader(source, draft).read()


class Reader:
    """`poll` and `ref` rows belong to the ones before them."""

    def __init__(self, source: Source, draft: Draft) -> None:
        self._source, self._draft = source, draft
        self._device: Device | None = None
        self._poll: tuple[str, int, int, str] | None = None
        types = {
            str(row.cells[1]).lower()
            for row in source.rows
            if len(row.cells) > 1 and str(row.cells[0]).lower() == "poll"
        }
        self._old = not types & set(TABLES)

    def read(self) -> None:
        headers = {"device": DEVICE, "poll": OLD_POLL if self._old else POLL, "ref": OLD_REF if self._old else REF}
        for row in self._source.rows:
            word = str(row.cells[0]).strip().lower()
            if word.startswith("#"):
                continue
            node = row.node(headers.get(word, ["row"]), self._source.name, self._draft.notes)
            node.raw(next(iter(headers.get(word, ["row"]))))
            if word == "device":
                self._new(node, node.text("name"), node.whole("id", 0, 255))
            elif word == "poll":
                with node.or_none_of_it():
                    self._polled(node)
            elif word == "ref":
                with node.or_none_of_it():
                    self._ref(node)
            else:
                node.give_up(f"a row that begins with {word[:40]!r}", "device, poll and ref are known")
            node.close()

    def _new(self, node: Node, name: str, unit: int | None) -> None:
        endpoint = self._draft.endpoint(node)
        if unit is None:
            node.note("assumed", "no id of the device: 1", "say --unit")
            unit = 1 if self._draft.options.unit is None else self._draft.options.unit
        keys = {"endpoint": endpoint, "unit": unit}
        self._device = self._draft.device(name or f"unit-{unit}", "modbus", node, **keys)
        self._device.every = RATE
        node.note(
            "assumed", "how often it is read does not stand in the file: every 10s, as modpoll has it", "`interval`"
        )
        self._poll = None

    def _polled(self, node: Node) -> None:
        if self._old:
            self._new(node, node.text("name"), node.whole("id", 0, 255))
        table = TABLES.get(node.text("type").lower())
        start, size = node.whole("start", 0, 65535), node.whole("size", 1, 2000)
        written = node.text("endian").upper()
        if written not in ORDERS:
            node.note("assumed", f"the order {written[:20]!r}: BE_LE, as modpoll takes it", "compare a value")
        self._poll = None
        if table is None or start is None or size is None or self._device is None:
            raise Skip("a poll without a device, a known type, a start and a size", "its refs are left out, too")
        self._poll = (table, start, size, ORDERS.get(written, "CDAB"))

    def _ref(self, node: Node) -> None:
        name, address = node.text("name"), node.whole("address", 0, 65535)
        if self._poll is None or self._device is None or address is None:
            raise Skip("a ref without a poll, or without an address")
        table, start, size, order = self._poll
        written = node.text("dtype", "uint16").lower()
        kind, more = _kind(node, written)
        width = modbus.WORDS.get(kind, more.get("length", 1))
        if not kind or not start <= address <= start + size - width:
            raise Skip("a ref of an unknown type, or beyond its poll: modpoll leaves it out, too")
        access = node.text("rw", "r").lower()
        if "r" not in access:
            raise Skip("a ref that is only written", modbus.ALLOW_WRITE)
        if "w" in access:
            node.note("not carried", modbus.NO_WRITE, modbus.ALLOW_WRITE, "rw")
        scaling, unit = modbus.Scaling().times(node.number("scale")), node.text("unit")
        if table in modbus.BIT_TABLES:
            self._coils(node, name, table, start, address, size, written)
            return
        node.note(
            "assumed", "addresses are those of the protocol, from 0: 40001 is register 40001, as modpoll sends it"
        )
        for end, bit in [(f"_{bit}", bit) for bit in range(16)] if written == "bool16" else [("", None)]:
            own = {**more, "bit": bit} if bit is not None else more
            modbus.add(
                self._draft, self._device, node, name=f"{name}{end}", register=table, address=address, kind=kind,
                order="ABCD" if kind in modbus.SIZED or kind == "bool" else order, scaling=scaling, unit=unit, more=own,
            )  # fmt: skip

    def _coils(self, node: Node, name: str, table: str, start: int, address: int, size: int, written: str) -> None:
        """A ref is eight coils, and the next address the next eight."""
        if written not in ("bool", "bool8"):
            raise Skip(f"coils as {written[:20]!r}", "list them as tags")
        first = start + 8 * (address - start)
        count = min(8, start + size - first)
        node.note("changed", "a list of eight coils is eight tags here, the first coil first")
        assert self._device is not None
        for number in range(count):
            modbus.add(
                self._draft,
                self._device,
                node,
                name=f"{name}_{number}",
                register=table,
                address=first + number,
                kind="bool",
            )


def _kind(node: Node, written: str) -> tuple[str, dict[str, Any]]:
    if written in KINDS:
        return KINDS[written], {}
    if written == "bool16":
        node.note("changed", "a list of sixteen bits is sixteen tags here, by their bits, 0 the lowest")
        return "bool", {}
    if written in ("bool", "bool8"):
        return "bool", {}
    if written.startswith("string"):
        size = int(written[6:9]) if written[6:9].isdecimal() else 2
        node.note("assumed", "the number behind `string` counts bytes, two in a register", "correct `length`")
        return "string", {"length": max(1, size // 2)}
    return "", {}
