"""How a server is to watch a node: what may be said of a tag, its group or its device, and what holds in the end."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivers.api import GroupConfig, Seconds, Section

Trigger = Literal["status", "value", "value_timestamp"]
QUEUE = 10


class Deadband(Section):
    """A change that is too small to be sent; one of the two."""

    absolute: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="in the unit of the value"
    )
    percent: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="of the range that the server gives the node (EURange); not every server can"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.absolute is None) == (self.percent is None):
            raise ValueError("a deadband is either `absolute` or `percent`: {absolute: 0.5}")
        return self


class Monitoring(Section):
    """What a tag says goes before what its group says, and that before what the device says."""

    sampling_interval: Annotated[Seconds, Field(ge=0, le=3600)] | None = Field(
        None, description="how often the server looks at a node (subscribe); without it the tag's interval"
    )
    queue_size: Annotated[int, Field(ge=1, le=10000)] | None = Field(
        None, description="changes of one tag that the server keeps between two messages (subscribe); 10 unless told"
    )
    discard_oldest: bool | None = Field(
        None, description="which of too many changes goes: the oldest (true, the default) or the newest"
    )
    trigger: Trigger | None = Field(
        None, description="what counts as a change: status, value (default: status or value), value_timestamp (any)"
    )
    deadband: Deadband | None = Field(None, description="changes too small to be sent, decided by the server")


class Group(GroupConfig, Monitoring):
    """A scan group; each is a subscription of its own."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How one node is watched: seconds, entries, and the deadband as (kind, size) with kind 1 absolute, 2 percent."""

    sampling: float
    queue: int = QUEUE
    discard_oldest: bool = True
    trigger: Trigger = "value"
    deadband: tuple[int, float] | None = None


def watch(interval: float, *told: Monitoring | None) -> Watch:
    """What holds for a tag; the first of `told` that says something goes before the others."""
    said = [each for each in told if each is not None]
    sampling = next((each.sampling_interval for each in said if each.sampling_interval is not None), interval)
    queue = next((each.queue_size for each in said if each.queue_size is not None), QUEUE)
    oldest = next((each.discard_oldest for each in said if each.discard_oldest is not None), True)
    trigger: Trigger = next((each.trigger for each in said if each.trigger is not None), "value")
    band = next((each.deadband for each in said if each.deadband is not None), None)
    return Watch(sampling, queue, oldest, trigger, None if band is None else _band(band))


def _band(band: Deadband) -> tuple[int, float]:
    return (1, band.absolute) if band.absolute is not None else (2, band.percent or 0.0)
