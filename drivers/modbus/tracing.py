"""What the last request for a tag was, what came back, and how its bytes became a value: for a person who asks."""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite, isnan
from typing import NamedTuple

from agent.model.frame import Value
from agent.model.quality import FIRST_BAD, Quality
from drivers.modbus.areas import Atlas
from drivers.modbus.config import NUMBERED, Config
from drivers.modbus.decode import HEAD, registers
from drivers.modbus.doubts import doubt
from drivers.modbus.faults import EXCEPTIONS
from drivers.modbus.frames import Ascii, Rtu
from drivers.modbus.kinds import BCD, BIT_REGISTERS, SIZED
from drivers.modbus.link import Answered, Failed, Read
from drivers.modbus.plan import Block
from drivers.modbus.tag import Tag
from drivers.modbus.writing import place
from drivers.tracing import Exchange, Trace

MBAP = 7  # bytes before the PDU in Modbus TCP: transaction, protocol, length, unit
MOST_ELDERS = 64  # requests of earlier plans that are remembered


class Asked(NamedTuple):
    """A request, and the block that its answer is decoded by."""

    request: Read
    block: Block


class Told(NamedTuple):
    """The PDU of an answer, and where in what was received it begins; `width` is how many bytes spell one."""

    pdu: bytes
    start: int
    width: int = 1


def elders(before: Iterable[Asked], now: Sequence[Asked]) -> list[Asked]:
    """Of the requests of earlier plans, the newest first, those that alone know how it went of a tag that is read."""
    fresh = [each for each in now if each.request.last is None]
    found = (each for each in before if each.request.last and any(_shares(each.block, new.block) for new in fresh))
    return list(found)[:MOST_ELDERS]


def newest(before: Iterable[Asked], tag: str) -> Asked | None:
    """The last request of earlier plans that was to bring a tag."""
    return next((each for each in before if any(mine.name == tag for mine in each.block.tags)), None)


def _shares(one: Block, other: Block) -> bool:
    return one.table is other.table and bool({tag.name for tag in one.tags} & {tag.name for tag in other.tags})


def trace(config: Config, tag: Tag, asked: Asked | None) -> Trace:
    """`asked` is the last request for the tag that was made, or else would be."""
    last = asked.request.last if asked is not None else None
    if asked is None or last is None:
        return Trace(_at(config, tag), wrong="it has not been asked for yet")
    if isinstance(last, Failed) and not last.sent:
        return Trace(_at(config, tag), wrong=last.message, hint=last.hint)
    exchange = _exchange(asked.request, last)
    told = None if exchange.error else _told(exchange.received, numbered=_numbered(config))
    if told is not None and len(told.pdu) >= HEAD + asked.block.size:
        return _decoded(config, tag, asked.block, exchange, told)
    code = _exception(exchange, config)
    quality = Quality.BAD_COMM if code is None else Quality.BAD_DEVICE
    name = EXCEPTIONS.get(code or 0, ("not in the standard", ""))[0]
    about = () if code is None else (("exception", f"{code}, {name}"),)
    return Trace(_at(config, tag), exchange, about, quality=quality, wrong=exchange.error, hint=exchange.hint)


def _at(config: Config, tag: Tag) -> str:
    """`holding 100`, and how a PLC itself calls that."""
    called = list(Atlas(config.areas).words(tag.register, tag.address)) if config.areas else []
    return f"{place(tag)}, {' or '.join(called)}" if called else place(tag)


def _exchange(request: Read, last: Answered | Failed) -> Exchange:
    if isinstance(last, Failed):
        took = last.ended - (last.until - request.patience)
        return Exchange(last.sent, last.came, int(last.ended * 1e9), max(0.0, took), last.message, last.hint)
    reply, ended, until = last
    sent, came = reply.asked, reply.frame
    if not came:
        number, unit = reply.transaction_id.to_bytes(2, "big"), bytes((reply.dev_id,))
        sent, came = number + request.frame, number + (len(reply.pdu) + 1).to_bytes(4, "big") + unit + reply.pdu
    return Exchange(sent, came, int(ended * 1e9), max(0.0, ended - (until - request.patience)))


def _numbered(config: Config) -> bool:
    return config.endpoint.partition(":")[0] in NUMBERED


def _told(received: bytes, *, numbered: bool) -> Told | None:
    if numbered:
        return Told(received[MBAP:], MBAP)
    if received[:1] == b":":
        return next((Told(each.pdu, each.start + 3, 2) for each in Ascii().others(received)), None)
    return next((Told(each.pdu, each.start + 1) for each in Rtu().others(received)), None)


