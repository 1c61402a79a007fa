"""Commands as RPC: `{"device", "data": {"id", "method", "params"}}` in, `{"device", "id", "data"}` out.

The method is `write`, with the tag in the parameters, or the tag itself. What may be written is the house's business.
The dialect has no time, and the platform keeps an RPC for a device that is not connected, if it is told to: one without
a time of its own that comes right after its device was connected may be an old one.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agent.northbound.broker.client import Connection
from agent.northbound.command import LONGEST, SAID, Unreadable, checked, decode
from agent.northbound.encode import as_json
from agent.northbound.house import Answer, Command, House
from agent.northbound.thingsboard.letters import RPC
from agent.northbound.thingsboard.names import Names

TOPIC = "v1/gateway/rpc"
_NEEDED = ("device", "tag", "value")
_OURS = ("tag", "value", "id", "issued_at", "ttl")  # of the parameters
_LARGEST_ID = 1 << 63
_LONGEST_NAME = 255
_EXAMPLE = 'such as {"method": "write", "params": {"tag": "setpoint", "value": 22.5}}'
_RETAINED = Answer("stale", message="a retained message is no command: nobody knows how old it is")


@dataclass(frozen=True, slots=True)
class Call:
    """An RPC of the platform; the answer repeats `name` and `id`."""

    name: str
    id: int | str
    method: str
    params: Any


class Rpc:
    """The RPC of one connection. `since(device)` is when the device was connected (monotonic seconds)."""

    def __init__(
        self, house: House, connection: Connection, names: Names, since: Callable[[str], float], hold_off: float
    ) -> None:
        self._house, self._connection, self._names = house, connection, names
        self._since, self._hold_off = since, hold_off
        self._complained = False
        self._run = secrets.token_hex(4)  # the platform's numbers begin anew when it does

    async def open(self) -> None:
        """Listen. Raises Denied and Unavailable."""
        self._connection.on_message = self._heard
        await self._connection.subscribe([(TOPIC, 1)])

    def close(self) -> None:
        """What has not begun is never done: it would come too late."""
        self._house.drop()

    def _heard(self, topic: str, payload: bytes, retain: bool) -> None:
        call = self._called(payload) if topic == TOPIC else None
        if call is None:
            return
        try:
            command = commanded(call, self._names, self._run)
        except Unreadable as error:
            self._answer(call, error.answer)
            return
        if retain:
            self._answer(call, _RETAINED)
        elif not command.issued and time.monotonic() - self._since(command.device) < self._hold_off:
            self._answer(call, self._held_off())
        else:
            self._house.submit(command, lambda answer: self._answer(call, answer))

    def _called(self, payload: bytes) -> Call | None:
        try:
            return called(payload)
        except Unreadable as error:
            if not self._complained:
                self._complained = True
                self._house.noticed(f"what came to {TOPIC} is no RPC and cannot be answered: {error.message}")
            return None

    def _held_off(self) -> Answer:
        what = f"it came within {self._hold_off:g} s after its device was connected, and may have waited before"
        return Answer("stale", message=what, hint="give it again, or with `issued_at` among its parameters")

    def _answer(self, call: Call, answer: Answer) -> None:
        self._connection.publisher.post((RPC, replied(call, answer), False))


def called(payload: bytes) -> Call | None:
    """None for an answer, which a broker may give back to who sent it. Raises Unreadable for what is no RPC."""
    found = decode(payload)
    name, data = found.get("device"), found.get("data")
    if not isinstance(name, str) or not isinstance(data, dict) or not 0 < len(name) <= _LONGEST_NAME:
        raise Unreadable("an RPC has a `device` and `data`")
    if "id" in found:
        return None
    method = data.get("method")
    if not isinstance(method, str):
        raise Unreadable("the `data` of an RPC has an `id` and a `method`")
    return Call(name, _id(data.get("id")), method, data.get("params"))


def _id(number: Any) -> int | str:
    if isinstance(number, str) and len(number) <= LONGEST:
        return number
    if isinstance(number, int) and not isinstance(number, bool) and -_LARGEST_ID <= number < _LARGEST_ID:
        return number
    raise Unreadable("the `id` of an RPC is a number or a short text")


def commanded(call: Call, names: Names, run: str) -> Command:
    """What it wants written. Raises Unreadable."""
    device = names.device(call.name)
    if not device:
        raise Unreadable(f"there is no device {call.name[:LONGEST]}")
    params = call.params if isinstance(call.params, dict) else {"value": call.params}
    for key in params:
        if key not in _OURS:
            raise Unreadable(f"there is no parameter {key[:LONGEST]!r}", hint=f"there are {', '.join(_OURS)}")
    found = {**params, "device": device}
    if call.method != "write":
        if "tag" in params:
            raise Unreadable("the method is the tag, so `tag` is no parameter", hint="or the method is `write`")
        found["tag"] = call.method
    try:
        command = checked(found, _NEEDED)
    except Unreadable as error:
        raise Unreadable(error.message, hint=_EXAMPLE) from None
    return replace(command, id=command.id or f"{run}/{call.id}/{device}", who="ThingsBoard")


def replied(call: Call, answer: Answer) -> bytes:
    data = {"success": answer.outcome == "done", "outcome": answer.outcome, "value": answer.value}
    data |= {"message": answer.message[:SAID], "hint": answer.hint[:SAID], "audit": answer.audit}
    return as_json({"device": call.name, "id": call.id, "data": data})
