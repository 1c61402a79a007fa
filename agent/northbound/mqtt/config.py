"""What an `mqtt` sink is told besides where the broker is: under which topics, and how many frames at a time."""

from typing import Annotated

from pydantic import AfterValidator, Field

from agent.northbound.broker.config import BrokerConfig
from agent.northbound.mqtt.topic import check


class Config(BrokerConfig):
    """An MQTT broker. The README beside this file explains each key."""

    topic: Annotated[str, AfterValidator(check)] = Field(
        "floorgate/{gateway}/{device}/{group}",
        description="where frames go; placeholders {gateway}, {site}, {device}, {group}",
    )
    batch: int = Field(100, ge=1, le=1000, description="frames handed over at a time")
