"""Where a device stands, and what the transformers before a meter make of its values."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from drivers.section import Name, Section

Ratio = Literal["ct", "pt", "ct*pt"]
_QUOTIENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)/([0-9]+(?:\.[0-9]+)?)")
LEAST, MOST = 0.001, 1_000_000.0


def _turns(given: object) -> object:
    """`400/5`, as it stands on the plate, is 80."""
    quotient = _QUOTIENT.fullmatch(given) if isinstance(given, str) else None
    if quotient is None:
        return given
    if not float(quotient[2]):
        raise ValueError("nothing is divided by 0")
    return float(quotient[1]) / float(quotient[2])


Turns = Annotated[
    float,
    BeforeValidator(_turns),
    Field(ge=LEAST, le=MOST),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": LEAST, "maximum": MOST},
                {"type": "string", "pattern": f"^{_QUOTIENT.pattern}$"},
            ]
        }
    ),
]


class Standing(Section):
    """What there is around a device."""

    place: list[Name] = Field([], max_length=8, description="where it is within the site: line, cell")
    ct: Turns = Field(1.0, description="ratio of the current transformers, such as 400/5, for tags with `ratio`")
    pt: Turns = Field(1.0, description="ratio of the voltage transformers, such as 10000/100")

    @property
    def alone(self) -> bool:
        """Whether it shares nothing with others at its endpoint, so that it can be started and stopped by itself."""
        return False
