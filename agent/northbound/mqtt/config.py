"""What an `mqtt` sink is told besides where the broker is: under which topics, in which words, how many at a time."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agent.northbound.api import Commanded
from agent.northbound.broker.config import BrokerConfig
from agent.northbound.mqtt.topic import check
from agent.northbound.shapes import Shape
from agent.northbound.shapes.compress import Compression, available

_ALONE = ("envelope", "values", "flat")


class Config(Commanded, BrokerConfig):
    """An MQTT broker. The README beside this file explains each key."""

    topic: Annotated[str, AfterValidator(check)] = Field(
        "floorgate/{gateway}/{device}/{group}",
        description="where frames go: {gateway}, {site}, {place}, {device}, {group}, and {tag} with `per: tag`",
    )
    shape: Shape = Field("envelope", description="what a message looks like")
    per: Literal["frame", "tag", "batch"] = Field("frame", description="what one message is for")
    retain: bool | None = Field(
        None, description="whether the broker keeps the last message of a topic; without it with `per: tag` only"
    )
    compress: Compression = Field("none", description="what makes payloads smaller")
    batch: int = Field(100, ge=1, le=1000, description="frames handed over at a time")

    @property
    def retained(self) -> bool:
        return self.per == "tag" if self.retain is None else self.retain

    @model_validator(mode="after")
    def _says_what_can_be_said(self) -> Self:
        if (self.per == "tag") != ("{tag}" in self.topic):
            raise ValueError("`per: tag` needs {tag} in `topic`, and only that: 'floorgate/{gateway}/{device}/{tag}'")
        if self.per == "tag" and self.shape not in _ALONE:
            raise ValueError(f"`per: tag` has the shapes {', '.join(_ALONE)}: {self.shape} is for whole frames")
        if self.per == "batch" and self.retain:
            raise ValueError("`retain` with `per: batch` would keep some frames of many: leave one of them out")
        if not available(self.compress):
            raise ValueError("`compress: zstd` needs a package that is not installed: pip install 'floorgate[zstd]'")
        return self
