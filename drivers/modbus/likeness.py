"""How much a device behaves like a device map says: do its registers hold what they would hold there?

Voltages and frequencies of the mains give a meter away; a temperature or a power factor says little, and zero nothing.
One or two blocks with the most telling tags of a map are read; what the device refuses speaks against the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.frame import Value
from drivers.modbus.config import Config
from drivers.modbus.decode import Decode, registers
from drivers.modbus.kinds import BIT_REGISTERS, Register
from drivers.modbus.tag import Tag

BLOCKS = 2  # of a map, at most
TAGS = 12  # in a block, at most
GAP = 16  # registers that are read along
SURE = 3.0  # weight from which on a map has enough to say
LIKELY = 0.7  # score from which on a map is worth a word


@dataclass(frozen=True, slots=True)
class Trait:
    """What a tag tells: plausible from `low` to `high`, and how much that is worth."""

    low: float
    high: float
    weight: float


TRAITS = {
    "V": Trait(80, 500, 1.0),
    "kV": Trait(0.2, 40, 0.5),
    "Hz": Trait(45, 65, 2.0),
    "Cel": Trait(-40, 120, 0.2),
    "%": Trait(0, 100, 0.1),
    "A": Trait(0, 10_000, 0.1),
}
POWER_FACTOR = Trait(-1, 1, 0.3)
DIRECT = Trait(10, 1500, 0.1)  # volts of a string or a battery
_DIRECT = ("pv", "battery", "dc")


@dataclass(frozen=True, slots=True)
class Feature:
    """A block to read, and what its tags should hold."""

    register: Register
    address: int
    count: int
    traits: tuple[Trait, ...]
    decode: Decode

    @property
    def weight(self) -> float:
        return sum(trait.weight for trait in self.traits)


@dataclass(frozen=True, slots=True)
class Likeness:
    """`fits` of `of` readings make sense; `score` is 0 to 1."""

    score: float = 0.0
    fits: int = 0
    of: int = 0


def trait(tag: Tag) -> Trait | None:
    """What this tag tells of its device, if anything."""
    if not tag.enabled or tag.register in BIT_REGISTERS or tag.dtype in ("bool", "str"):
        return None
    if tag.unit == "V" and tag.name.startswith(_DIRECT):
        return DIRECT
    return POWER_FACTOR if tag.name.startswith("power_factor") else TRAITS.get(tag.unit)


def features(config: Config) -> tuple[Feature, ...]:
    """The most telling blocks of a device with this map."""
    telling = sorted((tag for tag in config.tags if trait(tag)), key=lambda tag: (tag.register, tag.address))
    groups: list[list[Tag]] = []
    for tag in telling:
        if groups and _joins(tag, groups[-1], config.max_registers):
            groups[-1].append(tag)
        else:
            groups.append([tag])
    made = [_feature(config, group[:TAGS]) for group in groups]
    return tuple(sorted(made, key=lambda each: -each.weight)[:BLOCKS])


def judged(asked: Sequence[Feature], answers: Sequence[bytes | None]) -> Likeness:
    """`answers` are whole PDUs, None where the device did not give one."""
    told = fits = 0.0
    right = of = 0
    for feature, answer in zip(asked, answers, strict=True):
        values: Sequence[Value] = [None] * len(feature.traits) if answer is None else feature.decode(answer)
        for each, value in zip(feature.traits, values, strict=True):
            if value == 0:
                continue
            good = isinstance(value, int | float) and each.low <= value <= each.high
            told, fits = told + each.weight, fits + each.weight * good
            right, of = right + good, of + 1
    return Likeness(fits / told * min(1.0, fits / SURE) if told else 0.0, right, of)


def _joins(tag: Tag, group: Sequence[Tag], most: int) -> bool:
    end = max(each.address + each.words for each in group)
    near = tag.address - end <= GAP and tag.address + tag.words - group[0].address <= most
    return near and tag.register == group[0].register


def _feature(config: Config, tags: Sequence[Tag]) -> Feature:
    start = tags[0].address
    count = max(tag.address + tag.words for tag in tags) - start
    traits = tuple(found for found in map(trait, tags) if found)
    ordered = [tag.model_copy(update={"order": config.order_of(tag)}) for tag in tags]
    return Feature(tags[0].register, start, count, traits, registers(ordered, start, config.order))
