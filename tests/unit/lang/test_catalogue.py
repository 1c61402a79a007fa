"""A finished text is found again: as a whole, within others, and not at all where it is none of ours."""

import pytest

from agent.lang.catalogue import DEEPEST, LONGEST, Catalogue
from agent.lang.po import Entry

SAID = {
    "{0} is more than {1}": "{0} 大于 {1}",
    "{0} is not known here": "不认识 {0}",
    "{0} is not {1}": "{0} 不是 {1}",
    "{0} is missing": "缺少 {0}",
    "did you mean {0}?": "是否想写 {0}？",
    "device {0}": "设备 {0}",
    "tag {0}": "测点 {0}",
    "must be {0}": "必须是{0:word}",
    "a number": "数值",
    "a whole number": "整数",
    "{0} tags": "{0} 个测点",
    "{1} of {0} frames": "{1} 帧（共 {0} 帧）",
    "{0}: cannot be read: {1}": "{0}：无法读取：{1}",
    "such as {{x: 1}}": "例如 {{x: 1}}",
    "the end": "结束",
    "no agent runs on {0}": "{0} 上没有代理程序",
    "{0}: {1} tags of {2}": "{0}：{2} 的 {1} 个测点",
}
BETWEEN = {": ": "：", " ({0})": "（{0}）", "; ": "；", ", ": "，", " or ": "或", " and ": "和", ", or ": "，或"}
WORDS = {"text": "文本"}
ENTRIES = [
    *(Entry("", english, chinese) for english, chinese in SAID.items()),
    *(Entry("between", english, chinese) for english, chinese in BETWEEN.items()),
    *(Entry("word", english, chinese) for english, chinese in WORDS.items()),
    Entry("column", "text", "说明"),
    Entry("", "not yet translated", ""),
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(ENTRIES)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("the end", "结束"),
        ("70000 is more than 65535", "70000 大于 65535"),
        ("  the end", "  结束"),
        ("such as {x: 1}", "例如 {x: 1}"),
        ("7 of 9 frames", "9 帧（共 7 帧）"),
        ("'a' is not known here (did you mean 'b'?)", "不认识 'a'（是否想写 'b'？）"),
        (
            "x.yaml:3:5: device 'm', tag 't': name is missing (the end)",
            "x.yaml:3:5: 设备 'm'，测点 't'：缺少 name（结束）",
        ),
        ("must be a number", "必须是数值"),
        ("must be text", "必须是文本"),
        ("must be a number or a whole number", "必须是数值或整数"),
        ("x: cannot be read: the end", "x：无法读取：结束"),
        ("x: cannot be read: bad byte in position 3", "x：无法读取：bad byte in position 3"),
        ("the end; the end", "结束；结束"),
        ("no agent runs on /var/x (the end)", "/var/x 上没有代理程序（结束）"),  # the hint fills no hole
        ("x.csv: 7 tags of Eastron V2, V3", "x.csv：Eastron V2, V3 的 7 个测点"),  # a name, and no list
        ("device x and the end", "设备 x 和结束"),
        ("the end or tag x", "结束或测点 x"),
        ("the end\n  nothing of ours\nthe end", "结束\n  nothing of ours\n结束"),
    ],
)
def test_a_text_is_found(catalogue: Catalogue, english: str, chinese: str) -> None:
    assert catalogue.said(english) == chinese


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "not yet translated",
        "text",  # a word that stands alone is a name
        "All tags",  # no number
        "this sentence is not known to anybody",  # `{0} is not {1}` would leave half of it
        '{"message": "the end"}',
        "(a",
        "a)",
        "{0} {",
        "the end".upper(),
    ],
)
def test_what_is_none_of_ours_stays(catalogue: Catalogue, text: str) -> None:
    assert catalogue.said(text) == text


def test_columns_and_words_are_looked_up_each_for_itself(catalogue: Catalogue) -> None:
    assert (catalogue.column("text"), catalogue.word("text")) == ("说明", "文本")
    assert (catalogue.column("x"), catalogue.word("x")) == ("x", "x")


def test_of_two_ways_to_read_a_text_the_one_that_knows_more_counts(catalogue: Catalogue) -> None:
    """`{0} is missing` fits the whole of it, too."""
    assert catalogue.said("device 'm': name is missing") == "设备 'm'：缺少 name"


def test_a_long_or_deep_text_is_left_alone(catalogue: Catalogue) -> None:
    long = "the end; " * (LONGEST // 9 + 1) + "the end"
    assert catalogue.said(long) == long
    deep = "x: " * (DEEPEST + 3) + "the end"
    assert catalogue.said(deep) == deep


def test_what_a_device_says_costs_little(catalogue: Catalogue) -> None:
    """Texts that fit very much: each part of them is read once."""
    reading = catalogue.reading()
    for text in ("a is not b: " * 60, "is of, is of; " * 80, "((((" * 50 + "))))" * 50, ", or " * 200):
        reading.of(text)
    assert len(reading._read) < 20_000
