"""Which type a tag of a node has: the built-in type at the root of the node's own data type (part 6, 5.1.2)."""

from collections.abc import Iterable

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from drivers.opcua import services
from drivers.opcua.session import Session

# by the number of the data type in the standard's namespace: (its name, the type of a tag; empty: it cannot be one)
STANDARD: dict[int, tuple[str, str]] = {
    1: ("Boolean", "bool"),
    2: ("SByte", "int8"),
    3: ("Byte", "uint8"),
    4: ("Int16", "int16"),
    5: ("UInt16", "uint16"),
    6: ("Int32", "int32"),
    7: ("UInt32", "uint32"),
    8: ("Int64", "int64"),
    9: ("UInt64", "uint64"),
    10: ("Float", "float32"),
    11: ("Double", "float64"),
    12: ("String", "str"),
    13: ("DateTime", "str"),
    14: ("Guid", "str"),
    15: ("ByteString", "str"),
    16: ("XmlElement", "str"),
    17: ("NodeId", "str"),
    18: ("ExpandedNodeId", "str"),
    19: ("StatusCode", "str"),
    20: ("QualifiedName", "str"),
    21: ("LocalizedText", "str"),
    22: ("Structure", ""),
    23: ("DataValue", ""),
    24: ("BaseDataType", ""),
    25: ("DiagnosticInfo", ""),
    26: ("Number", "float64"),
    27: ("Integer", "int64"),
    28: ("UInteger", "uint64"),
    29: ("Enumeration", "int32"),
}
DEEPEST = 20  # levels of subtypes that are followed
MOST = 2000  # data types that are remembered


class DataTypes:
    """Those of one session, each looked up once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[ua.NodeId, tuple[str, int]] = {}

    def known(self, node: object) -> tuple[str, str]:
        """Its name, and the type of a tag; empty when it cannot be one, or was not learnt."""
        number = _standard(node)
        if number or not isinstance(node, ua.NodeId):
            return STANDARD.get(number, ("", ""))
        name, number = self._known.get(node, ("", 0))
        return name, STANDARD.get(number, ("", ""))[1]

    def builtin(self, node: object) -> int:
        """The number of the type at its root; 0 when it is not known."""
        return _standard(node) or (self._known.get(node, ("", 0))[1] if isinstance(node, ua.NodeId) else 0)

    async def learn(self, nodes: Iterable[object]) -> None:
        """Look up those that are not known yet. Raises Unreachable, Garbled and Refused."""
        fresh = [n for n in dict.fromkeys(nodes) if isinstance(n, ua.NodeId) and not _standard(n)]
        fresh = [node for node in fresh if node not in self._known][: MOST - len(self._known)]
        if not fresh:
            return
        names = await services.attributes(self._session, fresh, [AttributeIds.BrowseName])
        for node, (name,) in zip(fresh, names, strict=True):
            held = name.Value.Value if name.Value else None
            text = (held.Name or "") if isinstance(held, ua.QualifiedName) else ""
            text = text[:256].encode("utf-8", "replace").decode()
            self._known[node] = (text, await self._root(node))

    async def _root(self, node: ua.NodeId) -> int:
        for _ in range(DEEPEST):
            (found,) = await services.browse(self._session, [node], 10, services.SUBTYPE)
            if not found.References:
                return 0
            node = found.References[0].NodeId
            if number := _standard(node):
                return number
        return 0


def _standard(node: object) -> int:
    if not isinstance(node, ua.NodeId) or node.NamespaceIndex or not isinstance(node.Identifier, int):
        return 0
    return node.Identifier if node.Identifier in STANDARD else 0
