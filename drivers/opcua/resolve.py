"""Find a session's nodes: browse paths, and names that may be a node or a place within one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Garbled
from drivers.opcua.notify import Batch
from drivers.opcua.refusal import ServiceRefused, name
from drivers.opcua.session import Session
from drivers.opcua.spots import BrowsePath, Spot, Step, shorter
from drivers.opcua.status import is_bad

ROOT = ua.NodeId(ua.Int32(ObjectIds.RootFolder))
HIERARCHICAL, PROPERTY = (
    ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences)),
    ua.NodeId(ua.Int32(ObjectIds.HasProperty)),
)
CUTS = 4  # times that a name is shortened in search of its node
_UNKNOWN = StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid, StatusCodes.BadNoMatch
Names = Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Found:
    """A node in a session and the place within it; without a node, why there is none."""

    node: ua.NodeId | None
    inner: tuple[Step, ...] = ()
    why: str = ""


async def resolve(session: Session, spots: Sequence[Spot]) -> list[Found]:
    """Each spot's node. One whose node the server does not know keeps its id: it may come."""
    found = await _nodes(session, spots)
    open_ = [place for place, spot in enumerate(spots) if shorter(spot) is not None]
    unknown = await _unknown(session, [(place, found[place].node) for place in open_])
    trial = {place: spots[place] for place in unknown}
    for _ in range(CUTS):
        trial = {place: cut for place, spot in trial.items() if (cut := shorter(spot)) is not None}
        if not trial:
            break
        tried = dict(zip(trial, await _nodes(session, list(trial.values())), strict=True))
        still = set(await _unknown(session, [(place, each.node) for place, each in tried.items()]))
        found_now = {place: each for place, each in tried.items() if place not in still}
        for place, each in found_now.items():
            found[place] = each
        trial = {place: spot for place, spot in trial.items() if place in still}
    return found


async def translate(session: Session, wanted: Sequence[tuple[ua.NodeId, Names, ua.NodeId]]) -> list[ua.NodeId | str]:
    """Where each path (start, names, kind of reference) leads, or the name of the status that says it does not."""
    answers: list[ua.NodeId | str] = []
    left = list(wanted)
    while left:
        chunk = left[: session.limits.of("translate")]
        request = ua.TranslateBrowsePathsToNodeIdsRequest()
        request.Parameters.BrowsePaths = [_path(*each) for each in chunk]
        try:
            response = await session.call(request, ua.TranslateBrowsePathsToNodeIdsResponse)
        except ServiceRefused as error:
            if not session.limits.learn("translate", error.code, len(chunk)):
                answers += [name(error.code)] * len(chunk)
                del left[: len(chunk)]
            continue
        if len(response.Results or ()) != len(chunk):
            raise Garbled(f"{session.endpoint}: {len(chunk)} paths asked, {len(response.Results or ())} answered")
        answers += [_target(result) for result in response.Results]
        del left[: len(chunk)]
    return answers


async def attributes(session: Session, nodes: Iterable[ua.NodeId], attribute: AttributeIds) -> list[tuple[object, int]]:
    """This attribute of each node, with its status code."""
    answers: list[tuple[object, int]] = []
    left = list(nodes)
    while left:
        chunk = left[: session.limits.of("read")]
        request = session.read_request(chunk)
        for each in request.Parameters.NodesToRead:
            each.AttributeId = attribute
        try:
            batch = await session.fetch(request)
        except ServiceRefused as error:
            if not session.limits.learn("read", error.code, len(chunk)):
                answers += [(None, error.code)] * len(chunk)
                del left[: len(chunk)]
            continue
        answers += zip(batch.values, _codes(batch), strict=True)
        del left[: len(chunk)]
    return answers


async def _nodes(session: Session, spots: Sequence[Spot]) -> list[Found]:
    found: list[Found] = []
    paths: list[tuple[int, Names]] = []
    for place, spot in enumerate(spots):
        if isinstance(spot.node, BrowsePath):
            indices = [session.index(space) for space, _ in spot.node.names]
            names = [
                (index, name_) for index, (_, name_) in zip(indices, spot.node.names, strict=True) if index is not None
            ]
            strange = spot.node.names[indices.index(None)][0] if None in indices else None
            found.append(Found(None, spot.inner, "" if strange is None else _no_namespace(strange)))
            if strange is None:
                paths.append((place, names))
            continue
        node = session.resolve(spot.node)
        found.append(Found(node, spot.inner, "" if node else _no_namespace(spot.node.namespace)))
    ends = await translate(session, [(ROOT, names, HIERARCHICAL) for _, names in paths])
    for (place, _), end in zip(paths, ends, strict=True):
        inner = spots[place].inner
        found[place] = Found(None, inner, end) if isinstance(end, str) else Found(end, inner)
    return found


async def _unknown(session: Session, nodes: Sequence[tuple[int, ua.NodeId | None]]) -> list[int]:
    """The places whose node the server does not know."""
    asked = [(place, node) for place, node in nodes if node is not None]
    answers = await attributes(session, [node for _, node in asked], AttributeIds.NodeClass)
    missing = [place for place, node in nodes if node is None]
    return missing + [place for (place, _), (_, code) in zip(asked, answers, strict=True) if code in _UNKNOWN]


def _path(start: ua.NodeId, names: Names, reference: ua.NodeId) -> ua.BrowsePath:
    elements = [
        ua.RelativePathElement(reference, False, True, ua.QualifiedName(name_, _uint16(index)))  # type: ignore[arg-type]  # asyncua has no Boolean but Python's
        for index, name_ in names
    ]
    return ua.BrowsePath(start, ua.RelativePath(elements))


def _uint16(number: int) -> Any:
    return ua.UInt16(number)


def _target(result: ua.BrowsePathResult) -> ua.NodeId | str:
    code = result.StatusCode.value
    ends = [] if is_bad(code) else [end for end in result.Targets or () if end.RemainingPathIndex == 0xFFFFFFFF]
    if not ends:
        return f"its path leads nowhere: {name(code if is_bad(code) else StatusCodes.BadNoMatch)}"
    end = ends[0].TargetId
    return ua.NodeId(end.Identifier, end.NamespaceIndex, end.NodeIdType)


def _codes(batch: Batch) -> Sequence[int]:
    return batch.codes or bytes(len(batch))


def _no_namespace(space: int | str) -> str:
    return f"the server has no namespace {space}"
