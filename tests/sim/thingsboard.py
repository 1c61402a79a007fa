"""What ThingsBoard makes of its gateway API, as documented, and it forgives nothing: faults are noted in words.

https://thingsboard.io/docs/reference/gateway-mqtt-api/
"""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiomqtt

from tests.sim.mosquitto import Mosquitto

TOKEN = "A1_TEST_TOKEN"
ACL = f"""\
user {TOKEN}
topic write v1/gateway/connect
topic write v1/gateway/disconnect
topic write v1/gateway/telemetry
topic write v1/gateway/attributes
topic readwrite v1/gateway/rpc
topic write v1/devices/me/telemetry
topic write v1/devices/me/attributes

user platform
topic readwrite #
"""
LARGEST = 8192  # bytes of a payload
_KEY = 255  # characters of a key, and of a device's name


@dataclass(frozen=True)
class Record:
    device: str
    ts: int
    values: dict[str, Any]


@dataclass
class Platform:
    """The state behind the topics. `own` is the gateway's device; `events` are connects and disconnects in order.

    `in_order`: what is heard comes once and in its order, so a device must be connected before anything is said of it.
    """

    in_order: bool = True
    faults: list[str] = field(default_factory=list)
    connected: set[str] = field(default_factory=set)
    profiles: dict[str, str] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    own: list[Record] = field(default_factory=list)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)  # devices, with each message of attributes
    answers: list[dict[str, Any]] = field(default_factory=list)
    messages: int = 0
    largest: int = 0

    def latest(self, device: str) -> dict[str, Any]:
        """Each key with its newest value, as a dashboard shows it."""
        found: dict[str, tuple[int, Any]] = {}
        for record in self.records:
            if record.device == device:
                for key, value in record.values.items():
                    if key not in found or record.ts >= found[key][0]:
                        found[key] = record.ts, value
        return {key: value for key, (_, value) in found.items()}

    def hear(self, topic: str, payload: bytes, *, own_rpc: bool = True) -> None:
        """A message to the platform. `own_rpc`: RPC of the platform may be heard too, and is passed over."""
        self.messages += 1
        if len(payload) > LARGEST:
            self.faults.append(f"{topic}: {len(payload)} bytes")
        self.largest = max(self.largest, len(payload))
        try:
            found = json.loads(
                payload, parse_constant=_no_number, parse_float=_number, parse_int=_whole, object_pairs_hook=_once
            )
            self._hear(topic.split("/"), found, own_rpc=own_rpc)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.faults.append(f"{topic}: {error!r}: {payload[:200]!r}")

    def _hear(self, levels: list[str], found: Any, *, own_rpc: bool) -> None:
        match levels:
            case ["v1", "gateway", "connect"]:
                _keys(found, "device", "type")
                name = _name(found["device"])
                self.connected.add(name)
                self.profiles[name] = _name(found["type"])
                self.events.append(("connect", name))
            case ["v1", "gateway", "disconnect"]:
                _keys(found, "device")
                self._there(_name(found["device"]))
                self.connected.discard(found["device"])
                self.events.append(("disconnect", found["device"]))
            case ["v1", "gateway", "telemetry"]:
                self._telemetry(found)
            case ["v1", "gateway", "attributes"]:
                for device, attributes in found.items():
                    self._there(device)
                    self.told.append(device)
                    self.attributes.setdefault(device, {}).update(_values(attributes))
            case ["v1", "devices", "me", "telemetry"]:
                self.own.append(_record("", found))
            case ["v1", "devices", "me", "attributes"]:
                self.attributes.setdefault("", {}).update(_values(found))
            case ["v1", "gateway", "rpc"] if own_rpc and "id" not in found:
                pass
            case ["v1", "gateway", "rpc"]:
                _keys(found, "device", "id", "data")
                self.answers.append(found)
            case _:
                raise ValueError("nothing is published there")

    def _telemetry(self, found: Any) -> None:
        if not found:
            raise ValueError("no device")
        for device, records in found.items():
            self._there(device)
            if not isinstance(records, list) or not records:
                raise ValueError("no records")
            self.records += [_record(device, record) for record in records]

    def _there(self, device: str) -> None:
        if self.in_order and device not in self.connected:
            raise ValueError(f"{device} is not connected")


def _record(device: str, found: Any) -> Record:
    _keys(found, "ts", "values")
    if type(found["ts"]) is not int or not 10**12 <= found["ts"] < 10**13:
        raise ValueError("ts is not in milliseconds")
    return Record(device, found["ts"], _values(found["values"]))


def _values(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not found:
        raise ValueError("no values")
    for key, value in found.items():
        _name(key)
        if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{key} is {value!r}")
    return found


def _keys(found: Any, *keys: str) -> None:
    if not isinstance(found, dict) or set(found) != set(keys):
        raise ValueError(f"keys are not {keys}")


def _name(text: Any) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= _KEY:
        raise ValueError(f"{text!r} is no name")
    return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _number(text: str) -> float | int | str:
    """As its JsonConverter has it: a double, a long, or else text."""
    found = Decimal(text)
    whole = found == found.to_integral_value()
    if whole and not ("." in text and "e" not in text.lower()):
        return _whole(str(int(found)))
    return float(found) if -_exponent(found) <= 16 else format(found, "f")


def _exponent(found: Decimal) -> int:
    exponent = found.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _whole(text: str) -> int | str:
    return int(text) if -(2**63) <= int(text) < 2**63 else text


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


class ThingsBoard(Platform):
    """One that is there: it hears what goes over the broker, and calls."""

    def __init__(self, client: aiomqtt.Client) -> None:
        super().__init__()
        self._client = client
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            self.hear(str(message.topic), message.payload)
            self._news.set()

    async def until(self, condition: Any, seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def answered(self, count: int) -> None:
        await self.until(lambda: len(self.answers) >= count)

    async def say(self, payload: bytes | str, *, topic: str = "v1/gateway/rpc", retain: bool = False) -> None:
        await self._client.publish(topic, payload, retain=retain)

    async def call(self, device: str, number: int, method: str, params: Any) -> None:
        await self.say(json.dumps({"device": device, "data": {"id": number, "method": method, "params": params}}))

    async def ask(self, device: str, number: int, method: str, params: Any) -> dict[str, Any]:
        """The `data` of the answer."""
        before = len(self.answers)
        await self.call(device, number, method, params)
        await self.answered(before + 1)
        answer = self.answers[before]
        assert (answer["device"], answer["id"]) == (device, number)
        found: dict[str, Any] = answer["data"]
        return found


@asynccontextmanager
async def thingsboard(broker: Mosquitto) -> AsyncIterator[ThingsBoard]:
    """Behind a broker that lets `platform` do everything."""
    at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client("127.0.0.1", broker.port, username="platform", socket_options=at_once) as client:
        await client.subscribe("v1/#", qos=1)
        platform = ThingsBoard(client)
        task = asyncio.create_task(platform.listen())
        try:
            yield platform
        finally:
            task.cancel()
            await asyncio.wait([task])
