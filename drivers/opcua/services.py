"""The services of a session that no sample needs: browse, write, call a method."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TypeVar

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from agent.model.errors import Garbled
from drivers.opcua.plan import chunks
from drivers.opcua.session import Session

T = TypeVar("T")

HIERARCHICAL, SUBTYPE = (
    ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences)),
    ua.NodeId(ua.Int32(ObjectIds.HasSubtype)),
)
_FORWARD, _INVERSE = ua.BrowseDirection.Forward, ua.BrowseDirection.Inverse
CLASSES = ua.NodeClass.Object | ua.NodeClass.Variable | ua.NodeClass.Method | ua.NodeClass.View
PARTS = 4 | 8 | 32  # of a reference: class, browse name and type definition of where it leads (part 4, 7.5)


async def browse(
    session: Session,
    nodes: Sequence[ua.NodeId],
    most: int,
    reference: ua.NodeId = HIERARCHICAL,
    *,
    up: bool = False,
    classes: int = CLASSES,
) -> list[ua.BrowseResult]:
    """The references of each node, at most so many at once; those of `SUBTYPE` are always followed upwards.

    `classes` are those of the nodes that they lead to: 0 for all, which is what upwards always means.
    """
    request = ua.BrowseRequest()
    request.Parameters.RequestedMaxReferencesPerNode = ua.UInt32(most)
    up = up or reference is SUBTYPE
    request.Parameters.NodesToBrowse = [
        ua.BrowseDescription(node, _INVERSE if up else _FORWARD, reference, True, 0 if up else classes, PARTS)
        for node in nodes
    ]
    return _each(session, (await session.call(request, ua.BrowseResponse)).Results, nodes)


async def browse_on(session: Session, points: Sequence[bytes], *, release: bool = False) -> list[ua.BrowseResult]:
    """What comes next of each; or let the server forget them."""
    request = ua.BrowseNextRequest()
    request.Parameters.ReleaseContinuationPoints = release
    request.Parameters.ContinuationPoints = [ua.ByteString(point) for point in points]
    response = await session.call(request, ua.BrowseNextResponse)
    return [] if release else _each(session, response.Parameters.Results, points)


async def attributes(
    session: Session, nodes: Sequence[ua.NodeId], wanted: Sequence[AttributeIds]
) -> list[list[ua.DataValue]]:
    """For each node its attributes, in the order of `wanted`; in as many requests as the server's limit takes."""
    asked = [ua.ReadValueId(NodeId=node, AttributeId=each) for node in nodes for each in wanted]
    answers: list[ua.DataValue] = []
    for chunk in chunks(asked, session.read_limit):
        request = session.read_request(())
        request.Parameters.NodesToRead = list(chunk)
        answers += await session.read(request)
    return [list(row) for row in chunks(answers, len(wanted))]


async def part(session: Session, node: ua.NodeId, of: str) -> ua.DataValue:
    """What the server gives of a node when it is asked for this range of its value alone; without one, all of it."""
    request = session.read_request([node])
    request.Parameters.NodesToRead[0].IndexRange = of or None
    (answer,) = await session.read(request)
    return answer


async def write(session: Session, node: ua.NodeId, value: ua.Variant, of: str = "") -> int:
    """The status code of the write, of a range of the node's value if told.

    Only the value goes out: many servers refuse one with a time or a status.
    """
    data = ua.DataValue(value, StatusCode=None)
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = [
        ua.WriteValue(NodeId=node, AttributeId=AttributeIds.Value, IndexRange=of or None, Value=data)
    ]
    (code,) = _each(session, (await session.call(request, ua.WriteResponse)).Results, [node])
    return int(code.value)


async def call(
    session: Session, owner: ua.NodeId, method: ua.NodeId, arguments: Sequence[ua.Variant]
) -> ua.CallMethodResult:
    """What the method of this object made of it; its status is the caller's to look at."""
    request = ua.CallRequest()
    request.Parameters.MethodsToCall = [ua.CallMethodRequest(owner, method, list(arguments))]
    results: list[ua.CallMethodResult] = _each(
        session, (await session.call(request, ua.CallResponse)).Results, [method]
    )
    return results[0]


def spelt(node: ua.NodeId, uris: Mapping[int, str]) -> str:
    """A node id as a tag has it, by the URI of its namespace where that is known; empty for one that is none."""
    text = identifier(node.Identifier)
    uri = escaped(uris.get(node.NamespaceIndex, ""))
    if not text or not node.NamespaceIndex:
        return text
    return f"nsu={uri};{text}" if uri else f"ns={node.NamespaceIndex};{text}"


def escaped(uri: str) -> str:
    """A namespace URI within a node id or a path (part 6, 5.1.12)."""
    return uri.replace("%", "%25").replace(";", "%3B")


def identifier(held: object) -> str:
    """`s=Temp`; empty for one that is none."""
    if isinstance(held, bool) or held is None or held == "":
        return ""
    if isinstance(held, int):
        return f"i={held}"
    if isinstance(held, str):
        return f"s={held}"
    return f"b={b64encode(held).decode()}" if isinstance(held, bytes) else f"g={held}"


def _each(session: Session, answers: Sequence[T] | None, asked: Sequence[object]) -> list[T]:
    found = list(answers or ())
    if len(found) != len(asked):
        raise Garbled(f"{session.endpoint}: {len(asked)} items asked, {len(found)} answered")
    return found
