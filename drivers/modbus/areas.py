"""The words of a PLC, and where they are in Modbus: `D100` is holding register 100, `X17` coil 0xF80F.

An area is a stretch of words with the same letters before their numbers. Its first word is at a base, and the others
follow: in octal where the PLC counts so, as a byte and a bit (`Q0.3`), in steps (`AIW0`, `AIW2`), with two registers
each (`C200`). Between two areas there may be addresses that the PLC does not have.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from drivers.api import Name, Section
from drivers.modbus.kinds import BIT_REGISTERS, Register

MOST = 256  # areas of a device
LAST = 65_535  # address
_WORD = re.compile(r"([A-Za-z]{1,8})([0-9]{1,6})(?:\.([0-9]{1,2}))?")
_BITS = 8  # of a byte: Q0.7 comes before Q1.0


class Absent(Exception):
    """A word that is not in any area: why, and what to write instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class Word(NamedTuple):
    """`D100` is `letters` and `digits`; `tail` is what stands behind a point, or empty."""

    letters: str
    digits: str
    tail: str = ""


with warnings.catch_warnings():
    # `register` is the word of the field; pydantic means the method of the same name that ABCMeta gives to classes
    warnings.filterwarnings("ignore", message='Field name "register"')

    class Area(Section):
        """A stretch of a PLC's words."""

        register: Register = Field(description="the table that it is in")
        base: int = Field(ge=0, le=LAST, description="0-based address of its first word")
        radix: Literal[10, 8] = Field(10, description="8: its numbers are octal, after X7 comes X10")
        words: Literal[1, 2] = Field(1, description="registers that each number takes; 2 for counters of 32 bits")
        step: int = Field(
            1, ge=1, le=8, description="how far the numbers of neighbours are apart: 2 for AIW0, AIW2, AIW4"
        )
        first: str = Field(max_length=16, description="its first word, as the PLC writes it: D0, X0, Q0.0")
        last: str = Field(max_length=16, description="its last word")
        read_only: bool = Field(False, description="true: the PLC takes no values there, as inputs that are coils")
        status: Literal["confirmed", "draft", "unverified"] = Field(
            "draft", description="confirmed: two sources agree where it is; unverified: no written one says so"
        )

        @field_validator("words")
        @classmethod
        def _of_registers(cls, words: int, info: ValidationInfo) -> int:
            if words > 1 and info.data.get("register") in BIT_REGISTERS:
                raise ValueError(f"a {info.data['register']} is one bit: words of 2 registers are in input or holding")
            return words

        @field_validator("first")
        @classmethod
        def _begins(cls, first: str, info: ValidationInfo) -> str:
            number(parsed(first), int(info.data.get("radix", 10)))
            if "." in first and info.data.get("register") not in BIT_REGISTERS:
                raise ValueError(f"{first!r} is a bit: such words are in coil or discrete")
            return first

        @field_validator("last")
        @classmethod
        def _ends(cls, last: str, info: ValidationInfo) -> str:
            if "first" not in info.data:
                return last
            begin, end = parsed(info.data["first"]), parsed(last)
            radix = int(info.data.get("radix", 10))
            if begin.letters != end.letters or bool(begin.tail) != bool(end.tail):
                raise ValueError(f"{last!r} is not such a word as `first`, {info.data['first']!r}")
            count, rest = divmod(number(end, radix) - number(begin, radix), info.data.get("step", 1))
            if count < 0 or rest:
                raise ValueError(
                    f"{last!r} does not come after {info.data['first']!r}" + " in whole steps" * bool(rest)
                )
            if (end_at := info.data.get("base", 0) + (count + 1) * info.data.get("words", 1) - 1) > LAST:
                raise ValueError(f"it would be at {end_at}, and the last address is {LAST}")
            return last

        @cached_property
        def begin(self) -> Word:
            return parsed(self.first)

        @cached_property
        def numbers(self) -> range:
            """Those of its words, one after the other."""
            return range(number(self.begin, self.radix), number(parsed(self.last), self.radix) + 1, self.step)

        @property
        def is_bits(self) -> bool:
            return self.register in BIT_REGISTERS

        @cached_property
        def stop(self) -> int:
            """The first address behind it."""
            return self.base + len(self.numbers) * self.words

        def word(self, at: int) -> str:
            """The word that begins at the address, or the one that it is part of."""
            found = self.numbers[(at - self.base) // self.words]
            if self.begin.tail:
                return f"{self.begin.letters}{found // _BITS}.{found % _BITS}"
            return f"{self.begin.letters}{found:o}" if self.radix == 8 else f"{self.begin.letters}{found}"

        def __str__(self) -> str:
            return self.first if self.first == self.last else f"{self.first} to {self.last}"


def apart(areas: dict[str, Area]) -> dict[str, Area]:
    """Raises ValueError where a word would be in two areas of the same kind."""
    rows = sorted(areas.items(), key=lambda each: (each[1].begin.letters, each[1].is_bits, each[1].numbers.start))
    for (name, area), (other, after) in pairwise(rows):
        same = (area.begin.letters, area.is_bits) == (after.begin.letters, after.is_bits)
        if same and after.numbers.start < area.numbers.stop:
            raise ValueError(f"{after.first} is in {other!r} and in {name!r}, which has {area}")
    return areas


Areas = Annotated[dict[Name, Area], Field(max_length=MOST), AfterValidator(apart)]


def parsed(text: str) -> Word:
    """Raises ValueError for what cannot be a word of a PLC."""
    match = _WORD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no word of a PLC: letters and a number, such as D100, X17 or Q0.3")
    return Word(match[1].upper(), match[2], match[3] or "")


def number(word: Word, radix: int) -> int:
    """What is counted: the number, or 8 for each byte and 1 for each bit. Raises ValueError."""
    if word.tail:
        bit = int(word.tail)
        if bit >= _BITS:
            raise ValueError(f"a byte has no bit {bit}: {word.letters}{word.digits}.0 to {word.letters}{word.digits}.7")
        return int(word.digits) * _BITS + bit
    if radix == 8 and set(word.digits) & set("89"):
        said = f"{word.letters}{word.digits}"
        raise ValueError(f"{said} cannot be: {word.letters} counts in octal, and 8 and 9 are no octal digits")
    return int(word.digits, radix)


class Found(NamedTuple):
    """A word's area, by its name, and where the word is."""

    name: str
    area: Area
    address: int
    bit: int | None = None


class Atlas:
    """The areas of a device, by their letters."""

    def __init__(self, areas: Mapping[str, Area]) -> None:
        self._areas = dict(areas)
        self._by: dict[str, list[tuple[str, Area]]] = {}
        for name, area in sorted(areas.items(), key=lambda each: each[1].numbers.start):
            self._by.setdefault(area.begin.letters, []).append((name, area))

    @property
    def letters(self) -> list[str]:
        return sorted(self._by)

    def tables(self, word: Word) -> list[Register]:
        """The tables in which words with these letters are. Raises Absent."""
        if word.letters not in self._by:
            near = get_close_matches(word.letters, self._by, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}{word.digits}?" if near else f"there are {', '.join(self.letters)}"
            raise Absent(f"there is no area {word.letters}", hint)
        return list(dict.fromkeys(area.register for _, area in self._by[word.letters]))

    def find(self, word: Word, register: str) -> Found:
        """Where a word is in a table that has such words. Raises Absent."""
        rows = [(name, area) for name, area in self._by[word.letters] if area.register == register]
        sample = rows[0][1]
        said = f"{word.letters}{word.digits}" + f".{word.tail}" * bool(word.tail)
        bit = None
        if sample.begin.tail and not word.tail:
            raise Absent(f"{said} is a byte", f"say which bit: {said}.0 to {said}.7")
        if word.tail and not sample.begin.tail:
            bit, word = _bit_of(word, said, sample), word._replace(tail="")
        try:
            wanted = number(word, sample.radix)
        except ValueError as error:
            raise Absent(str(error), _after(word) if sample.radix == 8 else "") from None
        for name, area in rows:
            if area.numbers.start <= wanted < area.numbers.stop:
                if wanted not in area.numbers:
                    hint = f"there are {area.word(area.base)}, {area.word(area.base + area.words)}, …"
                    raise Absent(f"{said} is none of {area}", hint)
                return Found(name, area, area.base + area.numbers.index(wanted) * area.words, bit)
        raise Absent(*_outside(said, wanted, [area for _, area in rows]))

    def reaches(self, register: str, start: int, stop: int) -> bool:
        """Whether the PLC has all addresses of a table from `start` up to, not including, `stop`."""
        for first, end in sorted((area.base, area.stop) for area in self._areas.values() if area.register == register):
            if first <= start < end:
                start = end
        return start >= stop

    def words(self, register: str, address: int) -> Iterator[str]:
        """How the PLC itself calls what is at an address."""
        for area in self._areas.values():
            if area.register == register and area.base <= address < area.stop:
                yield area.word(address)


def _bit_of(word: Word, said: str, area: Area) -> int:
    if area.is_bits:
        raise Absent(f"{said} cannot be: {word.letters}{word.digits} is one bit", "leave the point away")
    if int(word.tail) > 15 or area.words > 1:
        raise Absent(f"{said} cannot be: a register has the bits 0 to 15", "`bit:` names one of a wider number")
    return int(word.tail)


def _after(word: Word) -> str:
    return f"after {word.letters}7 comes {word.letters}10, after {word.letters}17 {word.letters}20"


def _outside(said: str, wanted: int, areas: list[Area]) -> tuple[str, str]:
    """(why, what there is) of a number that is in none of the areas, which are in their order."""
    below = [area for area in areas if area.numbers.stop <= wanted]
    above = [area for area in areas if area.numbers.start > wanted]
    if below and above:
        return f"there is no {said}: it would be between {below[-1].last} and {above[0].first}", ""
    ends = f"the last one is {below[-1].last}" if below else f"the first one is {above[0].first}"
    return f"there is no {said}: {ends}", f"there are {', '.join(map(str, areas))}"
