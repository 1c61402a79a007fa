"""What the configuration says of one Modbus tag: where it is, what it holds, and what its numbers mean."""

import re
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from math import isnan, nan
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from agent.model.tag import DType
from drivers.api import Name, TagConfig, WriteConfig
from drivers.modbus import spelling
from drivers.modbus.areas import Area, Atlas
from drivers.modbus.kinds import (
    BIT_REGISTERS,
    BITS,
    BYTES,
    DATE_WORDS,
    DTYPES,
    FLOATS,
    INTEGERS,
    SIZED,
    WORDS,
    Layout,
    Register,
    TagOrder,
    Type,
    pattern,
)
from drivers.modbus.placing import placed
from drivers.placing import Placer

READ_ONLY = frozenset({"discrete", "input"})
UNWRITABLE = "registers cannot be written: only holding registers and coils can"
MOST_WRITTEN = 123  # registers, in one request
_SCALES = (1e-30, 1e30)
_MOST_NAMES = 256


def _numbered(table: Any) -> Any:
    """Keys of a YAML mapping are text: `0x200` and `512` are numbers here."""
    if not isinstance(table, dict):
        return table
    keys = [int(key, 0) if isinstance(key, str) and _NUMBER.fullmatch(key) else key for key in table]
    return _each_once(zip(keys, table.values(), strict=True))


