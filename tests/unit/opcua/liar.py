"""A session with a server that means ill: it always has more children, with names and ids as odd as it likes."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from asyncua import ua

from drivers.opcua.nodes import spellings


class Liar:
    """A session with a server that always has more children, with names as long and ids as odd as it likes."""

    endpoint, timeout, read_limit, alive = "opc.tcp://liar", 1.0, 500, True

    def __init__(self, children: Callable[[int], list[ua.ReferenceDescription]], *, endless: bool) -> None:
        self.namespaces = {"urn:x": 1}
        self.released: list[bytes] = []
        self.asked = self._made = 0
        self._children, self._endless = children, endless

    def resolve(self, node: Any) -> ua.NodeId | None:
        named = spellings(node.namespace) if isinstance(node.namespace, str) else ()
        index = next((self.namespaces[each] for each in named if each in self.namespaces), None)
        index = index if named else node.namespace
        return None if index is None else ua.NodeId(node.identifier, index)

    def read_request(self, nodes: Sequence[ua.NodeId]) -> ua.ReadRequest:
        return ua.ReadRequest()

    async def read(self, request: ua.ReadRequest) -> list[ua.DataValue]:
        return [ua.DataValue() for _ in request.Parameters.NodesToRead or ()]

    async def call(self, request: Any, kind: type[Any]) -> Any:
        self.asked += 1
        response = kind()
        if isinstance(request, ua.BrowseNextRequest):
            points = request.Parameters.ContinuationPoints
            if request.Parameters.ReleaseContinuationPoints:
                self.released += points
            response.Parameters.Results = [self._result() for _ in points]
        else:
            response.Results = [self._result() for _ in request.Parameters.NodesToBrowse]
        return response

    def _result(self) -> ua.BrowseResult:
        self._made += 1
        point = b"more" if self._endless else None
        return ua.BrowseResult(ContinuationPoint=cast(Any, point), References=self._children(self._made))


def child(identifier: Any, name: str | None, kind: ua.NodeClass = ua.NodeClass.Object) -> ua.ReferenceDescription:
    node = ua.ExpandedNodeId(identifier, cast(Any, 1))
    return ua.ReferenceDescription(NodeId=node, BrowseName=ua.QualifiedName(name, cast(Any, 1)), NodeClass=kind)
