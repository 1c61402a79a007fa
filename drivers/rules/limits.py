"""What a tag says its values can be."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from drivers.section import Number, Seconds, Section, in_order


class LimitsConfig(Section):
    """What the values can be; one that cannot be is bad, or becomes the limit."""

    min: Number | None = Field(None, description="smallest value, in the unit that leaves")
    max: Number | None = Field(None, description="largest value")
    outside: Literal["bad", "clamp"] = Field(
        "bad", description="what becomes of a value beyond: bad (none, bad_range), or clamp (the limit, clamped)"
    )
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="fastest change in units a second; a faster one is bad_jump, until three in a row agree"
    )
    stuck: Annotated[Seconds, Field(gt=0, le=31_536_000)] | None = Field(
        None, description="how long the value may be the same while the device answers; then it is bad_stuck"
    )
    stuck_band: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="how far a value may move and still count as the same"
    )

    @field_validator("max")
    @classmethod
    def _is_not_below_min(cls, most: Number | None, info: ValidationInfo) -> Number | None:
        in_order(info.data.get("min"), most, "no value would be left")
        return most

    @field_validator("outside")
    @classmethod
    def _has_a_limit(cls, outside: str, info: ValidationInfo) -> str:
        if outside == "clamp" and {"min", "max"} <= info.data.keys() and info.data["min"] is info.data["max"] is None:
            raise ValueError("clamp needs `min`, `max` or both: what should the value become?")
        return outside

    @field_validator("stuck_band")
    @classmethod
    def _is_of_stuck(cls, band: float, info: ValidationInfo) -> float:
        if band and "stuck" in info.data and info.data["stuck"] is None:
            raise ValueError("stuck_band needs `stuck`, such as 10m")
        return band
