"""Walk through a server's address space, level by level, so that it can be given up and gone on with at any time.

What was found is one list in the order in which it was found, and what has been looked into is its beginning: these
two are all that there is to keep. A node has one place, the first and so the shortest way to it: a server whose nodes
lie in one another in a circle is walked through once. What a server claims is not believed: a request is bounded, its
size follows how fast answers come, and names that are too long are cut.
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import DeviceError, Refused
from drivers.browsing import Place
from drivers.opcua import services
from drivers.opcua.datatypes import DataTypes
from drivers.opcua.nodes import parse
from drivers.opcua.refusal import name as status_name
from drivers.opcua.refusal import refusal
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad
from drivers.opcua.units import unit

OBJECTS = "i=85"
FIRST, MOST_AT_ONCE = 8, 200  # nodes in the first request, and in any
REFERENCES, EACH = 10_000, 50  # in one answer, and at least so many of each node
LONGEST_NAME, LONGEST_ID = 256, 1024  # characters
MOST_KINDS = 2000  # types of objects whose names are remembered
FRUITLESS = 50  # answers of one node that bring nothing new, after which it is left
_PROPERTY = ua.NodeId(ua.Int32(ObjectIds.PropertyType))
_LIMIT = ua.NodeId(ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse))
_WRITE = 2  # bit of an access level (part 3, 8.57)
_TEXT = AttributeIds.DataType, AttributeIds.ValueRank, AttributeIds.UserAccessLevel
_TOO_MANY = StatusCodes.BadNoContinuationPoints
Kind = Literal["object", "variable", "property", "method"]


@dataclass(slots=True)
class Fresh:
    """A node that was just found; `definition` is its type."""

    parent: int
    node: ua.NodeId
    name: str
    kind: Kind
    definition: ua.NodeId | None = None
    address: str = ""
    about: dict[str, Any] = field(default_factory=dict)


class Walk:
    """One session's part of a walk."""

    def __init__(self, session: Session, found: list[Place], *, most: int, answer: int = REFERENCES) -> None:
        self.found, self._session, self._most, self._answer = found, session, most, answer
        self._types = DataTypes(session)
        self._seen = {place.address for place in found}
        self._uris = {index: uri for uri, index in session.namespaces.items()}
        self._kinds: dict[ua.NodeId | None, str] = {}
        self._points: dict[int, bytes] = {}  # continuation points by the place whose children they go on with
        self._limit, self._size = min(MOST_AT_ONCE, answer // EACH), FIRST

    async def begin(self, start: str) -> None:
        """Put where it begins into the list, unless something is there. Raises ValueError."""
        ((limit,),) = await services.attributes(self._session, [_LIMIT], [AttributeIds.Value])
        announced = _held(limit)
        if isinstance(announced, int) and announced > 0:
            self._limit = min(announced, self._limit)
        if self.found:
            return
        node = self._session.resolve(parse(start))
        if node is None:
            raise Refused(f"{self._session.endpoint}: the server does not know the namespace of {start}")
        wanted = [AttributeIds.BrowseName, AttributeIds.NodeClass]
        ((name, kind),) = await services.attributes(self._session, [node], wanted)
        if name.StatusCode and is_bad(name.StatusCode.value):
            raise refusal(self._session.endpoint, f"{start}", name.StatusCode.value)
        is_object = _held(kind) not in (ua.NodeClass.Variable, ua.NodeClass.Method)
        await self._add(list(self._new([Fresh(-1, node, _name(_held(name)), "object" if is_object else "variable")])))

    async def step(self, places: Sequence[int]) -> int:
        """Look into these places, as many at once as the server takes; how many, from the first on, are done."""
        places = places[: min(self._size, self._limit)]
        began = time.monotonic()
        try:
            each = self._answer // len(places)
            results = await services.browse(self._session, [self._node(at) for at in places], each)
        except Refused:
            if len(places) == 1:
                raise
            self._limit = max(1, len(places) // 2)
            return 0
        self._pace(time.monotonic() - began)
        for count, result in enumerate(results):
            if result.StatusCode.value == _TOO_MANY and len(places) > 1:
                self._limit = max(1, len(places) // 2)
                results, places = results[:count], places[:count]
                break
        await self._take(places, results)
        return len(places)

    async def more(self) -> bool:
        """Whether there was more of the last step's places; part of it is in the list now."""
        points = dict(list(self._points.items())[: self._limit])
        if not points or len(self.found) >= self._most:
            return False
        results = await services.browse_on(self._session, list(points.values()))
        for at in points:
            del self._points[at]
        await self._take(list(points), results)
        return True

    async def close(self) -> None:
        """Let the server forget what was not asked for."""
        points, self._points = list(self._points.values()), {}
        with suppress(DeviceError):
            if points and self._session.alive:
                await services.browse_on(self._session, points, release=True)

    async def _take(self, places: Sequence[int], results: Sequence[ua.BrowseResult]) -> None:
        fresh: list[Fresh] = []
        for at, result in zip(places, results, strict=True):
            if result.ContinuationPoint:
                self._points[at] = bytes(result.ContinuationPoint)
            fresh += self._new(_reference(at, each) for each in result.References or ())
        await self._add(fresh)

    def _new(self, nodes: Iterable[Fresh]) -> Iterator[Fresh]:
        """Those that can be named and were not there before, as far as there is room."""
        for each in nodes:
            each.address = self._address(each.node)
            if each.address and each.address not in self._seen and len(self._seen) < self._most:
                self._seen.add(each.address)
                yield each

    async def _add(self, fresh: Sequence[Fresh]) -> None:
        """Learn what there is to know of them, and put them at the end."""
        await self._learn_variables([each for each in fresh if each.kind in ("variable", "property")])
        await self._learn_objects([each for each in fresh if each.kind == "object" and each.definition is not None])
        self.found += [
            Place(each.parent, each.name, each.address, each.kind, way=self._way(each.name), **each.about)
            for each in fresh
        ]
        units = [each for each in fresh if each.name == "EngineeringUnits" and self._is_variable(each.parent)]
        values = await services.attributes(self._session, [each.node for each in units], [AttributeIds.Value])
        for each, (value,) in zip(units, values, strict=True):
            self.found[each.parent] = replace(self.found[each.parent], unit=unit(_held(value)))

    async def _learn_variables(self, fresh: Sequence[Fresh]) -> None:
        rows = await services.attributes(self._session, [each.node for each in fresh], _TEXT)
        answers = [tuple(map(_held, row)) for row in rows]
        await self._types.learn(kind for kind, _, _ in answers)
        for each, (kind, rank, access) in zip(fresh, answers, strict=True):
            source, dtype = self._types.known(kind)
            source = _clean(source)
            writable = isinstance(access, int) and access & _WRITE > 0
            is_array = isinstance(rank, int) and rank >= 0
            each.about = {"type": dtype, "source": source, "array": is_array, "writable": writable}

    async def _learn_objects(self, fresh: Sequence[Fresh]) -> None:
        """The names of their types, each looked up once."""
        unknown = list({each.definition for each in fresh if each.definition not in self._kinds})
        unknown = unknown[: MOST_KINDS - len(self._kinds)]
        names = await services.attributes(self._session, unknown, [AttributeIds.BrowseName])  # type: ignore[arg-type]  # those without were left out
        for node, (name,) in zip(unknown, names, strict=True):
            self._kinds[node] = _name(_held(name)).rpartition(":")[2]
        for each in fresh:
            each.about = {"source": self._kinds.get(each.definition, "")}

    def _way(self, name: str) -> str:
        """`nsu=urn:press;Temp`, with the signs of a path escaped."""
        index, _, text = name.partition(":")
        uri = self._uris.get(int(index), "") if index.isdigit() and len(index) < 6 else ""
        return f"nsu={services.escaped(uri)};{_escaped(text)}" if uri else _escaped(name)

    def _is_variable(self, at: int) -> bool:
        return at >= 0 and self.found[at].kind == "variable"

    def _pace(self, took: float) -> None:
        """More at once while answers come fast, fewer when they take a large part of the deadline."""
        if took < self._session.timeout / 10:
            self._size = min(self._size * 2, MOST_AT_ONCE)
        elif took > self._session.timeout / 3:
            self._size = max(1, self._size // 2)

    def _node(self, at: int) -> ua.NodeId:
        return self._session.resolve(parse(self.found[at].address)) or ua.NodeId()

    def _address(self, node: ua.NodeId) -> str:
        """As a tag has it; empty for what no tag can name."""
        if isinstance(node, ua.ExpandedNodeId) and (node.ServerIndex or node.NamespaceUri):
            return ""  # on another server
        found = services.spelt(node, self._uris)
        if not found or len(found) > LONGEST_ID:
            return ""
        try:
            found.encode()  # bytes that are no text cannot stand in a file
            same = self._session.resolve(parse(found)) == ua.NodeId(node.Identifier, node.NamespaceIndex)
        except ValueError:
            return ""
        return found if same else ""


async def browse(
    session: Session,
    found: list[Place],
    expanded: int,
    *,
    start: str,
    wanted: Callable[[int], bool],
    most: int,
    answer: int = REFERENCES,
) -> AsyncGenerator[int, None]:
    """See `drivers.api.Browser.browse`; `answer` is how many references one may have."""
    walk = Walk(session, found, most=most, answer=answer)
    try:
        await walk.begin(start or OBJECTS)
        while expanded < len(found) < most:
            places: list[int] = []
            at = expanded
            while at < len(found) and len(places) < MOST_AT_ONCE:
                if found[at].kind in ("object", "variable") and wanted(at):
                    places.append(at)
                at += 1
            done = await walk.step(places) if places else 0
            fruitless = 0
            while fruitless < FRUITLESS:
                before = len(found)
                yield expanded
                if not await walk.more():
                    break
                fruitless = 0 if len(found) > before else fruitless + 1
            await walk.close()
            if len(found) < most:
                expanded = places[done] if done < len(places) else at
            yield expanded
    finally:
        await walk.close()


async def peek(session: Session, addresses: Sequence[str]) -> list[str]:
    """See `drivers.api.Browser.peek`."""
    nodes = [session.resolve(parse(address)) or ua.NodeId() for address in addresses]
    answers = await services.attributes(session, nodes, [AttributeIds.Value])
    return [_shown(value) for (value,) in answers]


def _reference(parent: int, found: ua.ReferenceDescription) -> Fresh:
    definition = found.TypeDefinition
    plain = ua.NodeId(definition.Identifier, definition.NamespaceIndex) if definition.Identifier else None
    kind: Kind = "object"
    if found.NodeClass == ua.NodeClass.Method:
        kind = "method"
    elif found.NodeClass == ua.NodeClass.Variable:
        kind = "property" if plain == _PROPERTY else "variable"
    return Fresh(parent, found.NodeId, _name(found.BrowseName), kind, plain)


def _name(held: object) -> str:
    """`2:Temp`, and `Temp` in the namespace of the standard."""
    if not isinstance(held, ua.QualifiedName):
        return "?"
    text = _clean((held.Name or "?")[:LONGEST_NAME])
    return f"{held.NamespaceIndex}:{text}" if held.NamespaceIndex else text


def _clean(text: str) -> str:
    """What is no UTF-8 can stand in no file."""
    return text.encode("utf-8", "replace").decode()


def _escaped(name: str) -> str:
    return name.replace("&", "&&").replace("/", "&/")


def _held(value: ua.DataValue) -> Any:
    if value.StatusCode and is_bad(value.StatusCode.value):
        return None
    return value.Value.Value if value.Value else None


def _shown(value: ua.DataValue) -> str:
    if value.StatusCode and is_bad(value.StatusCode.value):
        return status_name(value.StatusCode.value)
    held = value.Value.Value if value.Value else None
    if isinstance(held, ua.LocalizedText):
        held = held.Text
    text = held.hex() if isinstance(held, bytes) else str(held)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
