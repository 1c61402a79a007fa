"""What a `sparkplug` sink is told besides where the broker is: as whom it speaks, and whom it waits for."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agent.northbound.api import Commanded, Seconds
from agent.northbound.broker.config import BrokerConfig, Url
from agent.northbound.sparkplug.names import check


def _id(text: str) -> str:
    return text and check(text)


def _group(text: str) -> str:
    if text == "STATE":
        raise ValueError("STATE cannot be a group: that is where host applications say whether they are there")
    return _id(text)


class Config(Commanded, BrokerConfig):
    """A Sparkplug B edge node at an MQTT broker. The README beside this file explains each key."""

    group: Annotated[str, AfterValidator(_group)] = Field(
        "", description="Sparkplug group id; without one the first level of the site, or floorgate"
    )
    edge: Annotated[str, AfterValidator(_id)] = Field(
        "", description="Sparkplug edge node id; without one the gateway's id"
    )
    primary_host: Annotated[str, AfterValidator(_id)] = Field(
        "", description="id of the host application that must be online before anything is sent; without one none"
    )
    compat: Literal["3.0", "2.2"] = Field("3.0", description="which version of Sparkplug the host applications speak")
    others: list[Url] = Field([], max_length=16, description="urls of more brokers, tried in turn; never two at a time")
    barrier: Literal["ping", "marker"] = Field(
        "ping", description="how the broker tells that it has a batch: a PINGRESP, or the PUBACK of a message after it"
    )
    settle: Annotated[Seconds, Field(ge=0, le=10)] = Field(0.2, description="between births and the first data")
    statistics: Annotated[Seconds, Field(ge=0, le=86400)] = Field(
        30.0, description="how often the node tells how many samples it has sent, when it has; 0s: never"
    )
    batch: int = Field(100, ge=1, le=1000, description="frames handed over at a time")

    @model_validator(mode="after")
    def _alike(self) -> Self:
        for config in self.brokers()[1:]:
            if config.tls != self.tls:
                raise ValueError(f"{config.url!r} in `others`: all brokers are encrypted, or none is")
        return self

    def brokers(self) -> "list[Config]":
        """As this one, for each broker."""
        return [self, *(self.model_copy(update={"url": url, "others": []}) for url in self.others)]
