"""What a tag says of itself as a counter."""

from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from agent.model.text import duration_text
from drivers.section import Name, Seconds, Section

HOUR, DAY = 3600, 86400
MOST_STEPS = 60  # of a demand that slides


def _divides(seconds: float) -> float:
    """Whether such intervals fill an hour or a day. Raises ValueError."""
    if seconds < 1 or (HOUR % seconds and DAY % seconds):
        raise ValueError(
            f"intervals of {duration_text(seconds)} do not fill an hour or a day: take such as 1m, 5m, 15m, 1h, 8h, 1d"
        )
    return seconds


def _width(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value in ("auto", "none") or (number and 0 < value < inf):
        return value
    raise ValueError("must be auto, none, or the number at which the register begins again at 0, such as 1000000")


def _unequal(intervals: list[float]) -> list[float]:
    for place, each in enumerate(intervals):
        if each in intervals[:place]:
            raise ValueError(f"{duration_text(each)} is there twice")
    return intervals


def _one(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _every(value: Any) -> Any:
    return {"every": value} if isinstance(value, str) else value


Fills = Annotated[Seconds, AfterValidator(_divides)]


class DemandConfig(Section):
    """The mean power of aligned windows."""

    every: Fills = Field(900.0, description="length of the windows, such as 15m")
    sliding: Fills | None = Field(None, description="told besides with each step of so long for a window up to there")

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if self.sliding and (self.sliding >= self.every or self.every % self.sliding):
            raise ValueError(f"sliding: a window of {duration_text(self.every)} has no whole number of such steps")
        if self.sliding and self.every / self.sliding > MOST_STEPS:
            least = duration_text(self.every / MOST_STEPS)
            raise ValueError(f"sliding: a window has at most {MOST_STEPS} steps: take at least {least}")
        return self


class CounterConfig(Section):
    """What is made of the readings of a counter; each key is optional."""

    rollover: Annotated[
        Literal["auto", "none"] | int | float,
        PlainValidator(_width),
        WithJsonSchema({"anyOf": [{"enum": ["auto", "none"]}, {"type": "number", "exclusiveMinimum": 0}]}),
    ] = Field(
        "auto",
        description="where the register begins again at 0, in the tag's unit, such as 1000000; auto: at the width of "
        "its type or the next power of ten, when that is plausible",
    )
    max_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="most that can be counted in an hour, in the tag's unit; what jumps further is another meter"
    )
    confirm: int = Field(
        2, ge=1, le=10, description="readings that must agree before a jump is taken for what it seems to be"
    )
    total: bool = Field(True, description="false: the total that only grows is not told")
    intervals: Annotated[
        list[Fills],
        BeforeValidator(_one, json_schema_input_type=Fills | list[Fills]),
        AfterValidator(_unequal),
        Field(max_length=8),
    ] = Field([], description="lengths of aligned intervals whose consumption is told, such as [15m, 1h]")
    demand: Annotated[DemandConfig, BeforeValidator(_every, json_schema_input_type=Fills | DemandConfig)] | None = (
        Field(None, description="mean power of aligned windows, such as 15m, and its peaks of the day and the month")
    )
    tariff: Name | None = Field(None, description="a calendar by whose periods there are totals")
