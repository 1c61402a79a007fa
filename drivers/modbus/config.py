"""What the configuration says of a Modbus device and of each of its tags."""

import warnings
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from agent.model.tag import DType
from drivers.api import DriverConfig, Seconds, TagConfig, WriteConfig
from drivers.transport import parse_endpoint

Register = Literal["coil", "discrete", "input", "holding"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
TagOrder = Literal["ABCD", "CDAB", "BADC", "DCBA", "AB", "BA"]
Type = Literal[
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"
]
PORTS = {"tcp": 502, "rtu": 0, "ascii": 0, "rtu+tcp": 502, "ascii+tcp": 502, "udp": 502, "tls": 802, "listen": 0}
NUMBERED = frozenset({"tcp", "udp", "tls"})  # the schemes whose frames have transaction numbers
BIT_REGISTERS = frozenset({"coil", "discrete"})
WORDS = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "int64": 4,
    "uint64": 4,
    "float32": 2,
    "float64": 4,
}
_WITH_BITS = ("bool", "uint16", "int16")
_SCALES = (1e-30, 1e30)

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
        bit: int | None = Field(None, ge=0, le=15, description="one bit of the register, 0 is the lowest")
        length: int = Field(0, ge=0, le=125, validate_default=True, description="registers that a string takes")
        write: WriteConfig | None = Field(None, description="what may be written; without it the tag is read only")
        address: int = Field(ge=0, le=65535, description="0-based: 40001 of a manual is 0")
        scale: float = Field(1.0, allow_inf_nan=False, description="the raw number is multiplied by it")
        offset: float = Field(0.0, allow_inf_nan=False, description="added after scaling")

        @model_validator(mode="before")
        @classmethod
        def _default_type(cls, data: Any) -> Any:
            if isinstance(data, dict) and "type" not in data:
                single = data.get("register") in ("coil", "discrete") or data.get("bit") is not None
                return {**data, "type": "bool"} if single else data
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
            if order in ("AB", "BA") and kind != "string" and WORDS[kind] > 1:
                raise ValueError(f"{order} is for one register, {kind} has {WORDS[kind]}: ABCD, CDAB, BADC or DCBA")
            return order

        @field_validator("bit")
        @classmethod
        def _is_in_a_register(cls, bit: int | None, info: ValidationInfo) -> int | None:
            if bit is not None and info.data.get("register") in BIT_REGISTERS:
                raise ValueError(f"a {info.data['register']} is one bit already")
            if bit is not None and info.data.get("type", "bool") not in _WITH_BITS:
                raise ValueError(f"a {info.data['type']} has no single bits: a bit is a bool")
            return bit

        @field_validator("length")
        @classmethod
        def _is_for_strings(cls, length: int, info: ValidationInfo) -> int:
            kind = info.data.get("type")
            if kind == "string" and not length:
                raise ValueError("a string needs its length in registers, 2 characters each")
            if kind in WORDS and length not in (0, WORDS[kind]):
                raise ValueError(f"a {kind} takes {WORDS[kind]} registers, not {length}: only a string has a length")
            return length

        @field_validator("address")
        @classmethod
        def _ends_in_its_table(cls, address: int, info: ValidationInfo) -> int:
            words = info.data.get("length") or WORDS.get(info.data.get("type", ""), 1)
            if address + words > 65536:
                raise ValueError(f"{words} registers from {address} reach beyond the last one, 65535")
            return address

        @field_validator("write")
        @classmethod
        def _is_a_table_that_takes_it(cls, write: WriteConfig | None, info: ValidationInfo) -> WriteConfig | None:
            register = info.data.get("register")
            if write is not None and register in ("discrete", "input"):
                raise ValueError(f"{register} registers cannot be written: only holding registers and coils can")
            return write

        @field_validator("scale", "offset")
        @classmethod
        def _is_for_numbers(cls, number: float, info: ValidationInfo) -> float:
            kind, bit = info.data.get("type"), info.data.get("bit")
            neutral = 1.0 if info.field_name == "scale" else 0.0
            if number != neutral and (kind in ("bool", "string") or bit is not None):
                raise ValueError(f"a {'string' if kind == 'string' else 'bool'} cannot be scaled")
            if number != neutral and not _SCALES[0] <= abs(number) <= _SCALES[1]:
                raise ValueError("must be between 1e-30 and 1e30 in size")
            return number

        @property
        def words(self) -> int:
            """How many registers (or coils) it takes."""
            return self.length if self.type == "string" else WORDS[self.type]

        @property
        def scaled(self) -> bool:
            return self.scale != 1.0 or self.offset != 0.0

        @property
        def dtype(self) -> DType:
            """The width of the source; a scaled number is a float64, so that nothing of it is lost."""
            if self.type == "string":
                return "str"
            if self.type == "bool" or self.bit is not None:
                return "bool"
            return "float64" if self.scaled else self.type


class Config(DriverConfig):
    """A Modbus device: a unit at an endpoint."""

    unit: int = Field(1, ge=0, le=255, description="unit id; 1 to 247 behind a gateway")
    order: Order = Field("ABCD", description="order of the bytes of tags that do not say their own")
    max_registers: int = Field(125, ge=1, le=125, description="most registers in one request; 16 coils count as one")
    max_gap: int = Field(16, ge=0, le=124, description="holes up to this many registers are read along; 0: none")
    pause: Seconds = Field(0.0, ge=0, le=60, description="turnaround: wait that the device needs before a request")
    timeout: Annotated[Seconds, Field(gt=0, le=300)] | None = Field(
        None, description="how long one request may take; default: the line's"
    )
    connect_delay: Annotated[Seconds, Field(ge=0, le=60)] = Field(
        0.0, description="wait that the device needs between connecting and the first request"
    )
    tags: list[Tag] = Field(min_length=1, description="what is read")

    @field_validator("endpoint")
    @classmethod
    def _is_supported(cls, endpoint: str) -> str:
        parse_endpoint(endpoint, PORTS)
        return endpoint

    @field_validator("unit")
    @classmethod
    def _answers(cls, unit: int, info: ValidationInfo) -> int:
        scheme = str(info.data.get("endpoint", "")).partition(":")[0]
        if unit == 0 and scheme in PORTS and scheme not in NUMBERED:
            raise ValueError("unit 0 is a broadcast on a serial line, and nobody answers it: 1 to 247")
        return unit

    @field_validator("tags")
    @classmethod
    def _fit_into_a_request(cls, tags: list[Tag], info: ValidationInfo) -> list[Tag]:
        most = info.data.get("max_registers", 125)
        for tag in tags:
            if tag.words > most:
                raise ValueError(f"{tag.name}: {tag.words} registers do not fit into max_registers: {most}")
        return tags
