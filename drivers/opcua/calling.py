"""What a device says of the methods that may be called."""

from typing import Annotated

from pydantic import AfterValidator, Field

from drivers.api import MethodConfig
from drivers.opcua.nodes import parse


def _node(text: str) -> str:
    parse(text)
    return text


class Method(MethodConfig):
    """A method of an object."""

    object: Annotated[str, AfterValidator(_node)] = Field(description="the object that does it")
    node: Annotated[str, AfterValidator(_node)] = Field(description="the method")
