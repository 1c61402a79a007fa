"""What the sessions of a device gave, as notes of a recording: decoded, because what is on the wire is encrypted.

Before the first values of a group comes what its columns are (`nodes`), then, for each message or answer, the values
with their status and times. Nothing of a login is ever in it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from agent.model.errors import DeviceError
from agent.model.frame import Value
from drivers.opcua.binary import Code
from drivers.opcua.notify import Batch
from drivers.opcua.plan import Plan
from drivers.tapping import FAILED, LOST, NODES, VALUES, Tap

_PLAIN = (bool, int, float, str)


class Column(msgspec.Struct, array_like=True):
    """A tag as it was recorded."""

    name: str
    node: str
    dtype: str
    unit: str = ""


class Nodes(msgspec.Struct, array_like=True):
    """The columns of a group, in their order."""

    group: str
    columns: list[Column]


class Values(msgspec.Struct, array_like=True):
    """What came at once; `whole` says that it was asked for. `coded` are the places whose values are status codes."""

    group: str
    whole: bool
    columns: list[int]
    values: list[Any]
    codes: list[int]
    ticks: list[int]
    served: list[int]
    kinds: list[int]
    coded: list[int] = []


_encode = msgspec.msgpack.Encoder().encode


class Reel:
    """Tells a tap what a device gives; `whole`: it is asked for all of a group at once."""

    def __init__(self, device: str, tap: Tap, *, whole: bool) -> None:
        self._device, self._tap, self._whole = device, tap, whole
        self._told: dict[str, int] = {}  # how many columns of each group have been told

    def watch(self, plan: Plan) -> None:
        group = plan.schema.group

        def came(columns: Sequence[int], batch: Batch, meant: list[Value]) -> None:
            if self._told.get(group) != len(plan.nodes):
                self._told[group] = len(plan.nodes)
                pairs = zip(plan.schema.tags, plan.nodes, strict=True)
                listed = [Column(tag.name, node, tag.dtype, tag.unit) for tag, node in pairs]
                self._tap(self._device, NODES, _encode(Nodes(group, listed)))
            self._tap(self._device, VALUES, _encode(_values(group, columns, batch, meant, whole=self._whole)))

        plan.columns.tap, plan.columns.lost = came, self.lost

    def failed(self, error: DeviceError) -> None:
        """No session could be had."""
        self._tap(self._device, FAILED, str(error).encode())

    def lost(self, error: DeviceError) -> None:
        """The session is over."""
        self._tap(self._device, LOST, str(error).encode())


def watch_plans(plans: Sequence[Plan], reel: Reel | None) -> None:
    """Have the reel told what these groups get, or nobody."""
    for plan in plans:
        if reel is None:
            plan.columns.tap = plan.columns.lost = None
        else:
            reel.watch(plan)


def _values(group: str, columns: Sequence[int], batch: Batch, meant: list[Value], *, whole: bool) -> Values:
    raw = [_plain(value) if told is None else told for value, told in zip(batch.values, meant, strict=True)]
    return Values(
        group,
        whole,
        list(columns),
        raw,
        batch.codes,
        batch.ticks,
        batch.served,
        sorted(batch.kinds),
        [place for place, value in enumerate(batch.values) if isinstance(value, Code)],
    )


def _plain(value: object) -> Any:
    """What a file can hold of it; a structure that no tag looks into is nothing."""
    if isinstance(value, _PLAIN):
        return value
    return [_plain(each) for each in value] if isinstance(value, list) else None
