"""What a `thingsboard` sink is told besides where the platform is: the token, names, how much goes into a message."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from agent.northbound.api import Commanded, Seconds, Secret, Size
from agent.northbound.broker.config import BrokerConfig
from agent.northbound.thingsboard.names import check


class Config(Commanded, BrokerConfig):
    """ThingsBoard, to which we are a gateway device. The README beside this file explains each key."""

    token: Secret | None = Field(None, description="access token of the gateway: ${NAME}, file:PATH or credential:NAME")
    device: Annotated[str, AfterValidator(check)] = Field(
        "{device}", description="how devices are called there; placeholders {device}, {gateway} and {site}"
    )
    profile: str = Field("default", min_length=1, max_length=255, description="device profile of devices that are new")
    quality: bool = Field(True, description="whether the quality of a tag is told, as TAG_quality, when it changes")
    max_payload: Annotated[Size, Field(ge=512, le=1 << 20)] = Field(
        8 << 10, description="bytes of a message that the platform takes"
    )
    together: bool = Field(
        False,
        description="whether devices share messages: fewer, but older platforms confirm it with its first device",
    )
    hold_off: Annotated[Seconds, Field(ge=0, le=60)] = Field(
        5.0, description="how long after a device was connected an RPC without a time counts as one that has waited"
    )
    batch: int = Field(100, ge=1, le=1000, description="frames handed over at a time")

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if self.token is not None and (self.username or self.password is not None):
            raise ValueError("`token`, and `username` with `password`, say who we are in two ways: keep one of them")
        return self
