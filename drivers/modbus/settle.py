"""The tags of a device as one whole: addresses from 0, one tag per named bit, and nothing that contradicts itself."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from drivers.modbus.kinds import BIT_REGISTERS
from drivers.modbus.spelling import counted
from drivers.modbus.tag import READ_ONLY, UNWRITABLE, Tag

OrderOf = Callable[[Tag], str]
Problem = tuple[int, str, str]  # position of the tag, key, what is wrong


class Reading(NamedTuple):
    """Which registers a tag reads, up to but not `last`, and how; a view looks at what may be another's."""

    first: int
    last: int
    view: bool
    type: str = ""
    order: str = ""
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0


def settled(tags: Sequence[Tag], *, base: int, order_of: OrderOf, most: int, unit: int | None) -> list[Tag]:
    """The tags that are read. `most` registers fit into a request; `unit` is the device's, None while nobody knows it.

    Raises ValidationError with every problem at its tag.
    """
    placed = [_placed(tag) if base and tag.address_base is None else tag for tag in tags]
    problems = [*_alone(placed, most, unit), *_overlaps(placed, order_of), *_names(placed)]
    if problems:
        raise ValidationError.from_exception_data("tags", [_detail(*problem) for problem in problems])
    return [each for tag in placed for each in expanded(tag)] if any(tag.bits for tag in placed) else placed


def expanded(tag: Tag) -> list[Tag]:
    """A tag whose bits are named as one bool tag for each, `TAG_BIT`; any other as it is."""
    if not tag.bits:
        return [tag]
    return [
        tag.model_copy(update={"name": f"{tag.name}_{name}", "bit": bit, "bits": {}})
        for bit, name in sorted(tag.bits.items())
    ]


def _placed(tag: Tag) -> Tag:
    """With a 0-based address, where the device's numbers count from 1; -1 for a 0."""
    said = tag.register if "register" in tag.model_fields_set else None
    register, address = counted(tag.address, from_one=True, register=said)
    return tag.model_copy(update={"address": address, "address_base": 0, "register": register or tag.register})


def _detail(index: int, key: str, message: str) -> InitErrorDetails:
    return {"type": "value_error", "loc": (index, key), "input": None, "ctx": {"error": ValueError(message)}}


def _alone(tags: Sequence[Tag], most: int, unit: int | None) -> Iterator[Problem]:
    for index, tag in enumerate(tags):
        if tag.address < 0:
            yield index, "address", "counted from 1 there is no address 0"
        if tag.words > most:
            key = "length" if tag.length else "type"
            yield index, key, f"{tag.words} registers do not fit into max_registers: {most}"
        if tag.write is not None and tag.register in READ_ONLY:
            yield index, "write", f"{tag.register} {UNWRITABLE}"
        if unit is not None and tag.unit_id not in (None, unit):
            wrong = f"names unit {tag.unit_id}, and the device is unit {unit}"
            yield index, "address", f"{wrong}: make a device of its own for the other unit"


def _names(tags: Sequence[Tag]) -> Iterator[Problem]:
    """Bits that end up with a name that is taken, or one too long."""
    if not any(tag.bits for tag in tags):
        return
    taken = {tag.name for tag in tags if not tag.bits}
    for index, tag in enumerate(tags):
        for name in [each.name for each in expanded(tag)] if tag.bits else ():
            if name in taken:
                yield index, "bits", f"there is a tag {name!r} already: name the bit or the tag differently"
            if len(name) > 128:
                yield index, "bits", f"{name[:40]!r}… is longer than 128 characters"
            taken.add(name)


def _overlaps(tags: Sequence[Tag], order_of: OrderOf) -> Iterator[Problem]:
    """Each tag that reads a register in another way than one before it does; disabled ones are not read at all."""
    spans = sorted(
        (tag.register, tag.address, tag.address + tag.words, index)
        for index, tag in enumerate(tags)
        if tag.enabled and tag.register not in BIT_REGISTERS
    )
    reach: dict[Reading, int] = {}  # those before that may reach into what comes next
    table, end = "", 0
    for register, start, stop, index in spans:
        if register != table or start >= end:
            reach, end = {}, 0
        reach = {other: at for other, at in reach.items() if other.last > start}
        one = _reading(tags[index], order_of)
        other = next((at for other, at in reach.items() if _contradict(one, other)), None)
        if other is not None:
            first, second = sorted((other, index))
            yield second, "address", _overlap(tags[second], tags[first])
        reach.setdefault(one, index)
        table, end = register, max(end, stop)


def _reading(tag: Tag, order_of: OrderOf) -> Reading:
    if tag.is_view:
        return Reading(tag.address, tag.address + tag.words, True)
    order = order_of(tag)
    if tag.words == 1:  # which has only an order of bytes
        order = "BA" if order in ("BA", "BADC", "DCBA") else "AB"
    return Reading(tag.address, tag.address + tag.words, False, tag.type, order, tag.unit, tag.scale, tag.offset)


def _contradict(one: Reading, other: Reading) -> bool:
    """Two overlapping readings that cannot both be right. In another unit a number may be scaled differently."""
    view = one.view or other.view
    if one[:2] != other[:2]:
        nested = (one.first <= other.first and other.last <= one.last) or (
            other.first <= one.first and one.last <= other.last
        )
        return not (nested and view)
    return not view and (one[:5] != other[:5] or (one.unit == other.unit and one != other))


def _said(tag: Tag) -> str:
    scaled = f" times {tag.scale:g}" if tag.scale != 1.0 else ""
    moved = f" {tag.offset:+g}" if tag.offset else ""
    return " ".join(filter(None, (tag.order, tag.type))) + scaled + moved


def _overlap(tag: Tag, other: Tag) -> str:
    def what(one: Tag) -> str:
        last = one.address + one.words - 1
        where = f"register {last}" if one.words == 1 else f"registers {one.address}-{last}"
        return f"{where} as {_said(one)}"

    return f"reads {what(tag)}, and {other.name!r} reads {what(other)}: correct one of them, or disable it"
