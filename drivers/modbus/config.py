"""What the configuration says of a Modbus device."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from drivers.api import DriverConfig, GroupConfig, Seconds
from drivers.modbus.areas import Areas
from drivers.modbus.kinds import BIT_REGISTERS, WORDS, Order, TagOrder
from drivers.modbus.settle import settled
from drivers.modbus.tag import Tag
from drivers.transport import parse_endpoint

__all__ = ["BIT_REGISTERS", "PORTS", "WORDS", "Config", "Group", "Tag", "spread"]

PORTS = {"tcp": 502, "rtu": 0, "ascii": 0, "rtu+tcp": 502, "ascii+tcp": 502, "udp": 502, "tls": 802, "listen": 0}
NUMBERED = frozenset({"tcp", "udp", "tls"})  # the schemes whose frames have transaction numbers


class Group(GroupConfig):
    """A scan group of a Modbus device."""

    order: Order | None = Field(None, description="order of the bytes of its tags; default: the device's")


class Config(DriverConfig):
    """A Modbus device: a unit at an endpoint."""

    groups: dict[str, Group] = Field({}, description="scan groups with intervals of their own")  # type: ignore[assignment]  # read only, so a narrower value is safe
    unit: int = Field(1, ge=0, le=255, description="unit id; 1 to 247 behind a gateway")
    order: Order = Field("ABCD", description="order of the bytes of tags that do not say their own")
    address_base: Literal[0, 1] = Field(
        0, description="what the tags' addresses are counted from: 0 as in the protocol, 1 as in many manuals"
    )
    max_registers: int = Field(125, ge=1, le=125, description="most registers in one request; 16 coils count as one")
    max_gap: int | None = Field(
        None, ge=0, le=124, description="holes up to this many registers are read along; 0: none; without it by cost"
    )
    strict: bool = Field(False, description="true: only registers of tags are read, disabled ones included")
    pause: Seconds = Field(0.0, ge=0, le=60, description="turnaround: wait that the device needs before a request")
    timeout: Annotated[Seconds, Field(gt=0, le=300)] | None = Field(
        None, description="how long one request may take; default: the line's"
    )
    connect_delay: Annotated[Seconds, Field(ge=0, le=60)] = Field(
        0.0, description="wait that the device needs between connecting and the first request"
    )
    areas: Areas = Field({}, description="the words of a PLC, such as D100: where each stretch of them is")
    tags: list[Tag] = Field(min_length=1, description="what is read")

    @field_validator("endpoint")
    @classmethod
    def _is_supported(cls, endpoint: str) -> str:
        parse_endpoint(endpoint, PORTS)
        return endpoint

    @field_validator("unit")
    @classmethod
    def _answers(cls, unit: int, info: ValidationInfo) -> int:
        scheme = str(info.data.get("endpoint", "")).partition(":")[0]
        if unit == 0 and scheme in PORTS and scheme not in NUMBERED:
            raise ValueError("unit 0 is a broadcast on a serial line, and nobody answers it: 1 to 247")
        return unit

    @field_validator("tags")
    @classmethod
    def _go_together(cls, tags: list[Tag], info: ValidationInfo) -> list[Tag]:
        known: dict[str, Any] = info.data
        return settled(
            tags,
            base=known.get("address_base", 0),
            order_of=lambda tag: _order(tag, known.get("groups", {}), known.get("order", "ABCD")),
            most=known.get("max_registers", 125),
            unit=known.get("unit") if "name" in known else None,  # a map alone may serve any unit
        )

    def order_of(self, tag: Tag) -> TagOrder:
        """The tag's own order, or its group's, or the device's."""
        return _order(tag, self.groups, self.order)


def spread(devices: Sequence[Config], connections: int) -> list[int]:
    """Over which connection of an endpoint each device is read: in turn.

    Where answers do not say to which request they belong, a unit has one connection: a converter may pass what a unit
    says to all of them.
    """
    numbered = devices[0].endpoint.partition(":")[0] in NUMBERED
    owners = [index if numbered else config.unit for index, config in enumerate(devices)]
    places = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    return [places[owner] % connections for owner in owners]


def _order(tag: Tag, groups: Mapping[str, Group], order: Order) -> TagOrder:
    group = groups.get(tag.group)
    return tag.order or (group and group.order) or order
