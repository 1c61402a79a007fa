"""The way from a data type to its layout where there is no definition of it: encoding, description, dictionary.

As servers before OPC UA 1.04 have it (part 3, annex D): the data type HasEncoding `Default Binary`, which
HasDescription a variable that holds the type's name in the dictionary that it is a component of.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from agent.model.errors import Refused
from drivers.opcua import services
from drivers.opcua.binary import Malformed
from drivers.opcua.dictionary import STANDARD, Dictionary, key, parse
from drivers.opcua.layouts import Layout
from drivers.opcua.refusal import name
from drivers.opcua.resolve import PROPERTY, attributes, translate
from drivers.opcua.services import spelt
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad

ENCODING, DESCRIPTION, COMPONENT = (
    ua.NodeId(ua.Int32(number)) for number in (ObjectIds.HasEncoding, ObjectIds.HasDescription, ObjectIds.HasComponent)
)
SYSTEM = ua.NodeId(ua.Int32(ObjectIds.OPCBinarySchema_TypeSystem))
BINARY = "Default Binary"
PIECE = 64 << 10  # bytes of a dictionary that are asked for at once, so that a slow server has them in time
LONGEST = 16 << 20  # bytes of a dictionary
MOST = 1000  # references of a node that are looked at


class Dictionaries:
    """What a server has said in its dictionaries in this session; each is read once, and again after `forget`."""

    def __init__(self) -> None:
        self._held: dict[str, Dictionary | str] = {}  # by node id; text: why it is not to be had
        self._spaces: dict[str, list[ua.NodeId]] | None = None  # the dictionaries of each namespace

    def forget(self) -> None:
        """The server may have others now."""
        self._held.clear()
        self._spaces = None

    async def described(self, session: Session, node: ua.NodeId) -> Layout | str | None:
        """The layout of a data type, or why it is not known; None where the type has no encoding of its own."""
        encodings = await _references(session, node, ENCODING)
        encoding = next((each.NodeId for each in encodings if _called(each) == BINARY), None)
        if encoding is None:
            return None
        descriptions = await _references(session, encoding, DESCRIPTION)
        if not descriptions:
            return f"the server does not describe its type {spelt(node, {})}"
        found: Layout | str = ""
        for each in descriptions:
            found = await self._layout(session, each)
            if isinstance(found, Layout):
                return replace(found, encoding=spelt(encoding, {}))
        return found

    async def named(self, session: Session, kind: str) -> Layout | int | str:
        """What a type is that a dictionary has by this `key`, or why that is not known."""
        found = self._find(kind)
        if found is None:
            space = kind[1:].partition("}")[0]
            for each in (await self._by_space(session)).get(space, ()):
                await self._read(session, each)
            found = self._find(kind)
        return f"none of the server's dictionaries has the type {kind}" if found is None else found

    def _find(self, kind: str) -> Layout | int | None:
        held = (each.types for each in self._held.values() if isinstance(each, Dictionary))
        return next((types[kind] for types in held if kind in types), None)

    async def _layout(self, session: Session, description: ua.ReferenceDescription) -> Layout | str:
        """What the dictionary of this description has by the name that it holds."""
        node = _plain(description.NodeId)
        above = await _references(session, node, COMPONENT, up=True)
        ((held, _),) = await attributes(session, [node], AttributeIds.Value)
        called = held if isinstance(held, str) and held else _called(description)
        why = f"the description {spelt(node, {})} lies in no dictionary"
        for each in above:
            found = await self._read(session, _plain(each.NodeId))
            if isinstance(found, str):
                why = found
                continue
            said = found.types.get(key(found.namespace, called))
            if isinstance(said, Layout):
                return said
            where = spelt(_plain(each.NodeId), {})
            why = f"the dictionary {where} has no structure {called!r}, or one that cannot be read"
        return why

    async def _by_space(self, session: Session) -> dict[str, list[ua.NodeId]]:
        """The dictionaries of the server by the namespace that each says, or else lies in."""
        if self._spaces is None:
            nodes = [_plain(each.NodeId) for each in await _references(session, SYSTEM, COMPONENT)]
            ends = await translate(session, [(node, [(0, "NamespaceUri")], PROPERTY) for node in nodes])
            asked = [end for end in ends if not isinstance(end, str)]
            said = iter(await attributes(session, asked, AttributeIds.Value))
            uris = {index: uri for uri, index in session.namespaces.items()}
            self._spaces = {}
            for node, end in zip(nodes, ends, strict=True):
                uri = None if isinstance(end, str) else next(said)[0]
                space = uri if isinstance(uri, str) and uri else uris.get(node.NamespaceIndex, "")
                self._spaces.setdefault(space, []).append(node)
        return self._spaces

    async def _read(self, session: Session, node: ua.NodeId) -> Dictionary | str:
        where = spelt(node, {})
        if where not in self._held:
            text = await _text(session, node)
            try:
                self._held[where] = text if isinstance(text, str) else await asyncio.to_thread(parse, text)
            except Malformed as error:
                self._held[where] = f"the dictionary {where} cannot be read: {error}"
        return self._held[where]


def standard(kind: str) -> str | None:
    """The node id of a type of the standard that a dictionary names; None for any other."""
    called = kind.removeprefix(key(STANDARD, ""))
    number = getattr(ObjectIds, called, None) if called != kind else None
    return f"i={number}" if isinstance(number, int) else None


async def _text(session: Session, node: ua.NodeId) -> bytes | str:
    """The text of a dictionary, piece by piece where the server can do that; or why there is none."""
    whole = bytearray()
    while len(whole) <= LONGEST:
        piece = await _piece(session, node, f"{len(whole)}:{len(whole) + PIECE - 1}")
        if isinstance(piece, str):
            if whole:
                return bytes(whole)  # the piece before was the last
            return _or_why(await _piece(session, node, ""), node)
        whole += piece
        if len(piece) != PIECE:
            return bytes(whole)  # the last one, or a server that gives the whole whatever is asked for
    return f"the dictionary {spelt(node, {})} has more than {LONGEST:,} bytes"


def _or_why(text: bytes | str, node: ua.NodeId) -> bytes | str:
    return f"the dictionary {spelt(node, {})} is not to be had: {text}" if isinstance(text, str) else text


async def _piece(session: Session, node: ua.NodeId, of: str) -> bytes | str:
    """A part of a node's bytes, or all of them; or why there are none."""
    try:
        answer = await services.part(session, node, of)
    except Refused as error:
        return str(error)
    code = answer.StatusCode.value if answer.StatusCode else 0
    held = answer.Value.Value if answer.Value else None
    if is_bad(code):
        return name(code)
    if isinstance(held, str):
        held = held.encode()
    return held if isinstance(held, bytes) and held else "it is empty"


async def _references(
    session: Session, node: ua.NodeId, reference: ua.NodeId, *, up: bool = False
) -> Sequence[ua.ReferenceDescription]:
    (found,) = await services.browse(session, [_plain(node)], MOST, reference, up=up, classes=0)
    return found.References or ()


def _called(reference: ua.ReferenceDescription) -> str:
    return reference.BrowseName.Name or "" if reference.BrowseName else ""


def _plain(node: ua.NodeId) -> ua.NodeId:
    """A node id without what an expanded one has beyond it."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