def _exception(exchange: Exchange, config: Config) -> int | None:
    """The number by which the device says no."""
    told = _told(exchange.received, numbered=_numbered(config))
    return told.pdu[1] if told is not None and len(told.pdu) == HEAD and told.pdu[0] >= 0x80 else None


def _decoded(config: Config, tag: Tag, block: Block, exchange: Exchange, told: Told) -> Trace:
    columns = block.decode(told.pdu)
    column = next(at for at, each in enumerate(block.tags) if each.name == tag.name)
    value, quality = columns[column], block.quality(columns)[column]
    if isinstance(value, float) and not isfinite(value):
        value, quality = None, Quality.BAD_DECODE
    order = config.order_of(tag)
    if tag.register in BIT_REGISTERS:
        at = tag.address - block.address
        byte = HEAD + at // 8
        raw, facts = str(told.pdu[byte] >> at % 8 & 1), [("bit", f"{at % 8} of the marked byte")]
        mine, wrong, hint = (byte, byte + 1), "", ""
    else:
        byte = HEAD + 2 * (tag.address - block.address)
        mine = byte, byte + 2 * tag.words
        data = told.pdu[slice(*mine)]
        raw = " ".join(data[at : at + 2].hex() for at in range(0, len(data), 2))
        facts = list(_facts(tag, data, order))
        wrong, hint = _no_value(tag, data, order) if quality >= FIRST_BAD else doubt(tag, data, order, value)
    marked = told.start + mine[0] * told.width, told.start + mine[1] * told.width
    return Trace(_at(config, tag), exchange, (), marked, raw, facts, value, quality, wrong, hint)


def _facts(tag: Tag, data: bytes, order: str) -> Iterator[tuple[str, str]]:
    """How the registers of a tag are understood, step by step."""
    yield "type", tag.type if tag.type in SIZED else f"{tag.type} {order if tag.words > 1 else order_of_one(order)}"
    if tag.type in SIZED or tag.type == "datetime":
        if tag.layout:
            yield "layout", tag.layout
        return
    raw = bare(tag, data, order)
    yield "raw value", _number(raw)
    if tag.bit is not None:
        yield "bit", f"{tag.bit} (0 is the lowest)"
    if tag.enum and isinstance(raw, int):
        yield "enum", tag.enum.get(raw, "has no name for it")
    if tag.scaled:
        yield "scaled", f"times {tag.scale:.15g}" + (f", then {tag.offset:+.15g}" if tag.offset else "")


def order_of_one(order: str) -> str:
    """The order of the bytes of a single register."""
    return "BA" if order in ("BADC", "DCBA", "BA") else "AB"


def bare(tag: Tag, data: bytes, order: str) -> Value:
    """The number in the registers before anything is made of it."""
    kind = {"bcd16": "uint16", "bcd32": "uint32"}.get(tag.type, tag.type)
    if kind == "bool":
        kind = "uint16"
    plain = {"scale": 1.0, "offset": 0.0, "enum": {}, "invalid": [], "bit": None, "type": kind, "order": order}
    return registers([tag.model_copy(update=plain)], tag.address, order)(bytes(HEAD) + data)[0]


def _no_value(tag: Tag, data: bytes, order: str) -> tuple[str, str]:
    """Why these registers hold no value, and what to do."""
    if tag.type in SIZED:
        return (
            f"these bytes are no text: {data.hex(' ')}",
            "is the address right, and `length`? `type: bytes` shows them",
        )
    if tag.type == "datetime":
        return f"these bytes are no date in the layout {tag.layout}", "is the address right, and `layout`?"
    raw = bare(tag, data, order)
    if tag.type in BCD and isinstance(raw, int):
        return f"{raw:x} has digits that are none: it is no BCD", "is the address right? else it may be a uint"
    if isinstance(raw, float) and isnan(raw) and not tag.nan_is_invalid:
        return "the registers hold a number that is none (NaN)", _OTHER_ORDER
    if isinstance(raw, float) and not isfinite(raw):
        return "the registers hold an infinite number", _OTHER_ORDER
    return (
        f"{_number(raw)} is one of `invalid`: the device says that it has no value",
        "is what it measures connected, and on?",
    )


_OTHER_ORDER = "does the device have a value at present? else another `order` or `type` may be meant: floorgate probe"


def _number(raw: Value) -> str:
    if isinstance(raw, float):
        return f"{raw:.7g}"
    return f"{raw} (0x{raw:x})" if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0 else str(raw)