def _each_once(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Raises ValueError when a number has two names: 16 and 0x10 are the same."""
    found: dict[Any, Any] = {}
    for number, name in pairs:
        if number in found:
            raise ValueError(f"{number} has two names: {found[number]!r} and {name!r}")
        found[number] = name
    return found


def _listed(markers: Any) -> Any:
    """One marker may stand without brackets, and `nan` is the number that is none."""
    found = markers if isinstance(markers, list) else [markers]
    return [nan if isinstance(each, str) and each.lower() in ("nan", ".nan") else each for each in found]


def _or(*kinds: str, **limits: int) -> WithJsonSchema:
    """Several JSON types, for editors."""
    return WithJsonSchema({"anyOf": [{"type": kind} for kind in kinds], **limits})


_NUMBER = re.compile(r"-?(0x[0-9a-fA-F]+|0|[1-9][0-9]*)")
_Word = Annotated[str, Field(min_length=1, max_length=128)]

with warnings.catch_warnings():
    # `register` is the word of the field; pydantic means the method of the same name that ABCMeta gives to classes
    warnings.filterwarnings("ignore", message='Field name "register"')

    class Tag(TagConfig):
        """A value in one or more registers, in one bit of a register, or a coil."""

        register: Register = Field("holding", description="the table that it is in")
        type: Type = Field("uint16", description="what the registers hold; bool for coils, discrete inputs and bits")
        order: TagOrder | None = Field(
            None, description="order of the bytes, A is the highest; AB and BA for one register; default: the device's"
        )
        bit: int | None = Field(None, ge=0, le=63, description="one bit of the number, 0 is the lowest")
        bits: Annotated[dict[int, Name], BeforeValidator(_numbered)] = Field(
            {}, max_length=64, description="names of single bits: each becomes a bool tag of its own, TAG_NAME"
        )
        layout: Layout | None = Field(
            None, validate_default=True, description="how a datetime is written: unix, iec870, bcd or words"
        )
        length: int = Field(0, ge=0, le=125, validate_default=True, description="registers that a string or bytes take")
        write: WriteConfig | None = Field(None, description="what may be written; without it the tag is read only")
        address_base: Literal[0, 1] | None = Field(
            None, description="what `address` is counted from; default: the device's"
        )
        address: Annotated[int, _or("integer", "string", minimum=0, maximum=465_536)] = Field(
            ge=0, le=65535, description="0-based: 40001 of a manual is 0"
        )
        unit_id: int | None = Field(
            None, ge=0, le=255, description="the unit id that a short form names; it must be the device's"
        )
        enum: Annotated[dict[int, _Word], BeforeValidator(_numbered)] = Field(
            {}, max_length=_MOST_NAMES, description="names of numbers: the value is the name, as text"
        )
        invalid: Annotated[list[int | float], BeforeValidator(_listed), _or("array", "number", "string")] = Field(
            [], max_length=16, description="raw numbers, or nan, by which the device says that it has no value"
        )
        scale: float = Field(1.0, allow_inf_nan=False, description="the raw number is multiplied by it")
        offset: float = Field(0.0, allow_inf_nan=False, description="added after scaling")

        @classmethod
        def spelt(cls, text: str) -> dict[str, Any]:
            return spelling.one_line(text)

        @classmethod
        def placer(cls, areas: Mapping[str, Area]) -> Placer | None:
            return partial(placed, Atlas(areas)) if areas else None

        @model_validator(mode="before")
        @classmethod
        def _spelling(cls, data: Any) -> Any:
            if not isinstance(data, dict):
                return data
            data = spelling.resolved(data)
            if "type" not in data:
                single = data.get("register") in ("coil", "discrete") or data.get("bit") is not None
                dated = isinstance(data.get("layout"), str)
                return {**data, "type": "bool"} if single else {**data, "type": "datetime"} if dated else data
            return data

        @field_validator("type")
        @classmethod
        def _fits_its_table(cls, kind: Type, info: ValidationInfo) -> Type:
            if info.data.get("register") in BIT_REGISTERS and kind != "bool":
                raise ValueError(f"a {info.data['register']} is one bit: its type is bool, not {kind}")
            return kind

        @field_validator("order")
        @classmethod
        def _fits_its_width(cls, order: str | None, info: ValidationInfo) -> str | None:
            kind = info.data.get("type", "uint16")
            if order in ("AB", "BA") and WORDS.get(kind, 1) > 1:
                raise ValueError(f"{order} is for one register, {kind} has {WORDS[kind]}: ABCD, CDAB, BADC or DCBA")
            return order

        @field_validator("bit")
        @classmethod
        def _is_in_a_register(cls, bit: int | None, info: ValidationInfo) -> int | None:
            if bit is not None:
                _has_bits([bit], info)
            return bit

        @field_validator("bits")
        @classmethod
        def _are_in_a_register(cls, bits: dict[int, str], info: ValidationInfo) -> dict[int, str]:
            if bits and info.data.get("bit") is not None:
                raise ValueError("`bit` is one bit, `bits` names several: keep one of the two")
            if bits:
                _has_bits(list(bits), info)
            if len(set(bits.values())) < len(bits):
                raise ValueError("two bits have the same name")
            return bits

        @field_validator("layout")
        @classmethod
        def _is_for_dates(cls, layout: str | None, info: ValidationInfo) -> str | None:
            kind = info.data.get("type")
            if kind == "datetime" and layout is None:
                raise ValueError("a datetime needs its layout: unix, iec870, bcd or words")
            if kind is not None and kind != "datetime" and layout is not None:
                raise ValueError(f"a {kind} has no layout: only a datetime has one")
            return layout

        @field_validator("length")
        @classmethod
        def _is_for_strings(cls, length: int, info: ValidationInfo) -> int:
            kind = info.data.get("type")
            if kind in SIZED and not length:
                raise ValueError(f"{_a(kind)} needs its length in registers, 2 {_parts(kind)} each")
            words = DATE_WORDS.get(str(info.data.get("layout"))) if kind == "datetime" else WORDS.get(str(kind))
            if words and length not in (0, words):
                raise ValueError(f"a {kind} takes {words} registers, not {length}: only a string has a length")
            return length

        @field_validator("address", mode="before")
        @classmethod
        def _is_spelt_right(cls, address: Any, info: ValidationInfo) -> Any:
            if isinstance(address, str):
                raise ValueError(spelling.objection(address, info.data))
            if address == 0 and info.data.get("address_base") == 1:
                raise ValueError("counted from 1 there is no address 0")
            return address

        @field_validator("address")
        @classmethod
        def _ends_in_its_table(cls, address: int, info: ValidationInfo) -> int:
            words = info.data.get("length") or _width(info.data.get("type"), info.data.get("layout"))
            if address + words > 65536:
                raise ValueError(f"{words} registers from {address} reach beyond the last one, 65535")
            return address

        @field_validator("enum")
        @classmethod
        def _names_integers(cls, enum: dict[int, str], info: ValidationInfo) -> dict[int, str]:
            kind = info.data.get("type", "")
            if enum and kind and (kind not in INTEGERS or info.data.get("bit") is not None or info.data.get("bits")):
                what = "bit" if kind in INTEGERS else kind
                raise ValueError(f"a {what} has no enum: it names the numbers of an integer")
            return _each_once((pattern(kind, number), name) for number, name in enum.items()) if kind else enum

        @field_validator("invalid")
        @classmethod
        def _can_be_read(cls, markers: list[int | float], info: ValidationInfo) -> list[int | float]:
            kind = info.data.get("type", "")
            single = info.data.get("bit") is not None or info.data.get("bits")
            if markers and kind and (kind not in INTEGERS | FLOATS or single):
                raise ValueError(f"a {'bit' if kind in INTEGERS else kind} has no invalid numbers")
            if kind not in INTEGERS:
                return markers
            if any(isinstance(marker, float) for marker in markers):
                raise ValueError(f"a {kind} is a whole number, so its markers are: such as 0x7FFF")
            return [pattern(kind, int(marker)) for marker in markers]

        @field_validator("write")
        @classmethod
        def _can_be_written(cls, write: WriteConfig | None, info: ValidationInfo) -> WriteConfig | None:
            if write is None:
                return write
            kind, single = info.data.get("type"), info.data.get("bit") is not None or info.data.get("bits")
            if info.data.get("register") in READ_ONLY:
                raise ValueError(f"{info.data['register']} {UNWRITABLE}")
            if kind == "datetime":
                raise ValueError("a datetime cannot be written")
            if info.data.get("length", 0) > MOST_WRITTEN:
                raise ValueError(f"at most {MOST_WRITTEN} registers can be written at once")
            numbers = (write.min, write.max, write.step, write.change)
            if (kind in SIZED | {"bool"} or single) and numbers != (None,) * len(numbers):
                raise ValueError(
                    f"{_a('bool' if single else kind)} has no `min`, `max`, `step` or `change`: numbers have"
                )
            return write

        @field_validator("scale", "offset")
        @classmethod
        def _is_for_numbers(cls, number: float, info: ValidationInfo) -> float:
            kind, neutral = info.data.get("type"), 1.0 if info.field_name == "scale" else 0.0
            if number == neutral:
                return number
            if kind in SIZED or kind == "datetime":
                raise ValueError(f"{_a(kind)} cannot be scaled")
            if kind == "bool" or info.data.get("bit") is not None or info.data.get("bits"):
                raise ValueError("a bool cannot be scaled")
            if info.data.get("enum"):
                raise ValueError("what has an enum cannot be scaled: its value is a name")
            if not _SCALES[0] <= abs(number) <= _SCALES[1]:
                raise ValueError("must be between 1e-30 and 1e30 in size")
            return number

        @property
        def words(self) -> int:
            """How many registers (or coils) it takes."""
            return self.length or _width(self.type, self.layout)

        @property
        def scaled(self) -> bool:
            return self.scale != 1.0 or self.offset != 0.0

        @property
        def nan_is_invalid(self) -> bool:
            return any(isnan(marker) for marker in self.invalid)

        @property
        def dtype(self) -> DType:
            """The width of the source; a scaled number is a float64, so that nothing of it is lost."""
            if self.type == "bool" or self.bit is not None:
                return "bool"
            if self.enum:
                return "str"
            return "float64" if self.scaled else DTYPES.get(self.type, self.type)  # type: ignore[return-value]  # what is no dtype has one in the table

        @property
        def is_view(self) -> bool:
            """It looks at registers that may hold another tag's number as well: bits, bytes, text, names."""
            return (
                self.type in BYTES | SIZED | {"bool", "datetime"}
                or bool(self.enum or self.bits)
                or self.bit is not None
            )


def _width(kind: str | None, layout: str | None) -> int:
    return DATE_WORDS.get(str(layout), 1) if kind == "datetime" else WORDS.get(str(kind), 1)


def _has_bits(numbers: list[int], info: ValidationInfo) -> None:
    register, kind = info.data.get("register"), info.data.get("type", "bool")
    if register in BIT_REGISTERS:
        raise ValueError(f"a {register} is one bit already")
    if kind not in BITS:
        raise ValueError(f"a {kind} has no single bits: a bit is a bool")
    for number in numbers:
        if not 0 <= number < BITS[kind]:
            more = ", or with `type: uint32` up to 31" if BITS[kind] == 16 else ""
            raise ValueError(f"a {kind} has no bit {number}: 0 to {BITS[kind] - 1}{more}")


def _a(kind: str | None) -> str:
    return "what is bytes" if kind == "bytes" else f"a {kind}"


def _parts(kind: str | None) -> str:
    return "bytes" if kind == "bytes" else "characters"
