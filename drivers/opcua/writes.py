"""Write one node: learn what it takes, send that, and read back what stands there then."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Value
from agent.model.tag import DType
from drivers.api import Encoded, enum_names, nothing
from drivers.opcua import services
from drivers.opcua.config import Tag
from drivers.opcua.datatypes import DataTypes
from drivers.opcua.refusal import lost, refusal
from drivers.opcua.refusal import name as status_name
from drivers.opcua.resolve import resolve
from drivers.opcua.session import Session
from drivers.opcua.spots import locate
from drivers.opcua.status import is_bad
from drivers.opcua.values import converter
from drivers.opcua.variants import name, single, variant

LOST = "it is not known whether the server took it: read the tag"
_NOT = "nothing was written"
HINTS = {
    StatusCodes.BadNotWritable: "the server does not let this node be written",
    StatusCodes.BadUserAccessDenied: "the server does not let this user write it",
    StatusCodes.BadOutOfRange: "the server's own limits are narrower",
    StatusCodes.BadTypeMismatch: "the node takes another type than it says",
    StatusCodes.BadWriteNotSupported: "the server does not let this node be written",
    StatusCodes.BadNodeIdUnknown: "check its `node`",
    StatusCodes.BadNodeIdInvalid: "check its `node`",
}
_KINDS = {"bool": 1, "int8": 2, "uint8": 3, "int16": 4, "uint16": 5, "int32": 6, "uint32": 7, "int64": 8}
_KINDS |= {"uint64": 9, "float32": 10, "float64": 11, "str": 12}


@dataclass(frozen=True, slots=True)
class Target:
    """A node as it is now. `kind` is the number of its built-in type, `held` what stands in it."""

    node: ua.NodeId
    kind: int
    held: Any


def encode(tag: Tag, value: Value) -> Encoded:
    """The value as the tag has it. Raises ValueError; what the node itself can hold is known when it is asked."""
    if tag.type == "enum":
        raise ValueError("a tag of the type enum cannot be written: give it the type int32, and write the number")
    names = enum_names(tag)
    if isinstance(value, str) and names:
        if value not in names:
            raise ValueError(f"{value!r} is none of its names: {', '.join(names)}")
        value = names[value]
    held = variant(value, _KINDS[tag.dtype]).Value
    return Encoded(held, f"{tag.node}: {held!r}")


async def look(session: Session, tag: Tag) -> Value:
    """What stands there, as a scan would have it. Raises Refused, Unreachable and Garbled."""
    target = await _target(session, tag)
    return _as(tag.dtype, target.held)


async def write(session: Session, tag: Tag, value: Value, leaving: Callable[[], None] = nothing) -> Value:
    """The value that was read back. Raises Refused when nothing was written; otherwise the error says what is known."""
    meant = encode(tag, value).value
    target = await _target(session, tag)
    try:
        sent = variant(meant, target.kind)
    except ValueError as error:
        raise Refused(f"{session.endpoint}: {tag.name}: {error}", hint=_NOT) from error
    leaving()
    try:
        code = await services.write(session, target.node, sent)
    except (Unreachable, Garbled) as error:
        raise type(error)(error.message, hint=LOST) from error
    if is_bad(code):
        doing = f"{tag.name}: writing a {name(target.kind)}"
        raise refused(session.endpoint, doing, code)
    try:
        found = (await _target(session, tag)).held
    except DeviceError as error:
        raise Unreachable(f"written, but it cannot be read back: {error.message}", hint=error.hint) from error
    same = found == sent.Value or (isinstance(found, ua.LocalizedText) and found.Text == meant)
    return meant if same else _as(tag.dtype, found)


def refused(endpoint: str, doing: str, code: int) -> DeviceError:
    """The error of a write or a call that the server answered with a bad code."""
    if lost(code):
        return Unreachable(f"{endpoint}: {doing}: {status_name(code)}", hint=LOST)
    return Refused(f"{endpoint}: {doing}: {status_name(code)}", hint=HINTS.get(code, _NOT))


async def _target(session: Session, tag: Tag) -> Target:
    (found,) = await resolve(session, [locate(tag.node)])
    node = found.node
    if node is None:
        raise Refused(f"{session.endpoint}: {tag.name}: {found.why}", hint="check its `node`")
    if found.inner:
        raise Refused(f"{session.endpoint}: {tag.name}: a part of a node cannot be written", hint=_NOT)
    wanted = [AttributeIds.DataType, AttributeIds.ValueRank, AttributeIds.Value]
    ((declared, rank, value),) = await services.attributes(session, [node], wanted)
    code = declared.StatusCode.value if declared.StatusCode else 0
    if is_bad(code):
        raise refusal(session.endpoint, tag.name, code)
    held = value.Value
    kind = int(held.VariantType.value) if held is not None and held.Value is not None else 0
    if (held is not None and held.is_array) or (kind == 0 and _rank(rank) >= 0):
        raise Refused(f"{session.endpoint}: {tag.name}: an array cannot be written", hint=_NOT)
    types = DataTypes(session)
    await types.learn([declared.Value.Value if declared.Value else None])
    kind = kind or types.builtin(declared.Value.Value if declared.Value else None)
    if kind in (0, 24) and tag.type:
        kind = _KINDS[tag.dtype]
    return Target(node, kind, held.Value if held is not None else None)


def _rank(value: ua.DataValue) -> int:
    held = value.Value.Value if value.Value else None
    return held if isinstance(held, int) else -1


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
