"""Whether a unit is there, who it says it is, and which device map it behaves like: questions to one unit."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from drivers.modbus.asking import identify, look
from drivers.modbus.identify import Identity, identity, parse
from drivers.modbus.likeness import LIKELY, Feature, Likeness, judged
from drivers.modbus.link import Request

MOST = 64  # requests to find out which map fits
SILENCES = 4  # after so many a device is not asked for more
HELD = "holding 0 is"  # how the presence of a unit with registers is told
PARTS = 4  # answers that an identification may take
Answers = Callable[[Request], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Guess:
    """A map that a device may have."""

    map: str
    likeness: Likeness


async def presence(ask: Answers, unit: int, tries: int = 1) -> str | None:
    """What a unit says to a plain question, be it a refusal; None when there is no answer. Raises Garbled."""
    for _ in range(tries):
        try:
            answer = await ask(look(unit, "holding", 0))
        except Refused as error:
            return error.message.rpartition(": ")[2]
        except Unreachable:
            continue
        return f"{HELD} {answer[2:].hex()}"
    return None


async def introduced(ask: Answers, unit: int) -> Identity | None:
    """Who it says it is; None when it does not know the question, or does not answer it properly."""
    objects: dict[int, bytes] = {}
    following = 0
    for _ in range(PARTS):
        try:
            part = parse(await ask(identify(unit, following)))
        except (DeviceError, ValueError):
            break
        objects.update(part.objects)
        if part.more is None or part.more <= following:
            break
        following = part.more
    return identity(objects) if objects else None


async def guesses(ask: Answers, unit: int, maps: Mapping[str, Sequence[Feature]], who: Identity | None) -> list[Guess]:
    """The maps that are likely, the best one first; of two that are as good the one whose name the device says, else
    the one for which more readings speak: a small meter's registers are those of a large one, too.

    Equal blocks of several maps are read once.
    """
    known: dict[tuple[str, int, int], bytes | None] = {}
    silences = 0
    found = []
    for name, asked in maps.items():
        answers = []
        for each in asked:
            key = (each.register, each.address, each.count)
            if key not in known and len(known) < MOST and silences < SILENCES:
                known[key], silent = await _read(ask, unit, each)
                silences += silent
            answers.append(known.get(key))
        found.append(Guess(name, judged(asked, answers)))
    likely = [guess for guess in found if guess.likeness.score >= LIKELY]
    said = str(who or "").lower()
    named = {guess.map: sum(word in said for word in guess.map.split("-")) for guess in likely}
    return sorted(likely, key=lambda guess: (-guess.likeness.score, -named[guess.map], -guess.likeness.fits))


async def _read(ask: Answers, unit: int, feature: Feature) -> tuple[bytes | None, bool]:
    """The answer if there is one, and whether there was silence instead."""
    try:
        return await ask(look(unit, feature.register, feature.address, feature.count)), False
    except Refused:
        return None, False
    except (Unreachable, Garbled):
        return None, True
