"""What happens to a plant and when: lines such as `t=10s meter-7 dead`, or `meter-7 dead` for at once."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from agent.model.errors import ConfigError
from agent.model.text import duration
from agent.simulate.faults import HINT, Fault, parse_fault

LARGEST = 1 << 20  # bytes of a script
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` on (seconds of the plant) these devices have this fault."""

    at: float
    devices: tuple[str, ...]
    fault: Fault


def parse_step(line: str, known: Collection[str], now: float = 0.0) -> Step:
    """One line. Raises ValueError."""
    words = line.split()
    at = now
    if words and words[0].startswith("t="):
        at = duration(words.pop(0)[2:])
    if len(words) == 1 and "=" in words[0]:
        words = words[0].rsplit("=", 1)  # a name may have one, too
    if len(words) != 2:
        raise ValueError(f"{line.strip()[:80]!r} is not DEVICE FAULT: {HINT}")
    name, told = words
    if name != _ALL and name not in known:
        listed = sorted(known)
        raise ValueError(f"there is no device {name!r}: {', '.join(listed[:8])}{', …' if len(listed) > 8 else ''}")
    return Step(at, tuple(known) if name == _ALL else (name,), parse_fault(told, at))


def read_script(path: Path, known: Collection[str]) -> list[Step]:
    """All lines of a file in the order of their times; `#` begins a comment. Raises ConfigError with all that is wrong.

    A step without a time happens at the start.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="name a file with lines such as `t=10s meter-7 dead`"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: this is not UTF-8 text", hint="save it as UTF-8") from error
    if len(data) > LARGEST:
        raise ConfigError(f"{path}: a script has at most {LARGEST >> 20} MB", hint="leave some of its steps out")
    steps: list[Step] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip()
        try:
            steps += [parse_step(said, known)] if said else []
        except ValueError as error:
            wrong.append(f"{path}:{number}: {error}")
    if wrong:
        raise ConfigError("\n".join(wrong[:50]))
    return sorted(steps, key=lambda step: step.at)
