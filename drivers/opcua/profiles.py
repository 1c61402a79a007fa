"""What known servers can take beyond what they say of themselves; a server that nobody knows is asked with care.

Sources: Siemens, "Communication" (function manual of the S7-1500, A5E03735815, chapter on the CPU as OPC UA server) and
"S7-1200: System Manual", with Siemens Industry Online Support 109755846 and 109775168: least sampling and publishing
intervals. A CPU revises what is too fast for it anyway. An S7-1500 refuses calls of more than 1,000 items, and more
than 1,000 in several calls at a time (epics-modules/opcua, issues 177 and 201): half of that, and one call after the
other, leaves room for other clients. How many nodes a CPU watches depends on the CPU, its project and its other
clients, so no figure stands here: it refuses what is too many itself, item by item.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Name = Literal["careful", "s7-1200", "s7-1500"]
Service = Literal["read", "monitor", "register", "translate", "history"]
_USUAL: Mapping[Service, int] = MappingProxyType(
    {"read": 500, "monitor": 100, "register": 100, "translate": 100, "history": 20}
)


@dataclass(frozen=True, slots=True)
class Profile:
    """`sizes` is items per call where the server names no limit, `most` the limit whatever it says; seconds."""

    name: Name
    sizes: Mapping[Service, int] = field(default_factory=lambda: _USUAL)
    most: int = 1000
    least_sampling: float = 0.0
    least_publishing: float = 0.0


PROFILES: dict[str, Profile] = {
    "careful": Profile("careful"),
    "s7-1200": Profile("s7-1200", most=100, least_sampling=0.1, least_publishing=0.2),
    "s7-1500": Profile("s7-1500", most=500, least_sampling=0.1, least_publishing=0.1),
}


def recognise(maker: object, product: object) -> Profile:
    """The profile of the server that names itself like this (BuildInfo: ManufacturerName, ProductName)."""
    if isinstance(maker, str) and "siemens" in maker.lower():
        model = re.search(r"(?:s7-?|cpu ?)?1([25])\d\d", str(product).lower())
        if model is not None:
            return PROFILES["s7-1200" if model[1] == "2" else "s7-1500"]
        if re.search(r"simatic|s7", str(product).lower()):
            return PROFILES["s7-1200"]
    return PROFILES["careful"]
