"""Tables that a real LibreOffice wrote are read as what they are, and what people cannot see in them is said."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import Invalid, Report, configs_dir, load_map

HERE = Path(__file__).parent
POINTS = [
    ("voltage_l1", "input", 0x10, "float32", "CDAB", 1.0, "V", "1s", "A相电压"),
    ("oil_temperature", "holding", 0x1A, "int16", None, 0.1, "Cel", "1m", ""),
    ("energy_import_total", "holding", 0x48, "uint32", None, 0.01, "kWh", "1m", '正向有功总电能, "二次侧"'),
]


def rows(tags: list[Any] | None) -> list[Any]:
    keys = ("name", "register", "address", "type", "order", "scale", "unit", "group", "description")
    return [tuple(getattr(tag, key) for key in keys) for tag in tags or ()]


@pytest.mark.parametrize("name", ["points.xlsx", "points.csv", "points-semicolon.csv"])
def test_a_table_of_points_is_a_map(name: str) -> None:
    report = Report()
    found = load_map(HERE / name, report)
    assert rows(found.tags) == POINTS
    said = [each.message.rpartition(": ")[2] for each in report.warnings]
    assert "'℃' is taken for Cel" in said
    assert (
        "'读写' is taken for read alone: what may be written has a column write, or write.min".rpartition(": ")[2]
        in said
    )


def test_the_sheet_of_the_device_is_the_head() -> None:
    found = load_map(HERE / "points.xlsx")
    assert (found.head.device.vendor, found.head.device.model, found.head.driver) == ("Acme", "630", "modbus")
    assert (dict(found.quirks), found.head.notes) == ({"max_registers": 64}, ["出厂 9600 8N1"])


def test_gbk_is_recognised_and_said() -> None:
    with pytest.raises(Invalid, match=r"this is GBK \(GB18030\) text, not UTF-8 \(save it as \"CSV UTF-8\""):
        load_map(HERE / "points-gbk.csv")


def test_traps_are_told_by_sheet_and_cell() -> None:
    report = Report()
    with pytest.raises(Invalid) as caught:
        load_map(HERE / "traps.xlsx", report)
    assert [each.message for each in caught.value.problems] == [
        "tags!B2: address: there is a formula here",
        "tags!F2: description: there is a formula here",
        "tags!B3: address: Excel made a date of what was typed here",
        "tags!D4: scale: there is a formula here",
        "tags!C6: the cells C6:C7 are merged, so only the first one of them says anything",
    ]
    assert "the sheet 'old' is hidden, so it is not read" in [each.message for each in report.warnings]


@pytest.mark.parametrize(
    ("table", "origin"),
    [("resaved.xlsx", configs_dir() / "devices" / "janitza-umg.yaml"), ("odd.xlsx", HERE / "odd.yaml")],
)
def test_an_export_that_was_saved_anew_is_still_the_same_map(table: str, origin: Path) -> None:
    found, wanted = load_map(HERE / table), load_map(origin)
    assert found.tags == wanted.tags
    assert found.head == wanted.head
    assert (found.quirks, found.defaults, found.groups) == (wanted.quirks, wanted.defaults, wanted.groups)
