"""Golden cases of a Modbus map: what registers hold at one moment of a device, and the values that they mean.

`NAME.hex` has a line for each stretch of registers, `FUNCTION ADDRESS: WORDS` with the words in hex and a remark behind
`#`; `NAME.yaml` beside it the values by tag, and under `quality` those that are not good.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import Report
from agent.config.files import Unreadable, read_bytes
from agent.config.reader import read
from agent.model.errors import AgentError
from agent.model.frame import Value
from agent.model.quality import quality_name
from drivers.api import LineConfig
from drivers.modbus.config import Config
from drivers.modbus.groups import planned
from drivers.modbus.plan import Block

MOST = 1 << 20  # bytes of a file
_FUNCTIONS = (1, 2, 3, 4)
_BITS = (1, 2)  # those that read coils and discrete inputs
_REGISTERS = 1 << 16  # as many there are, and as many numbers one holds
Image = Mapping[tuple[int, int], int]  # (function, address): what stands there


@dataclass(frozen=True, slots=True)
class Difference:
    """A tag whose value is another than the case says; `None`: it has none, or the case does not say."""

    tag: str
    found: str
    expected: str


def cases(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.hex"))


def judged(config: Config, case: Path) -> list[Difference]:
    """What the registers of the case mean by this map, against what they should. Raises AgentError for a bad case."""
    registers, expected = image(_text(case), case), _expected(case.with_suffix(".yaml"))
    quality = expected.pop("quality", {})
    found = dict(_values(config, registers, case))
    differences = [
        Difference(name, _shown(value, word), _shown(expected.get(name), quality.get(name, "good")))
        for name, (value, word) in found.items()
        if (repr(value), word) != (repr(expected.get(name)), quality.get(name, "good"))
    ]
    names = {tag.name for tag in config.tags}
    return differences + [
        Difference(name, "no such tag", repr(value)) for name, value in expected.items() if name not in names
    ]


def image(text: str, case: Path) -> Image:
    """Raises AgentError with the line that is wrong."""
    found: dict[tuple[int, int], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        where, colon, words = line.partition("#")[0].partition(":")
        if not where.strip() and not colon:
            continue
        stretch = _stretch(where, words)
        if stretch is None or stretch.keys() & found.keys():
            what = "not FUNCTION ADDRESS: WORDS" if stretch is None else "a register that is there already"
            raise AgentError(f"{case}:{number}: {what}", hint="such as `4 0x0000: 4366 3333  # voltage_l1`")
        found |= stretch
    return found


def _stretch(where: str, words: str) -> dict[tuple[int, int], int] | None:
    try:
        function, address = (int(each, 0) for each in where.split())
        found = {(function, at): int(word, 16) for at, word in enumerate(words.split(), address)}
    except ValueError:
        return None
    fits = all(0 <= at < _REGISTERS and 0 <= word < _REGISTERS for (_, at), word in found.items())
    return found if found and fits and 1 <= function <= len(_FUNCTIONS) else None


def _values(config: Config, registers: Image, case: Path) -> Iterator[tuple[str, tuple[Value, str]]]:
    line = LineConfig(endpoint=config.endpoint)
    for _, priced in planned(config, line):
        for block in (each.block for each in priced):
            columns = block.decode(_reply(block, registers, case))
            for tag, value, quality in zip(block.tags, columns, block.quality(columns), strict=True):
                yield tag.name, (value, quality_name(quality))


def _reply(block: Block, registers: Image, case: Path) -> bytes:
    """What a device with these registers would answer; where no tag is it may hold anything."""
    function = block.table.function
    words = [registers.get((function, at)) for at in range(block.address, block.address + block.count)]
    if words[0] is None or words[-1] is None:
        hint = "add what the device has there"
        raise AgentError(f"{case}: has not all registers of {block}", hint=hint)
    if function in _BITS:
        bits = sum(bool(word) << at for at, word in enumerate(words))
        data = bits.to_bytes((len(words) + 7) // 8, "little")
    else:
        data = b"".join((word or 0).to_bytes(2, "big") for word in words)
    return bytes((function, len(data))) + data


def _expected(path: Path) -> dict[str, Any]:
    report = Report()
    root = read(_text(path).encode(), str(path), report)
    report.settle()
    if not isinstance(root, dict):
        raise AgentError(f"{path}: the values by tag are a mapping", hint="such as `voltage_l1: 230.2`")
    return dict(root)


def _text(path: Path) -> str:
    try:
        return read_bytes(path, MOST).decode("utf-8-sig")
    except Unreadable as error:
        raise AgentError(f"{path}: {error.args[0]}", hint=error.hint) from error
    except UnicodeDecodeError as error:
        raise AgentError(f"{path}: this is not UTF-8 text") from error


def _shown(value: object, quality: str) -> str:
    return quality if value is None else f"{value!r}" + (f" ({quality})" if quality != "good" else "")
