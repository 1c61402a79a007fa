"""What every section of the configuration is made of: strict, with units in its values."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from agent.model.text import DURATION_PATTERN, LONGEST_NAME, NAME_PATTERN, duration

Seconds = Annotated[
    float,
    BeforeValidator(duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=NAME_PATTERN)]
Number = Annotated[  # a whole one keeps all of its digits
    int | Annotated[float, Field(allow_inf_nan=False)], WithJsonSchema({"type": "number"})
]


class Section(BaseModel):
    """A part of the configuration file: strict types, unknown keys refused, never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def in_order(least: float | None, most: float | None, so: str) -> None:
    """Raises ValueError for a range that is empty; `so` says what that would mean."""
    if most is not None and least is not None and most < least:
        raise ValueError(f"{most:g} is less than `min`, {least:g}: {so}")
