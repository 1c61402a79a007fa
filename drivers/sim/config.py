"""What a simulated device is told: each tag is a wave."""

from typing import Annotated, Literal

from pydantic import Field

from agent.model.tag import DType
from drivers.api import DriverConfig, Seconds, TagConfig

Wave = Literal["sine", "ramp", "square", "counter", "constant", "text"]
_DTYPES: dict[str, DType] = {"counter": "int64", "square": "bool", "text": "str"}


class Tag(TagConfig):
    """A tag that follows a wave between `low` and `high`."""

    wave: Wave = Field("sine", description="shape over time; counter grows by one each period, text spells the number")
    type: DType | None = Field(
        None, description="default: int64 for counter, bool for square, str for text, else float64"
    )
    low: float = Field(0.0, allow_inf_nan=False, description="lowest value (constant: the value)")
    high: float = Field(100.0, allow_inf_nan=False, description="highest value")
    period: Annotated[Seconds, Field(gt=0)] = Field(60.0, description="length of one wave")

    @property
    def dtype(self) -> DType:
        return self.type or _DTYPES.get(self.wave, "float64")


class Config(DriverConfig):
    """A simulated device."""

    endpoint: str = Field("sim:", description="simulated devices with the same endpoint share a line")
    tags: list[Tag] = Field([], description="the tags")
