"""How a device's shifts are judged."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from drivers.section import Name, Seconds, Section


def _several(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


class OeeConfig(Section):
    """Overall equipment effectiveness by ISO 22400-2, per shift."""

    state: Name = Field(description="the tag that says the state of the machine; it has `state:` itself")
    run: Annotated[
        list[Name], BeforeValidator(_several, json_schema_input_type=Name | list[Name]), Field(min_length=1)
    ] = Field(["run"], max_length=16, description="the states in which it works")
    produced: Name = Field(description="the tag that counts all pieces")
    good: Name | None = Field(None, description="the tag that counts good pieces; or `rejects`")
    rejects: Name | None = Field(None, description="the tag that counts the others")
    cycle: Annotated[Seconds, Field(gt=0, le=86400)] = Field(description="how long a piece is to take")
    calendar: Name = Field(description="the calendar with its shifts and their breaks")

    @model_validator(mode="after")
    def _counts_one_of_them(self) -> Self:
        if (self.good is None) == (self.rejects is None):
            raise ValueError("one of `good` and `rejects` must be there, the tag that counts these pieces")
        return self
