"""What a `file` sink is told: which file, and how much of it to keep."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.northbound.api import SinkConfig, Size


def _path(text: str) -> str:
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name != "gateway":
            raise ValueError(f"{{{name}}} is not a placeholder of a path: there is {{gateway}}")
    if not text or text.endswith("/") or "\0" in text:
        raise ValueError(f"{text!r} does not name a file")
    return text


class Config(SinkConfig):
    """A file of JSON lines. The README beside this file explains each key."""

    path: Annotated[str, AfterValidator(_path)] = Field(description="the file; {gateway} stands for the gateway's id")
    max_size: Annotated[Size, Field(ge=4096)] = Field(64 << 20, description="size from which a new file is begun")
    keep: int = Field(5, ge=1, le=1000, description="how many full files are kept beside the current one")
    batch: int = Field(500, ge=1, le=5000, description="frames written and synced at a time")
