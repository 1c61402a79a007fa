"""What people write into cells, and what each means: words, numbers, structures, intervals, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from agent import registry
from agent.config import load
from agent.config.tables.forms import form_of, literals
from agent.config.tables.names import names, parted, squeezed
from agent.config.tags import item_type
from tests.unit.config.tables import opened


def wide(text: str) -> str:
    """In full-width characters, as a Chinese keyboard types them."""
    return "".join(chr(ord(char) + 0xFEE0) for char in text)


@pytest.fixture
def cell(tmp_path: Path) -> Any:
    """(tag, problems, warnings) of a table with one row and one more column."""

    def read(title: str, text: str, more: str = "", values: str = "") -> Any:
        path = tmp_path / "t.csv"
        said = '"' + text.replace('"', '""') + '"'
        path.write_text(f'# driver: modbus\nname,address,"{title}"{more}\na,7,{said}{values}\n', "utf-8")
        found, problems, warnings = opened(path)
        return (found.tags[0] if found and found.tags else None), problems, warnings

    return read


@pytest.mark.parametrize(
    ("title", "text", "key", "value"),
    [
        ("数据类型", "FLOAT32-IEEE", "type", "float32"),
        ("类型", "real", "type", "float32"),
        ("Data Type", "16位无符号", "type", "uint16"),
        ("data_type", "无符号３２位", "type", "uint32"),
        ("类型", "双精度浮点", "type", "float64"),
        ("类型", "BOOL", "type", "bool"),
        ("功能码", "4", "register", "input"),
        ("功能码", "0x03", "register", "holding"),
        ("功能码", "FC3", "register", "holding"),
        ("寄存器类型", "保持寄存器", "register", "holding"),
        ("Register Type", "Input Registers", "register", "input"),
        ("字节序", "cdab", "order", "CDAB"),
        ("大小端", "大端", "order", "ABCD"),
        ("Byte Order", "3412", "order", "CDAB"),
        ("倍率", "0.1", "scale", 0.1),
        ("比例系数", wide("0.01"), "scale", 0.01),
        ("Scale", "1e-3", "scale", 1e-3),
        ("偏移量", "-40", "offset", -40),
        ("单位", "kWh", "unit", "kWh"),
        ("单位", "℃", "unit", "Cel"),
        ("工程单位", "-", "unit", ""),
        ("数值种类", "累计量", "kind", "counter"),
        ("启用", "否", "enabled", False),
        ("enabled", "TRUE", "enabled", True),
        ("采集", "√", "enabled", True),
        ("位", "3", "bit", 3),
        ("备注", "=1+1 is what the manual says", "description", "=1+1 is what the manual says"),
        ("说明", "'=x", "description", "=x"),
        ("说明", "'tis", "description", "'tis"),
        ("说明", '" a\\tb "', "description", " a\tb "),
        ("说明", '"in" and "out"', "description", '"in" and "out"'),
        ("枚举", f"0:停止{wide(';')}1{wide(':')}运行", "enum", {0: "停止", 1: "运行"}),
        ("枚举", "0=off, 0x10=on", "enum", {0: "off", 16: "on"}),
        ("枚举", "{0: off, 1: on}", "enum", {0: "off", 1: "on"}),
        ("位定义", "0: run; 3: fault", "bits", {0: "run", 3: "fault"}),
        ("无效值", "0x7FFF", "invalid", [0x7FFF]),
        ("invalid", "32767; 65535", "invalid", [32767, 65535]),
        ("invalid", "[0x7FFF, 65535]", "invalid", [32767, 65535]),
        ("从站号", "3", "unit_id", 3),
    ],
)
def test_a_cell_means(cell: Any, title: str, text: str, key: str, value: object) -> None:
    tag, problems, _ = cell(title, text)
    assert problems == []
    assert getattr(tag, key) == value


@pytest.mark.parametrize(
    ("title", "text", "address", "register"),
    [
        ("address", "0x48", 72, "holding"),
        ("寄存器地址", "0048H", 72, "holding"),
        (f"地址{wide('(')}HEX{wide(')')}", "48", 72, "holding"),
        ("地址(十六进制)", "1A", 26, "holding"),
        ("起始地址", wide("72"), 72, "holding"),
        ("addr", "4x0073", 72, "holding"),
        ("addr", "300073", 72, "input"),
        ("addr", "1!300073.3", 72, "input"),
        ("Register Address", "40073", 40073, "holding"),
    ],
)
def test_an_address_means(tmp_path: Path, title: str, text: str, address: int, register: str) -> None:
    (tmp_path / "t.csv").write_text(f"# driver: modbus\nname,{title}\na,{text}\nb,0\n", "utf-8")
    found, problems, _ = opened(tmp_path / "t.csv")
    assert problems == [] and found is not None and found.tags
    assert (found.tags[0].address, found.tags[0].register) == (address, register)


def test_numbers_of_a_manual_are_taken_so_where_the_head_says_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("# driver: modbus\nname,address\na,40001\nb,30002\n")
    found, _, warnings = opened(path)
    assert found is not None and [tag.address for tag in found.tags or ()] == [40001, 30002]
    assert [each for each in warnings if "40001 are taken as they stand, counted from 0" in each] == warnings
    path.write_text("# driver: modbus\n# quirks.address_base: 1\nname,address\na,40001\nb,30002\n")
    site = tmp_path / "site.yaml"
    site.write_text("gateway: {id: g}\ndevices: [{name: m, driver: modbus, endpoint: tcp://p, map: t.csv}]\n")
    read = [(tag.register, tag.address) for tag in load(site, {}).devices[0].tags]
    assert (read, opened(path)[2]) == ([("holding", 0), ("input", 1)], [])


@pytest.mark.parametrize(
    ("title", "text", "says"),
    [
        ("倍率", "1,5", "scale: '1,5' has a comma (write 1.5 with a point, and nothing between thousands)"),
        ("倍率", "1.000,5", "scale: '1.000,5' has a comma"),
        ("倍率", "=0.1*2", "scale: '=0.1*2' looks like a formula (paste its value instead of the formula;"),
        ("倍率", "@SUM(A1)", "looks like a formula"),
        ("倍率", "-2+3", "looks like a formula"),
        ("单位", "=cmd|' /C calc'!A0", "unit: \"=cmd|' /C calc'!A0\" looks like a formula"),
        ("分组", "+A1", "group: '+A1' looks like a formula"),
        ("启用", "maybe", "enabled: 'maybe' is neither yes nor no (write true or false, 是 or 否)"),
        ("类型", "浮点数32", "type: '浮点数32' is not known here"),
        ("字节序", "ABCE", "order: 'ABCE' is not known here (did you mean 'ABCD'?)"),
        ("功能码", "7", "register: 7 is not known here"),
        ("枚举", "stopped", "enum: 'stopped' names no numbers (write 0: stopped; 1: running)"),
        ("枚举", "{0: &a b, 1: *c}", "enum: '{0: &a b, 1: *c}': nothing complete is named &c above"),
        ("枚举", "{0: !!python/object:os.system x}", "the tag"),
        ("枚举", "[" * 40, "nested deeper than 32 levels"),
        ("interval", "5", "interval: '5' is not a duration"),
    ],
)
def test_a_cell_is_refused_with_its_reason(cell: Any, title: str, text: str, says: str) -> None:
    _, (said,), _ = cell(title, text)
    assert said.startswith(f"t.csv:3:3: row 3, '{title}': ")
    assert says in said


def test_a_name_that_is_a_formula_is_refused_and_one_that_is_marked_as_text_is_not(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("# driver: modbus\nname,address\n=A1,1\n'=A1,2\n-5,3\n")
    _, problems, _ = opened(path)
    assert [each.partition(": ")[0] for each in problems] == ["t.csv:3:1"]


@pytest.mark.parametrize(
    ("title", "text", "taken"),
    [
        ("类型", "INT", "int16"),
        ("类型", "Long ABCD", "int32"),
        ("字节序", "小端", "DCBA"),
        ("单位", "°C", "Cel"),
        ("功能码", "6", "holding"),
        ("读写", "R/W", "read alone: what may be written has a column write, or write.min"),
        ("读写", "x", "read alone"),
    ],
)
def test_what_is_assumed_is_said(cell: Any, title: str, text: str, taken: str) -> None:
    _, problems, warnings = cell(title, text)
    assert problems == []
    assert [f"{text!r} is taken for {taken} (in one row" in each for each in warnings] == [True]


@pytest.mark.parametrize(("title", "text"), [("类型", "float"), ("字节序", "CDAB"), ("读写", "只读"), ("功能码", "03")])
def test_what_is_plain_is_not_worth_a_word(cell: Any, title: str, text: str) -> None:
    assert cell(title, text)[1:] == ([], [])


def test_a_type_may_say_the_order_as_well(cell: Any) -> None:
    assert cell("类型", "Float CDAB")[0].order == "CDAB"
    assert cell("类型", "32位浮点型(DCBA)")[0].order == "DCBA"
    assert cell("类型", "float ABCD", ",字节序", ",ABCD")[0].order == "ABCD"
    _, (said,), _ = cell("类型", "float CDAB", ",字节序", ",ABCD")
    assert "order: another column of this row says 'CDAB' (keep one of the two)" in said


def test_a_length_in_bytes_is_turned_into_registers(cell: Any) -> None:
    assert cell("长度(字节)", "9", ",类型", ",string")[0].length == 5
    assert cell("长度", "9", ",类型", ",string")[0].length == 9


def test_intervals_become_groups(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("# driver: modbus\nname,address,采集周期(ms),采集组\na,1,1000,\nb,2,60000,slow\nc,3,1000,\nd,4,,\n")
    found, problems, _ = opened(path)
    assert problems == [] and found is not None
    assert dict(found.groups) == {"1s": {"interval": "1s"}, "slow": {"interval": "1m"}}
    assert [tag.group for tag in found.tags or ()] == ["1s", "slow", "1s", ""]
    path.write_text("# driver: modbus\nname,address,周期,组\na,1,1s,g\nb,2,2s,g\n")
    assert opened(path)[1] == [
        "t.csv:4:3: row 4, '周期': interval: the group 'g' is read every 1s (said in row 3)",
    ]


def test_sections_have_columns_with_dots(cell: Any) -> None:
    more = ",limits.max,写入.max,report.when,type,kind,counter"
    tag, problems, _ = cell("下限", "-5", more, ",5.5,3,on_change,float32,counter,{}")
    assert problems == []
    assert (tag.limits.min, tag.limits.max, tag.write.max) == (-5, 5.5, 3)
    assert (tag.report.when, tag.counter is not None) == ("on_change", True)


def test_a_row_says_a_section_whole_or_in_parts(cell: Any) -> None:
    tag, problems, _ = cell("limits", "{min: 1}", ",limits.max", ",5")
    assert (problems, tag.limits.min, tag.limits.max) == ([], 1, 5)
    _, (said,), _ = cell("limits", "{min: 1}", ",limits.min", ",5")
    assert said.endswith("limits.min: another column of this row says 1 (keep one of the two)")
    _, (said,), _ = cell("report", "on_change", ",report.period", ",5s")
    assert said.endswith("report.period: another column of this row says report (keep one of the two)")


def test_titles_are_told_apart_by_what_matters() -> None:
    assert squeezed(f" {wide('T')}ag_Name ") == squeezed("tag name") == squeezed("TAG-NAME")
    assert parted(f"采集周期{wide('(')}ms{wide(')')}") == ("采集周期", "ms")
    assert parted("(x)") == ("(x)", "")


def test_the_file_of_titles_means_one_thing_by_each() -> None:
    """A title stands for several keys only where no driver has two of them; each word is one that a driver knows."""
    known = names()
    kinds = [item_type(registry.driver_config(name)) for name in registry.DRIVERS]
    for title, keys in known.columns.items():
        for kind in kinds:
            fitting = [key for key in keys if form_of(kind, tuple(key.split(".")))]
            assert len(fitting) < 2, (title, fitting)
    allowed = {
        key: {word for kind in kinds for word in literals(kind, (key,))}
        for key in ("type", "order", "register", "kind")
    }
    for key, words in allowed.items():
        assert {word for found in known.words[key].values() for word in found} <= words, key
        assert known.assumed[key] <= known.words[key].keys(), key
    assert not known.unused.keys() & known.columns.keys()
    assert all(form_of(kinds[0], tuple(k.split("."))) for k in ("limits.min", "write.max"))
