"""What the values of some nodes mean: the names of an enumeration's numbers, the fields of a structure.

Asked for only where a tag wants a name or looks into a structure; all other tags cost nothing here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.encodings import Dictionaries, standard
from drivers.opcua.resolve import PROPERTY, Found, attributes, translate
from drivers.opcua.session import Session
from drivers.opcua.structs import INT32, STRUCTURE, Definition, Said, Types, definition, enum_value, learn
from drivers.opcua.values import Convert, named, within

Adapt = Callable[[Convert], Convert]
CHAIN = 16  # supertypes that are followed from a type to the built-in one at its root
BUILTIN = 25
_LISTS = ("EnumStrings", "EnumValues")
_STATES = ("FalseState", "TrueState")


async def meanings(
    session: Session, known: Dictionaries, special: Mapping[int, Found], enums: frozenset[int]
) -> tuple[dict[int, Adapt | None], dict[int, str]]:
    """By column how to convert what its node holds, and why nothing can be had from within it."""
    there = {column: found.node for column, found in special.items() if found.node is not None}
    kinds = await _kinds(session, there) if there else {}
    types = Types()
    looked = {
        c: kinds[c] for c, found in special.items() if c in kinds and any(isinstance(s, str) for s in found.inner)
    }
    await learn(types, list(looked.values()), partial(_look, session, known))
    named_ = {column: node for column, node in there.items() if column in enums}
    names = await _names(session, named_, kinds) if named_ else {}
    adapted: dict[int, Adapt | None] = {
        column: partial(_adapted, found.inner, types, names.get(column) if column in enums else None)
        for column, found in special.items()
    }
    return adapted, {column: why for column, kind in looked.items() if (why := types.missing(kind))}


async def names(session: Session, node: ua.NodeId) -> dict[int, str]:
    """The names of a node's numbers; none where the server has none."""
    nodes = {0: node}
    return (await _names(session, nodes, await _kinds(session, nodes)))[0]


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


async def _look(session: Session, known: Dictionaries, kinds: list[str]) -> list[Said]:
    """For each type what its definition says, or else a dictionary; a built-in type for one without fields."""
    names = {kind: standard(kind) or kind for kind in kinds}
    nodes = {name: ua.NodeId.from_string(name) for name in names.values() if not name.startswith("{")}
    answers = await attributes(session, nodes.values(), AttributeIds.DataTypeDefinition)
    said = {name: definition(value) for name, (value, _) in zip(nodes, answers, strict=True)}
    return [await _one(session, known, name, nodes.get(name), said.get(name)) for name in names.values()]


async def _one(
    session: Session, known: Dictionaries, kind: str, node: ua.NodeId | None, said: Definition | dict[int, str] | None
) -> Said:
    if node is None:
        return await known.named(session, kind)
    if said is not None:
        return said if isinstance(said, Definition) else INT32
    root = await _root(session, node)
    if root != STRUCTURE or kind == f"i={STRUCTURE}":
        return root or f"the server does not know its own type {kind}"
    layout = await known.described(session, node)
    return STRUCTURE if layout is None else layout


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
