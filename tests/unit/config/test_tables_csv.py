"""A device map as CSV: whatever program wrote it, it is read, or it is said why not and where."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import configs_dir
from tests.unit.config.tables import opened

TABLE = "name,address,type,unit\nvoltage,0,float32,V\ncurrent,6,float32,A\n"


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """(map, problems, warnings) of a CSV."""

    def read(text: str | bytes, name: str = "points.csv") -> Any:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return opened(path)

    return read


def tags(found: Any) -> list[tuple[str, int]]:
    return [(tag.name, tag.address) for tag in found.tags]


def test_rows_are_tags_and_the_map_is_named_by_its_file(table: Any) -> None:
    found, _, warnings = table(TABLE, "acme-m1.csv")
    assert tags(found) == [("voltage", 0), ("current", 6)]
    assert (found.head.device.vendor, found.head.device.model, found.head.driver) == ("acme", "m1", "modbus")
    assert warnings == [
        "acme-m1.csv:1:1: row 1: taken for a map of the driver 'modbus' (to be sure, say `driver` in the head)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        "\ufeff" + TABLE,
        "sep=;\n" + TABLE.replace(",", ";"),
        TABLE.replace("\n", ",,,,\n"),
        "\n\n" + TABLE.replace("\n", "\n,,,\n\n"),
        '"name","address","type","unit"\n"voltage","0","float32","V"\n"current","6","float32","A"',
        "Points of line 3\n\n" + TABLE,
    ],
    ids=["semicolon", "tab", "crlf", "cr", "mark", "sep", "trailing", "empty", "quoted", "above"],
)
def test_each_way_to_write_it_is_the_same_table(table: Any, text: str) -> None:
    found, problems, _ = table("# driver: modbus\n" + text if not text.startswith(("\ufeff", "sep")) else text)
    assert problems == []
    assert tags(found) == [("voltage", 0), ("current", 6)]


def test_the_head_stands_in_comments_above_the_titles(table: Any) -> None:
    found, problems, warnings = table(
        "# A comment for people: it is none\n# 厂商: Acme\n# model: M1\n# driver: modbus\n"
        "# quirks: {max_registers: 80, pause: 20ms}\n"
        '"# quirks.order: CDAB",,\n# defaults.register: 输入寄存器\n# groups.slow: {interval: 1m}\n'
        "# notes: the first, with a comma,,,\n# notes: the second\n# status: draft\n# colour: red\n"
        "name,address,group\na,1,slow\n"
    )
    assert problems == []
    assert dict(found.quirks) == {"max_registers": 80, "pause": "20ms", "order": "CDAB"}
    assert (found.head.device.vendor, found.head.device.model) == ("Acme", "M1")
    assert found.head.notes == ["the first, with a comma", "the second"]
    assert (found.tags[0].register, found.tags[0].group) == ("input", "slow")
    (said,) = warnings
    assert said.startswith("points.csv:12:1: row 12: 'colour' is no key of a map's head, so it is not used (one of: ")


def test_a_head_that_is_wrong_is_said_at_its_row(table: Any) -> None:
    _, problems, _ = table(
        "# driver: modbus\n# quirks.pause: fast\n# quirks.maxregisters: 9\n# status: draft\n# status: draft\n"
        "# groups.slow: {interval: 1m\n# quirks: 5\nname,address\na,1\n"
    )
    assert [each.partition(": ")[0] for each in problems] == [f"points.csv:{line}:1" for line in (2, 3, 5, 6, 7)]
    assert "quirks: pause: 'fast' is not a duration" in problems[0]
    assert "'status' is written twice (first in row 4; keep one)" in problems[2]


def test_every_refused_cell_is_said_with_its_row_and_title(table: Any) -> None:
    _, problems, _ = table(
        "# driver: modbus\n名称,地址,数据类型,倍率,枚举\n"
        'a a,1,uint16,,\nb,x,uint16,"1,5",\nc,3,float23,,\nd,,uint16,,\n'
        'e,5,uint16,,"{1: [}"\nf,6,uint16,,"1:on;1:off"\n'
    )
    assert [each.removeprefix("points.csv:").partition(" (")[0] for each in problems] == [
        "3:1: row 3, '名称': tag 'a a': name: 'a a' is not a name",
        "4:2: row 4, '地址': tag 'b': address: 'x' is no address: write 12, 0x48, '40013' or '4x0013'",
        "4:4: row 4, '倍率': scale: '1,5' has a comma",
        "5:3: row 5, '数据类型': type: 'float23' is not known here",
        "6:1: row 6, '名称': tag 'd': address is missing",
        "7:5: row 7, '枚举': enum: '{1: [}': a value is missing before this",
        "8:5: row 8, '枚举': enum: 1 has two names: 'on' and 'off'",
    ]
    assert problems[3].endswith("(did you mean 'float32'?)")


def test_columns_that_are_not_used_are_said(table: Any) -> None:
    _, problems, warnings = table(
        "# driver: modbus\n序号,name,address,adress,别名,小数位,,limits.mni\n1,a,1,2,x,2,lost,3\n2,b,3,2,y,2,lost,\n"
    )
    assert problems == []
    assert [each.partition(": ")[2] for each in warnings] == [
        "row 2, 'adress': the column 'adress' is not used (did you mean 'address'?)",
        "row 2, '别名': the column '别名' is not used (a tag has one name)",
        "row 2, '小数位': the column '小数位' is not used (write the factor as 倍率 (scale): 2 places are 0.01)",
        "row 2, 'limits.mni': the column 'limits.mni' is not used (did you mean 'limits.min'?)",
        "row 3: what stands in a column without a title is not used (give it a title)",
    ]


def test_two_columns_for_one_thing_are_a_problem(table: Any) -> None:
    _, problems, _ = table("# driver: modbus\n名称,地址,点名,address\na,1,b,2\n")
    assert [each.partition(": ")[2] for each in problems[:2]] == [
        "row 2, '点名': '点名' and '名称' both mean name (keep one, or give the other one another title)",
        "row 2, 'address': 'address' and '地址' both mean address (keep one, or give the other one another title)",
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("名称,地址\n电压,1\n".encode("gbk"), 'points.csv:1:1: this is GBK (GB18030) text, not UTF-8 (save it as "CSV'),
        (b"name,address\na\xe9\xe8,1\n", "points.csv:2:1: this is not UTF-8 text (save it as"),
        ("name,address\na,1\n".encode("utf-16"), 'points.csv:1:1: this is UTF-16, which Excel calls "Unicode Text"'),
        ("name,address\na,1\n".encode("utf-16-le"), "points.csv:1:1: this is UTF-16 text"),
        (b"\x7fELF\0\0\0\0\0", "points.csv:1:1: this is a binary file, not a CSV"),
        (b"PK\x03\x04rest", "points.csv:1:1: this is an .xlsx under another name (name it .xlsx)"),
        (b"\xd0\xcf\x11\xe0rest", "points.csv:1:1: this is an old Excel file (.xls) under another name"),
        (b"", "points.csv:1:1: row 1: no row has the titles of the columns (such as name, address"),
        (b"a,b\n1,2\n", "points.csv:1:1: row 1: no row has the titles of the columns (such as name, address"),
        (b"name,address\n", "a device map needs tags"),
        (b'name,address\n"a,1\n' + b"x" * 140_000, "points.csv:2:1: row 2, 'name': a line is longer than 65,536 ch"),
        (b'name,address\n"a,1\n' + b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" * 5000, "the row cannot be taken apart"),
        (b"name,address\n" + b"a,1\n" * 20_002, "points.csv:20002:1: row 20002, 'name': more than 20,000 rows"),
        (b"name,address\n" + b"a,1\n" * 100_000, "points.csv:1:1: more than 100,000 lines"),
        (b"# a: b\n" * 1001 + b"name,address\na,1\n", "row 1001: a head has 1000 rows at most"),
        (b"name,address" + b",x" * 250 + b"\na,1\n", "more than 200 columns"),
        (b"name,address\na\x01b,1\n", "row 2, 'name': name: a control character ('\\x01') does not belong"),
        (b"name,address\na,1\n" + b" " * (4 << 20), "larger than 4096 KB"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_the_reason(table: Any, data: bytes, says: str) -> None:
    _, problems, _ = table(data)
    assert [each for each in problems if says in each] == problems[:1]


@pytest.mark.parametrize("name", ["p.xls", "p.ods", "p.XLSM", "p.et", "p.tsv"])
def test_other_formats_are_refused_with_what_to_do(table: Any, name: str) -> None:
    _, (said,), _ = table(b"x", name)
    assert said.endswith(f"a table in the format {Path(name).suffix} is not read (save it as .xlsx, or as CSV UTF-8)")


def test_a_device_says_the_driver_of_a_table_that_names_none(site: Any, write: Any, problems: Any) -> None:
    write("points.csv", "name,wave,high\na,ramp,5\n")
    text = "gateway: {id: g}\ndevices: [{name: m, driver: %s, map: points.csv}]\n"
    (device,) = site(text % "sim").devices
    assert (device.tags[0].wave, device.tags[0].high) == ("ramp", 5)
    write("points.csv", "# driver: sim\nname,wave\na,ramp\n")
    (said,) = problems(text % "modbus, endpoint: tcp://p")
    assert "map: 'points.csv' is for the driver 'sim', not 'modbus'" in said


def test_an_opcua_table_has_nodes(table: Any) -> None:
    found, problems, _ = table("点名,节点地址,数据类型,单位\nspeed,ns=2;s=Speed,浮点,r/min\nstate,i=2258,字符串,\n")
    assert problems == []
    assert [(tag.node, tag.dtype) for tag in found.tags] == [("ns=2;s=Speed", "float32"), ("i=2258", "str")]
    assert found.head.driver == "opcua"


def test_five_thousand_tags_are_read(table: Any) -> None:
    rows = (f"tag_{n},{n},uint16,CDAB,0.1,V,slow,第{n}点\n" for n in range(5000))
    head = "# driver: modbus\n# groups.slow: {interval: 1m}\n名称,地址,类型,字节序,倍率,单位,采集组,备注\n"
    found, problems, warnings = table(head + "".join(rows))
    assert (problems, warnings, len(found.tags)) == ([], [], 5000)
    assert (found.tags[4999].address, found.tags[4999].description) == (4999, "第4999点")


def test_the_example_of_the_page_is_a_table(table: Any) -> None:
    page = (configs_dir() / "devices" / "README.md").read_text("utf-8")
    example = page.partition("### As a table")[2].partition("    # vendor")
    lines = [line[4:] for line in (example[1] + example[2]).split("\n\n")[0].split("\n")]
    found, problems, warnings = table("\n".join(lines))
    assert problems == []
    assert [(tag.name, tag.register, tag.type, tag.group) for tag in found.tags] == [
        ("voltage_l1", "input", "float32", "1s"),
        ("oil_temperature", "input", "int16", "1m"),
        ("run_state", "input", "uint16", "1s"),
    ]
    assert (found.tags[2].enum, dict(found.quirks)) == ({0: "停止", 1: "运行"}, {"max_registers": 64})
    assert [each.partition(": ")[2] for each in warnings] == [
        "row 8, '单位': '℃' is taken for Cel (in one row; write what it is to be sure)"
    ]


def test_a_second_mark_of_utf8_is_no_part_of_a_title(table: Any) -> None:
    assert tags(table("\ufeff\ufeff" + TABLE)[0]) == [("voltage", 0), ("current", 6)]


def test_a_problem_of_the_head_has_no_title_of_a_column(table: Any) -> None:
    _, problems, _ = table(f"# extends: ./points.csv\n{TABLE}")
    assert problems[0].startswith("points.csv:1:1: row 1: extends: './points.csv': maps extend one another in a circle")
