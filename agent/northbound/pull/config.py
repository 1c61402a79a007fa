"""What a `pull` sink is told: who may fetch what it is owed, and what else that token opens."""

from typing import Self

from pydantic import model_validator

from agent.northbound.api import Commanded, Pulled, SinkConfig


class Config(Commanded, Pulled, SinkConfig):
    """A consumer of the pull API. The README beside this file explains each key."""

    @model_validator(mode="after")
    def _says_what_can_be_done(self) -> Self:
        if "backfill" in self.model_fields_set:
            raise ValueError("`backfill` says nothing here: a consumer gets what it asks for, in order; leave it out")
        if ("commands" in self.scopes) != (self.commands is not None):
            raise ValueError("the scope `commands` and the section `commands: {allow: […]}` need each other")
        return self
