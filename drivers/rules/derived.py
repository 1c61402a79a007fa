"""Tags that are worked out from others."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from drivers.rules.value import ValueConfig
from drivers.section import Name, Seconds


class DerivedConfig(ValueConfig):
    """A tag by a formula."""

    expr: str = Field(max_length=2000, description="the formula, such as p_l1 + p_l2 + p_l3")
    inputs: dict[str, str] = Field(
        {},
        max_length=200,
        description="names in the formula for tags that have another one: {p1: p-l1, q: press/power}",
    )
    dtype: Literal["float64", "int64", "bool"] | None = Field(
        None, description="of the result; without it bool for what is true or false, else float64"
    )
    max_age: Annotated[Seconds, Field(gt=0)] | None = Field(
        None, description="age from which an input is stale; without it three intervals of its group, at least 10s"
    )


def _spelt(value: Any) -> Any:
    return {"expr": value} if isinstance(value, str) else value


ShortDerived = Annotated[DerivedConfig, BeforeValidator(_spelt, json_schema_input_type=str | DerivedConfig)]
Derivations = Annotated[dict[Name, ShortDerived], Field(max_length=1000)]
