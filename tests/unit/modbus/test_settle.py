"""Tags that cannot all be right are refused, and those that only look at the same registers are not."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.modbus.config import Config
from tests.unit.modbus.builders import config


def problems(*tags: dict[str, Any], **keys: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as error:
        made(*tags, **keys)
    return [(each["loc"], each["msg"]) for each in error.value.errors()]


def made(*tags: dict[str, Any], **keys: Any) -> Config:
    return config([{"name": chr(97 + at), **one} for at, one in enumerate(tags)], **keys)


F32, U16 = {"type": "float32"}, {"type": "uint16"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"address": 10, **F32}, {"address": 11, **F32}),
        ({"address": 11, **F32}, {"address": 10, **F32}),
        ({"address": 10, **F32}, {"address": 11, **U16}),
        ({"address": 10, **F32}, {"address": 10, **U16}),
        ({"address": 10, **F32}, {"address": 10, "type": "uint32"}),
        ({"address": 10, **F32}, {"address": 10, **F32, "order": "CDAB"}),
        ({"address": 10, **U16}, {"address": 10, "type": "int16"}),
        ({"address": 10, "scale": 0.1}, {"address": 10, "scale": 0.01}),
        ({"address": 10, "type": "string", "length": 4}, {"address": 12, "type": "string", "length": 4}),
        ({"address": 10, "type": "bytes", "length": 4}, {"address": 13, **F32}),
        ({"address": 10, "type": "int64"}, {"address": 12, "type": "bcd32"}),
    ],
)
def test_one_register_is_no_part_of_two_numbers(one: dict[str, Any], other: dict[str, Any]) -> None:
    ((place, message),) = problems(one, other)
    assert place == ("tags", 1, "address")
    assert "and 'a' reads register" in message
    assert "correct one of them, or disable it" in message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"address": 10, **F32}, {"address": 12, **F32}),
        ({"address": 10, **F32}, {"address": 10, **F32}),
        ({"address": 10, **F32}, {"address": 10, **F32, "register": "input"}),
        ({"address": 10, **F32}, {"address": 11, **F32, "enabled": False}),
        ({"address": 10, "scale": 0.1, "unit": "kW"}, {"address": 10, "scale": 100, "unit": "W"}),
        ({"address": 10, "order": "ABCD"}, {"address": 10, "order": "AB"}),
        ({"address": 10}, {"address": 10, "bit": 3}),
        ({"address": 10, "bits": {0: "x"}}, {"address": 10, "type": "int16"}),
        ({"address": 10, "bit": 4}, {"address": 10, "bit": 3}),
        ({"address": 10, "type": "uint8h"}, {"address": 10, "type": "uint8l"}),
        ({"address": 10}, {"address": 10, "enum": {0: "off"}}),
        ({"address": 10, "type": "bytes", "length": 4}, {"address": 12, **F32}),
        ({"address": 12, **F32}, {"address": 10, "type": "bytes", "length": 8}),
        ({"address": 10, "layout": "words"}, {"address": 12}),
        ({"address": 10, "type": "uint32"}, {"address": 11, "bit": 1}),
        ({"address": 10, "register": "coil"}, {"address": 10, "register": "coil"}),
    ],
)
def test_views_of_the_same_registers_are_fine(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert len(made(one, other).tags) == 2


def test_an_overlap_behind_a_view_is_seen() -> None:
    ((place, _),) = problems(
        {"address": 10, **F32}, {"address": 10, "type": "bytes", "length": 4}, {"address": 11, **U16}
    )
    assert place == ("tags", 2, "address")


def test_the_order_of_the_device_or_the_group_is_what_a_tag_without_one_has() -> None:
    assert made({"address": 10, **F32, "order": "CDAB"}, {"address": 10, **F32}, order="CDAB")
    groups = {"slow": {"interval": "1m", "order": "CDAB"}}
    assert problems({"address": 10, **F32}, {"address": 10, **F32, "group": "slow"}, groups=groups)


def test_a_number_that_turns_out_to_be_an_input_register_cannot_be_written() -> None:
    ((place, message),) = problems({"address": 30073, "write": {}}, address_base=1)
    assert place == ("tags", 0, "write")
    assert message.endswith("input registers cannot be written: only holding registers and coils can")


def test_the_message_says_what_both_read() -> None:
    ((_, message),) = problems({"address": 10, **F32, "scale": 0.1}, {"address": 11, **U16, "offset": -40})
    assert "reads register 11 as uint16 -40, and 'a' reads registers 10-11 as float32 times 0.1" in message


def test_all_problems_are_told_at_once() -> None:
    places = [place for place, _ in problems({"address": 0, **F32}, {"address": 1}, {"address": "9!40020"})]
    assert places == [("tags", 2, "address"), ("tags", 1, "address")]


def test_ten_thousand_tags_on_one_register_are_looked_at_quickly() -> None:
    tags = [{"address": 7, "name": f"t{at}", "bit": at % 16} for at in range(10_000)]
    started = time.process_time()
    assert len(made(*tags).tags) == 10_000
    assert time.process_time() - started < 5
