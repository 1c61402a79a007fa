"""Call a method: learn what it takes, hand it that in its own types, and make values of what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaprotocol_auto import Argument as DeclaredArgument

from agent.model.errors import Garbled, Refused, Unreachable
from agent.model.frame import Value
from drivers.api import Argument
from drivers.opcua import services
from drivers.opcua.calling import Method
from drivers.opcua.datatypes import STANDARD, DataTypes
from drivers.opcua.events import text
from drivers.opcua.nodes import parse
from drivers.opcua.refusal import name as status_name
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad
from drivers.opcua.variants import ABSTRACT, name, variant
from drivers.opcua.writes import refused

LOST = "it is not known whether the server did it"
MOST = 64  # arguments
_PROPERTY = ua.NodeId(ua.Int32(ObjectIds.HasProperty))


@dataclass(frozen=True, slots=True)
class Signature:
    """What a method takes; `kinds` are the numbers of built-in types."""

    owner: ua.NodeId
    node: ua.NodeId
    arguments: tuple[Argument, ...]
    kinds: tuple[int, ...]


async def signature(session: Session, method: Method) -> Signature:
    """Raises Refused, Unreachable and Garbled."""
    owner, node = (_resolved(session, method, text) for text in (method.object, method.node))
    (properties,) = await services.browse(session, [node], 100, _PROPERTY)
    if is_bad(properties.StatusCode.value):
        raise Refused(_said(session, method, status_name(properties.StatusCode.value)), hint="check its `node`")
    held = await _input(session, properties.References or ())
    types = DataTypes(session)
    await types.learn(each.DataType for each in held)
    kinds = tuple(types.builtin(each.DataType) for each in held)
    kinds = tuple(ABSTRACT.get(kind, kind) for kind in kinds)
    for each in held:
        if each.ValueRank >= 0:
            raise Refused(_said(session, method, f"{each.Name} is an array, which cannot be given here"))
    arguments = tuple(
        Argument(each.Name or f"argument {place}", STANDARD.get(kind, ("", ""))[1] or "str", name(kind))
        for place, (each, kind) in enumerate(zip(held, kinds, strict=True), 1)
    )
    return Signature(owner, node, arguments, kinds)


async def call(session: Session, method: Method, values: Sequence[Value]) -> list[Value]:
    """What it gave back. Raises Refused when it was not done; otherwise the error says what is known."""
    known = await signature(session, method)
    if len(values) != len(known.kinds):
        raise Refused(_said(session, method, f"takes {len(known.kinds)} arguments, not {len(values)}"))
    given = []
    for argument, kind, value in zip(known.arguments, known.kinds, values, strict=True):
        try:
            given.append(variant(value, kind))
        except ValueError as error:
            raise Refused(_said(session, method, f"{argument.name}: {error}"), hint="nothing was called") from error
    try:
        result = await services.call(session, known.owner, known.node, given)
    except (Unreachable, Garbled) as error:
        raise type(error)(error.message, hint=LOST) from error
    code = result.StatusCode.value
    if is_bad(code):
        wrong = zip(known.arguments, result.InputArgumentResults or (), strict=False)
        names = [f"{argument.name}: {status_name(each.value)}" for argument, each in wrong if is_bad(each.value)]
        raise refused(session.endpoint, ", ".join([f"calling {method.name}", *names]), code)
    return [_value(each) for each in result.OutputArguments or ()]


async def _input(session: Session, found: Sequence[ua.ReferenceDescription]) -> list[DeclaredArgument]:
    nodes = [each.NodeId for each in found if each.BrowseName.Name == "InputArguments"]
    if not nodes:
        return []
    ((value,),) = await services.attributes(session, nodes[:1], [AttributeIds.Value])
    held = value.Value.Value if value.Value else None
    arguments = [each for each in held if isinstance(each, DeclaredArgument)] if isinstance(held, list) else []
    if not isinstance(held, list) or len(arguments) != len(held) or len(held) > MOST:
        raise Garbled(f"{session.endpoint}: the method's InputArguments are none")
    return arguments


def _resolved(session: Session, method: Method, text: str) -> ua.NodeId:
    node = session.resolve(parse(text))
    if node is None:
        raise Refused(_said(session, method, f"the server does not know the namespace of {text}"))
    return node


def _value(held: ua.Variant) -> Value:
    value = held.Value
    return value if value is None or isinstance(value, bool | int | float | str) else text(value)


def _said(session: Session, method: Method, what: str) -> str:
    return f"{session.endpoint}: {method.name}: {what}"
