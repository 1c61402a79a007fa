"""What a tag asks of the windows of its values."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from agent.model.text import duration_text
from drivers.section import Seconds, Section

HOUR, DAY = 3600, 86400
Aggregate = Literal["first", "last", "min", "max", "mean", "time_mean", "sum", "count", "good", "late"]


class AggregateConfig(Section):
    """Aggregates of windows that are aligned to the local clock."""

    every: Annotated[Seconds, Field(ge=1, le=DAY)] = Field(
        description="how long a window is: 15m, 1h, 8h; it divides an hour or a day"
    )
    of: Annotated[list[Aggregate], Field(min_length=1, max_length=10)] = Field(
        description="first, last, min, max, mean, time_mean (each value counts for as long as it held), sum, count,"
        " good (share of the time for which there was a value), late (readings that came too late to count)"
    )
    late: Annotated[Seconds, Field(ge=0, le=HOUR)] = Field(
        2.0, description="how long a window waits for readings with times of their own"
    )
    hold: Annotated[Seconds, Field(gt=0, le=30 * DAY)] | None = Field(
        None,
        description="how long a value holds without another; three intervals of a scan, for ever of a subscription",
    )

    @field_validator("every")
    @classmethod
    def _divides(cls, every: float) -> float:
        whole = HOUR if every <= HOUR else DAY
        if round(whole * 1000) % round(every * 1000):
            raise ValueError(
                f"{every:g} s does not divide {'an hour' if whole == HOUR else 'a day'}: such as 15m or 8h"
            )
        return every

    @field_validator("of")
    @classmethod
    def _are_different(cls, of: list[str]) -> list[str]:
        twice = next((what for what in of if of.count(what) > 1), None)
        if twice:
            raise ValueError(f"{twice!r} is there twice")
        return of

    @field_validator("late")
    @classmethod
    def _is_short(cls, late: float, info: ValidationInfo) -> float:
        every = info.data.get("every")
        if every is not None and late >= every:
            raise ValueError(f"{late:g} s is not less than the {every:g} s of a window")
        return late


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _are_different(listed: list[AggregateConfig]) -> list[AggregateConfig]:
    lengths = [each.every for each in listed]
    twice = next((every for every in lengths if lengths.count(every) > 1), None)
    if twice is not None:
        raise ValueError(f"two have windows of {duration_text(twice)}: ask for all of them in one `of`")
    return listed


Aggregates = Annotated[
    list[AggregateConfig],
    BeforeValidator(_listed, json_schema_input_type=AggregateConfig | list[AggregateConfig]),
    AfterValidator(_are_different),
    Field(max_length=8),
]
