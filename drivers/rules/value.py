"""What can be said of any value, whether it is read or worked out."""

from pydantic import Field

from agent.model.tag import Kind
from drivers.section import Section


class ValueConfig(Section):
    """What a value means, and what becomes of it."""

    unit: str = Field("", max_length=32, description="UCUM code, such as kWh")
    kind: Kind = Field("gauge", description="what the numbers mean")
    description: str = Field("", max_length=512, description="for people")
