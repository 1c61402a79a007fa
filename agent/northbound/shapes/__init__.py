"""What a message says: frames as payloads, for every sink that lets a person choose."""

from collections.abc import Callable, Sequence
from typing import Literal

from agent.model.frame import Entry
from agent.northbound.encode import Encoder
from agent.northbound.shapes.texts import Flat, Tags, Values, batched

Shape = Literal["envelope", "values", "tags", "flat", "columnar"]
JSON: dict[str, Callable[[str], "Encoder | Values | Tags | Flat"]] = {
    "envelope": Encoder,
    "values": Values,
    "tags": Tags,
    "flat": Flat,
}
__all__ = ["JSON", "Shape", "batched", "encoder"]


def encoder(shape: Shape, gateway: str) -> Callable[[Entry], bytes]:
    """What writes one frame as one JSON object; `columnar` is none of these."""
    return JSON[shape](gateway).encode


def array(encode: Callable[[Entry], bytes]) -> Callable[[Sequence[Entry]], bytes]:
    """What writes frames as one JSON array."""
    return lambda entries: batched([encode(entry) for entry in entries])
