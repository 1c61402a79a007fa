"""What may be written of a Modbus device, and what is said of the rest."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.modbus.config import Config, Tag
from tests.unit.modbus.builders import config, tag

LONG = {"name": "serial", "address": 0, "type": "string", "length": 90}


def problems(keys: dict[str, Any]) -> list[tuple[str, str]]:
    """(place, message) of all that is wrong with a tag."""
    with pytest.raises(ValidationError) as refused:
        Tag.model_validate({"name": "t", "address": 0, **keys})
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in refused.value.errors()]


def test_a_tag_needs_no_more_than_name_and_address() -> None:
    plain = tag()
    assert (plain.register, plain.type, plain.order, plain.scale, plain.offset) == ("holding", "uint16", None, 1.0, 0.0)
    assert (plain.words, plain.dtype, plain.scaled) == (1, "uint16", False)


@pytest.mark.parametrize("keys", [{"register": "coil"}, {"register": "discrete"}, {"bit": 0}])
def test_what_is_one_bit_is_a_bool_without_saying_so(keys: dict[str, Any]) -> None:
    assert tag(**keys).dtype == "bool"


@pytest.mark.parametrize(
    ("keys", "dtype"),
    [
        ({"type": "int16"}, "int16"),
        ({"type": "uint64"}, "uint64"),
        ({"type": "float32"}, "float32"),
        ({"type": "int16", "scale": 0.1}, "float64"),
        ({"type": "float32", "offset": 1}, "float64"),
        ({"type": "string", "length": 4}, "str"),
        ({"type": "uint16", "bit": 3}, "bool"),
        ({"type": "bool"}, "bool"),
    ],
)
def test_a_column_keeps_the_width_of_its_source(keys: dict[str, Any], dtype: str) -> None:
    assert tag(**keys).dtype == dtype


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ({"type": "float32", "bit": 3}, "bit", "a float32 has no single bits"),
        ({"register": "coil", "bit": 3}, "bit", "one bit already"),
        ({"bit": 16}, "bit", "a bool has no bit 16: 0 to 15, or with `type: uint32` up to 31"),
        ({"type": "string"}, "length", "a string needs its length"),
        ({"type": "string", "length": 126}, "length", "less than or equal to 125"),
        ({"type": "float32", "length": 4}, "length", "a float32 takes 2 registers, not 4"),
        ({"register": "coil", "type": "uint16"}, "type", "a coil is one bit"),
        ({"register": "discrete", "type": "float32"}, "type", "a discrete is one bit"),
        ({"type": "float"}, "type", "'float32'"),
        ({"register": "holdings"}, "register", "'holding'"),
        ({"type": "float32", "order": "BA"}, "order", "BA is for one register"),
        ({"order": "ACBD"}, "order", "'ABCD'"),
        ({"address": -1}, "address", "greater than or equal to 0"),
        ({"address": 65536}, "address", "less than or equal to 65535"),
        ({"address": "1234"}, "address", "leave the quotes away"),
        ({"address": 65535, "type": "uint32"}, "address", "2 registers from 65535 reach beyond"),
        ({"address": 65530, "type": "string", "length": 8}, "address", "8 registers from 65530 reach beyond"),
        ({"scale": 0}, "scale", "between 1e-30 and 1e30"),
        ({"scale": float("nan")}, "scale", "finite number"),
        ({"offset": 1e300}, "offset", "between 1e-30 and 1e30"),
        ({"type": "string", "length": 4, "scale": 2}, "scale", "a string cannot be scaled"),
        ({"bit": 1, "offset": 2}, "offset", "a bool cannot be scaled"),
        ({"adress": 7}, "adress", "Extra inputs"),
        ({"register": "input", "write": {}}, "write", "input registers cannot be written"),
        ({"register": "discrete", "write": {"min": 0}}, "write", "discrete registers cannot be written"),
        ({"layout": "unix", "write": {}}, "write", "a datetime cannot be written"),
        ({"type": "bytes", "length": 124, "write": {}}, "write", "at most 123 registers can be written at once"),
        ({"register": "coil", "write": {"max": 0}}, "write", "a bool has no `min`, `max`, `step` or `change`"),
        ({"bit": 3, "write": {"step": 1}}, "write", "a bool has no `min`"),
        ({"bits": {3: "on"}, "write": {"min": 1}}, "write", "a bool has no `min`"),
        ({"type": "string", "length": 2, "write": {"max": 5}}, "write", "a string has no `min`"),
        ({"write": {"min": 2, "max": 1}}, "write.max", "1 is less than `min`, 2"),
        ({"write": {"step": 0}}, "write.step", "greater than 0"),
    ],
)
def test_a_mistake_is_told_at_its_place(keys: dict[str, Any], place: str, message: str) -> None:
    ((at, said),) = problems(keys)
    assert at == place
    assert message in said


def test_all_mistakes_of_a_tag_are_told_at_once() -> None:
    assert [at for at, _ in problems({"register": "coil", "type": "float64", "scale": 0, "bit": 99})] == [
        "type",
        "bit",
        "scale",
    ]


@pytest.mark.parametrize("length", [0, 2])
def test_a_number_may_say_the_length_that_it_has_anyway(length: int) -> None:
    assert tag(type="float32", length=length).words == 2


@pytest.mark.parametrize("order", ["AB", "BA", "ABCD", "CDAB", "BADC", "DCBA"])
def test_every_order_fits_one_register_and_a_string(order: str) -> None:
    assert tag(order=order).order == order
    assert tag(order=order, type="string", length=2).order == order


def test_a_device_has_safe_defaults() -> None:
    made = config([{"name": "t", "address": 0}])
    assert (made.unit, made.order, made.max_registers, made.max_gap, made.pause) == (1, "ABCD", 125, None, 0.0)


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ({"unit": 256}, "unit", "less than or equal to 255"),
        ({"unit": "1"}, "unit", "valid integer"),
        ({"max_registers": 126}, "max_registers", "less than or equal to 125"),
        ({"pause": 20}, "pause", "not a duration"),
        ({"order": "AB"}, "order", "'ABCD'"),
        ({"endpoint": "opc.tcp://plc"}, "endpoint", "is not an endpoint: write tcp://HOST:PORT"),
        ({"tags": []}, "tags", "at least 1 item"),
        ({"tags": [LONG], "max_registers": 80}, "tags.0.length", "90 registers do not fit into max_registers: 80"),
    ],
)
def test_a_mistake_of_a_device_is_told_at_its_place(keys: dict[str, Any], place: str, message: str) -> None:
    base = {"name": "meter", "driver": "modbus", "endpoint": "tcp://plc", "tags": [{"name": "t", "address": 0}]}
    with pytest.raises(ValidationError) as refused:
        Config.model_validate({**base, **keys})
    (error,) = refused.value.errors()
    assert ".".join(map(str, error["loc"])) == place
    assert message in error["msg"]


def test_checking_a_file_does_not_load_pymodbus() -> None:
    code = "import sys, drivers.modbus.config; sys.exit('pymodbus' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False, timeout=30).returncode == 0


def test_the_schema_for_editors_shows_defaults() -> None:
    keys = Config.model_json_schema()["$defs"]["Tag"]["properties"]
    assert keys["type"]["default"] == "uint16"
    assert keys["register"]["enum"] == ["coil", "discrete", "input", "holding"]
