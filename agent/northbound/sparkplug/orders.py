"""What host applications ask for: a rebirth, or that something is written. The latter is the house's business.

Each metric of a DCMD is a command of its own, answered by the node's metric `Command/Answer`, and in the end by the
data of the device. An alias is that of this session or of none: see `tree.py`.
"""

import time
from collections.abc import Callable

from agent.northbound.command import LARGEST, LONGEST, reply
from agent.northbound.house import Answer, Command, House
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.names import Names
from agent.northbound.sparkplug.session import REBIRTH
from agent.northbound.sparkplug.tree import Tree

_MS = 1_000_000
_LATEST = 253_402_300_799_999  # ms: the end of the year 9999
_RETAINED = Answer("stale", message="a retained message is no command: nobody knows how old it is")


class Orders:
    """Those of one connection. `rebirth()` and `say(answer)` are called while a message is heard, or later."""

    def __init__(
        self, house: House, names: Names, tree: Tree, rebirth: Callable[[], None], say: Callable[[str], None]
    ) -> None:
        self._house, self._names, self._tree = house, names, tree
        self._rebirth, self._say = rebirth, say

    def heard(self, topic: str, payload: bytes, retain: bool) -> None:
        """A message that somebody published to us."""
        device = self._names.commanded(topic)
        if device is None and topic != self._names.node_commands:
            return
        told = Command(device or "", "", None)
        if len(payload) > LARGEST:
            self._answer(told, _no(f"{len(payload):,} bytes are too many for a command", f"{LARGEST:,} at most"))
            return
        try:
            found = codec.decode(payload)
        except ValueError as error:
            self._answer(told, _no(f"this is no payload of Sparkplug B: {error}"))
            return
        for metric in found.metrics:
            if device is None:
                self._of_the_node(metric, retain=retain)
            else:
                self._of_a_device(device, metric, found.timestamp, retain=retain)

    def close(self) -> None:
        """What has not begun is never done: it would come too late."""
        self._house.drop()

    def _of_the_node(self, metric: codec.Metric, *, retain: bool) -> None:
        if metric.name != REBIRTH:
            name = (metric.name or f"alias {metric.alias}")[:LONGEST]
            self._answer(Command("", name, None), _no(f"{name} of the node cannot be written", f"there is {REBIRTH}"))
        elif metric.raw == codec.Raw(codec.TRUTH, True) and not metric.null and not retain:
            self._rebirth()

    def _of_a_device(self, name: str, metric: codec.Metric, sent: int | None, *, retain: bool) -> None:
        device = self._tree.devices.get(name)
        told = None
        if device is not None and metric.name is not None:
            told = device.find(metric.name)
        elif device is not None and metric.alias is not None:
            owner, found = self._tree.by_alias.get(metric.alias, (None, None))
            told = found if owner is device else None
        if told is None:
            what = metric.name[:LONGEST] if metric.name is not None else f"alias {metric.alias}"
            hint = "the births of this session tell names and aliases"
            self._answer(Command(name, what, None), _no(f"{name} has no metric {what}", hint))
            return
        value = None if metric.raw is None or metric.null else metric.raw.typed(told.datatype)
        issued = metric.timestamp or sent or 0
        command = Command(name, told.tag.name, value, issued=min(issued, _LATEST) * _MS, who="Sparkplug")
        if value is None:
            self._answer(command, _no("a command needs a value that a tag can have"))
        elif retain:
            self._answer(command, _RETAINED)
        else:
            self._house.submit(command, lambda answer: self._answer(command, answer))

    def _answer(self, command: Command, answer: Answer) -> None:
        self._say(reply(command, answer, time.time_ns()).decode())


def _no(message: str, hint: str = "") -> Answer:
    return Answer("forbidden", message=message, hint=hint)
