"""What the values of some nodes mean: the names of an enumeration's numbers, the fields of a structure.

Asked for only where a tag wants a name or looks into a structure; all other tags cost nothing here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.resolve import PROPERTY, Found, attributes, translate
from drivers.opcua.session import Session
from drivers.opcua.structs import INT32, Definition, Types, definition, enum_value, learn
from drivers.opcua.values import Convert, named, within

Adapt = Callable[[Convert], Convert]
CHAIN = 16  # supertypes that are followed from a type to the built-in one at its root
BUILTIN = 25
_LISTS = ("EnumStrings", "EnumValues")
_STATES = ("FalseState", "TrueState")


async def meanings(session: Session, special: Mapping[int, Found], enums: frozenset[int]) -> dict[int, Adapt | None]:
    """By column how to convert what its node holds; None for one without a node."""
    there = {column: found.node for column, found in special.items() if found.node is not None}
    kinds = await _kinds(session, there) if there else {}
    types = Types()
    looked = [kinds[c] for c, found in special.items() if c in kinds and any(isinstance(s, str) for s in found.inner)]
    await learn(types, looked, partial(_look, session))
    named_ = {column: node for column, node in there.items() if column in enums}
    names = await _names(session, named_, kinds) if named_ else {}
    return {
        column: partial(_adapted, found.inner, types, names.get(column) if column in enums else None)
        for column, found in special.items()
    }


def _adapted(inner: Sequence[int | str], types: Types, names: Mapping[int, str] | None, usual: Convert) -> Convert:
    convert = usual if names is None else named(names)
    return within(inner, convert, types.fields) if inner else convert


async def _kinds(session: Session, nodes: Mapping[int, ua.NodeId]) -> dict[int, str]:
    """The data type of each node, as the text of its node id."""
    answers = await attributes(session, nodes.values(), AttributeIds.DataType)
    return {column: value for column, (value, _) in zip(nodes, answers, strict=True) if isinstance(value, str)}


async def _names(
    session: Session, nodes: Mapping[int, ua.NodeId], kinds: Mapping[int, str]
) -> dict[int, dict[int, str]]:
    """The names of the numbers of each column: the node's own, or else those of its type."""
    types = {kind: ua.NodeId.from_string(kind) for column, kind in kinds.items() if column in nodes}
    starts: list[ua.NodeId] = [*nodes.values(), *types.values()]
    wanted = [(start, name) for start in starts for name in (*_LISTS, *_STATES)]
    ends = await translate(session, [(start, [(0, name)], PROPERTY) for start, name in wanted])
    places = [place for place, end in enumerate(ends) if not isinstance(end, str)]
    held = await attributes(session, [end for end in ends if not isinstance(end, str)], AttributeIds.Value)
    said = {place: value for place, (value, _) in zip(places, held, strict=True)}
    width = len(_LISTS) + len(_STATES)
    lists = [_listed([said.get(start * width + each) for each in range(width)]) for start in range(len(starts))]
    definitions = await attributes(session, types.values(), AttributeIds.DataTypeDefinition)
    by_type = {}
    for kind, listed, (value, _) in zip(types, lists[len(nodes) :], definitions, strict=True):
        found = definition(value)
        by_type[kind] = listed or (found if isinstance(found, dict) else {})
    own = dict(zip(nodes, lists, strict=False))
    return {column: own[column] or by_type.get(kinds.get(column, ""), {}) for column in nodes}


def _listed(held: Sequence[object]) -> dict[int, str]:
    texts, pairs, false, true = held
    if isinstance(pairs, list):
        return dict(pair for each in pairs if (pair := enum_value(each)) is not None)
    if isinstance(texts, list):
        return {number: str(each) for number, each in enumerate(texts)}
    return {0: str(false), 1: str(true)} if false is not None and true is not None else {}


async def _look(session: Session, kinds: list[str]) -> list[Definition | int]:
    """For each type what its definition says; a built-in type for one without fields, 0 for one that nobody knows."""
    nodes = [ua.NodeId.from_string(kind) for kind in kinds]
    answers = await attributes(session, nodes, AttributeIds.DataTypeDefinition)
    found: list[Definition | int] = []
    for node, (value, _) in zip(nodes, answers, strict=True):
        said = definition(value)
        if isinstance(said, Definition):
            found.append(said)
        else:
            found.append(INT32 if said is not None else await _root(session, node))
    return found


async def _root(session: Session, node: ua.NodeId) -> int:
    """The built-in type that a type comes from."""
    for _ in range(CHAIN):
        number = node.Identifier
        if node.NamespaceIndex == 0 and isinstance(number, int):
            if number <= BUILTIN:
                return number
            if number == ObjectIds.Enumeration:
                return INT32
        request = ua.BrowseRequest()
        request.Parameters.NodesToBrowse = [
            ua.BrowseDescription(
                node, ua.BrowseDirection.Inverse, ua.NodeId(ua.Int32(ObjectIds.HasSubtype)), True, ua.UInt32(0)
            )
        ]
        results = (await session.call(request, ua.BrowseResponse)).Results
        above = results[0].References if results else None
        if not above:
            return 0
        end = above[0].NodeId
        node = ua.NodeId(end.Identifier, end.NamespaceIndex, end.NodeIdType)
    return 0
