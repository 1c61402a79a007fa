"""Write one node, or one element of it: learn what it takes, send that, and read back what stands there then."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Value
from agent.model.tag import DType
from drivers.api import Encoded, enum_names, nothing
from drivers.opcua import meaning, services
from drivers.opcua.config import Tag
from drivers.opcua.datatypes import DataTypes
from drivers.opcua.refusal import lost, refusal
from drivers.opcua.refusal import name as status_name
from drivers.opcua.resolve import resolve
from drivers.opcua.session import Session
from drivers.opcua.spots import locate
from drivers.opcua.status import is_bad
from drivers.opcua.values import converter, named
from drivers.opcua.variants import name, single, variant

LOST = "it is not known whether the server took it: read the tag"
_NOT = "nothing was written"
_APART = "nothing was written: the server must offer the element as a node of its own"
SHOWN = 20  # names that an error lists
HINTS = {
    StatusCodes.BadNotWritable: "the server does not let this node be written",
    StatusCodes.BadUserAccessDenied: "the server does not let this user write it",
    StatusCodes.BadOutOfRange: "the server's own limits are narrower",
    StatusCodes.BadTypeMismatch: "the node takes another type than it says",
    StatusCodes.BadWriteNotSupported: "the server does not let this node be written",
    StatusCodes.BadNodeIdUnknown: "check its `node`",
    StatusCodes.BadNodeIdInvalid: "check its `node`",
}
ELEMENT = dict.fromkeys(  # what servers say that know whole arrays only
    (
        StatusCodes.BadWriteNotSupported,
        StatusCodes.BadNotSupported,
        StatusCodes.BadIndexRangeInvalid,
        StatusCodes.BadIndexRangeNoData,
        StatusCodes.BadIndexRangeDataMismatch,
    ),
    "the server does not take one element of an array by itself: it must offer the element as a node of its own",
)
_KINDS = {"bool": 1, "int8": 2, "uint8": 3, "int16": 4, "uint16": 5, "int32": 6, "uint32": 7, "int64": 8}
_KINDS |= {"uint64": 9, "float32": 10, "float64": 11, "str": 12}


@dataclass(frozen=True, slots=True)
class Target:
    """A node as it is now, or an element of it. `kind` is the number of its built-in type, `held` what stands in it.

    `of` is the range of the element (part 4, 7.27), `size` how many the array has; `names` are those of the numbers of
    an enumeration.
    """

    node: ua.NodeId
    kind: int
    held: Any
    of: str = ""
    size: int = 0
    names: Mapping[int, str] = field(default_factory=dict)

    def number(self, name_: str) -> int:
        """Raises ValueError."""
        found = [number for number, each in self.names.items() if each == name_]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"{name_!r} is the name of several numbers: {', '.join(map(str, found[:SHOWN]))}")
        known = list(map(repr, dict.fromkeys(self.names.values())))
        more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
        raise ValueError(f"{name_!r} is none of its names: {', '.join(known[:SHOWN])}{more}")


def encode(tag: Tag, value: Value) -> Encoded:
    """The value as the tag has it. Raises ValueError; what the node itself can hold is known when it is asked."""
    names = enum_names(tag)
    if isinstance(value, str) and names:
        if value not in names:
            raise ValueError(f"{value!r} is none of its names: {', '.join(names)}")
        value = names[value]
    held = variant(value, _KINDS[tag.dtype]).Value
    return Encoded(held, f"{tag.node}: {held!r}")


async def look(session: Session, tag: Tag) -> Value:
    """What stands there, as a scan would have it. Raises Refused, Unreachable and Garbled."""
    return _shown(tag, await _target(session, tag))


async def write(session: Session, tag: Tag, value: Value, leaving: Callable[[], None] = nothing) -> Value:
    """The value that was read back. Raises Refused when nothing was written; otherwise the error says what is known."""
    meant = encode(tag, value).value
    target = await _target(session, tag)
    try:
        sent = variant(target.number(str(meant)) if tag.type == "enum" else meant, target.kind)
    except ValueError as error:
        raise Refused(f"{session.endpoint}: {tag.name}: {error}", hint=_NOT) from error
    if target.of:
        await _is_alone(session, tag, target)
    given = _alone(sent, target.of) if target.of else sent
    leaving()
    try:
        code = await services.write(session, target.node, given, target.of)
    except (Unreachable, Garbled) as error:
        raise type(error)(error.message, hint=LOST) from error
    if is_bad(code):
        doing = f"{tag.name}: writing a {name(target.kind)}"
        raise refused(session.endpoint, doing, code, ELEMENT if target.of else {})
    try:
        found = await _target(session, tag, target.names)
    except DeviceError as error:
        raise Unreachable(f"written, but it cannot be read back: {error.message}", hint=error.hint) from error
    if found.size != target.size:
        raise Garbled(
            f"{session.endpoint}: {tag.name}: one element was written, and the array has {found.size} instead of "
            f"{target.size} now",
            hint="look at the array on the server: it may have taken the element for the whole",
        )
    same = found.held == sent.Value or (isinstance(found.held, ua.LocalizedText) and found.held.Text == meant)
    return meant if same else _shown(tag, found)


def refused(endpoint: str, doing: str, code: int, hints: Mapping[int, str] | None = None) -> DeviceError:
    """The error of a write or a call that the server answered with a bad code; `hints` go before the usual ones."""
    if lost(code):
        return Unreachable(f"{endpoint}: {doing}: {status_name(code)}", hint=LOST)
    return Refused(f"{endpoint}: {doing}: {status_name(code)}", hint=(hints or {}).get(code) or HINTS.get(code, _NOT))


async def _is_alone(session: Session, tag: Tag, target: Target) -> None:
    """Some servers ignore which element is meant, and would put it in place of the whole array. They ignore it in a
    read, too, so that is tried first."""
    answer = await services.part(session, target.node, target.of)
    code = answer.StatusCode.value if answer.StatusCode else 0
    if is_bad(code):
        raise refused(session.endpoint, f"{tag.name}: element {target.of} alone", code, ELEMENT)
    held = answer.Value
    if held is None or not held.is_array or _length(held.Value) != 1:
        raise Refused(f"{session.endpoint}: {tag.name}: the server ignores which element is meant", hint=_APART)


async def _target(session: Session, tag: Tag, names: Mapping[int, str] | None = None) -> Target:
    (found,) = await resolve(session, [locate(tag.node)])
    node = found.node
    if node is None:
        raise Refused(f"{session.endpoint}: {tag.name}: {found.why}", hint="check its `node`")
    if any(isinstance(step, str) for step in found.inner):
        raise Refused(f"{session.endpoint}: {tag.name}: a field of a structure cannot be written", hint=_NOT)
    if len(found.inner) > 1:
        raise Refused(f"{session.endpoint}: {tag.name}: an element within an element cannot be written", hint=_NOT)
    wanted = [AttributeIds.DataType, AttributeIds.ValueRank, AttributeIds.Value]
    ((declared, rank, value),) = await services.attributes(session, [node], wanted)
    code = declared.StatusCode.value if declared.StatusCode else 0
    if is_bad(code):
        raise refusal(session.endpoint, tag.name, code)
    held = value.Value
    kind = int(held.VariantType.value) if held is not None and held.Value is not None else 0
    is_array = (held is not None and held.is_array) or (kind == 0 and _rank(rank) >= 0)
    if is_array and not found.inner:
        hint = "only its elements can be: write the element's number behind the tag's `node`, as in [3]"
        raise Refused(f"{session.endpoint}: {tag.name}: an array cannot be written", hint=hint)
    types = DataTypes(session)
    await types.learn([declared.Value.Value if declared.Value else None])
    kind = kind or types.builtin(declared.Value.Value if declared.Value else None)
    if (kind == 0 or (kind == 24 and not found.inner)) and tag.type and tag.type != "enum":
        kind = _KINDS[tag.dtype]
    known = names
    if tag.type == "enum" and known is None:
        known = await meaning.names(session, node)
        if not known:
            hint = "give the tag the type int32, and write the number"
            raise Refused(f"{session.endpoint}: {tag.name}: the server has no names for its numbers", hint=hint)
    if not found.inner:
        return Target(node, kind, held.Value if held is not None else None, names=known or {})
    of, size, element = _element(f"{session.endpoint}: {tag.name}", int(found.inner[0]), held)
    return Target(node, kind, element, of, size, known or {})


def _element(where: str, index: int, held: ua.Variant | None) -> tuple[str, int, Any]:
    """The range of an element, how many there are, and what stands in it. Several dimensions count as one long one."""
    if held is None or not held.is_array:
        raise Refused(f"{where}: it is no array now", hint="check the tag's `node`")
    size = len(held.Value)
    dimensions: list[int] = list(held.Dimensions or [])
    if math.prod(dimensions) != size or not dimensions:
        dimensions = [size]
    if index >= size:
        raise Refused(f"{where}: there is no element {index}: the array has {size}, counted from 0", hint=_NOT)
    element = held.Value[index]
    places: list[int] = []
    for length in reversed(dimensions):
        index, place = divmod(index, length)
        places.append(place)
    return ",".join(map(str, reversed(places))), size, element


def _alone(value: ua.Variant, of: str) -> ua.Variant:
    """An array of one element, of as many dimensions as its range has."""
    held: Any = value.Value
    dimensions = [ua.Int32(1)] * len(of.split(","))
    for _ in dimensions:
        held = [held]
    return ua.Variant(held, value.VariantType, dimensions if len(dimensions) > 1 else None, is_array=True)


def _length(held: object) -> int:
    """How many elements a list of lists has."""
    return sum(map(_length, held)) if isinstance(held, list) else 1


def _rank(value: ua.DataValue) -> int:
    held = value.Value.Value if value.Value else None
    return held if isinstance(held, int) else -1


def _shown(tag: Tag, target: Target) -> Value:
    return named(target.names)(target.held) if tag.type == "enum" else _as(tag.dtype, target.held)


def _as(dtype: DType, held: object) -> Value:
    if isinstance(held, ua.LocalizedText):
        held = held.Text
    if isinstance(held, datetime):
        held = held.isoformat().replace("+00:00", "Z")
    found = converter(dtype)(held)
    if found is None and held is not None and dtype == "str":
        return held.hex() if isinstance(held, bytes) else str(held)
    if dtype == "float32" and isinstance(found, float) and math.isfinite(found):
        return single(found)
    return found
