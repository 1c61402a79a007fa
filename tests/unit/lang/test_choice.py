"""Which language is spoken: by the option, the variable, or the locale, and only where the terminal can show it."""

import pytest

from agent import lang

UTF8 = ("utf-8", "utf-8")


@pytest.mark.parametrize(
    ("arguments", "environ", "chosen"),
    [
        ([], {}, "en"),
        (["--lang", "zh", "check"], {}, "zh"),
        (["--lang=zh", "check"], {}, "zh"),
        (["-h", "--lang", "zh"], {}, "zh"),
        (["check", "--lang", "zh"], {}, "en"),  # the command's own words
        (["--lang"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["--lang", "fr"], {}, "en"),  # click refuses it
        (["--lang", "en"], {"FLOORGATE_LANG": "zh", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"FLOORGATE_LANG": "zh"}, "zh"),
        ([], {"FLOORGATE_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"FLOORGATE_LANG": "klingon", "LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh-Hans"}, "zh"),
        ([], {"LANG": "zh_TW"}, "zh"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {"LANG": "zhuang"}, "en"),
        ([], {"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "en_US"}, "zh"),
        ([], {"LC_MESSAGES": "en_US", "LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_a_language_is_chosen(arguments: list[str], environ: dict[str, str], chosen: str) -> None:
    assert lang.chosen(arguments, environ, UTF8) == chosen


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", None, "no-such-encoding"])
def test_a_terminal_without_the_letters_gets_english(encoding: str | None) -> None:
    assert lang.chosen(["--lang", "zh"], {}, ("utf-8", encoding)) == "en"


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-16"])
def test_other_encodings_with_the_letters_do(encoding: str) -> None:
    assert lang.chosen(["--lang", "zh"], {}, (encoding, encoding)) == "zh"


def test_a_language_is_spoken_within_its_block_alone() -> None:
    for _ in range(2):
        assert (lang.said("As JSON."), lang.column("device"), lang.between("; ")) == ("As JSON.", "device", "; ")
        with lang.speaking("zh"):
            assert (lang.said("As JSON."), lang.column("device"), lang.between("; ")) == (
                "输出为 JSON。",
                "设备",
                "\uff1b",
            )
            assert lang.word("text") == "文本"
            with lang.speaking("en"):
                assert not lang.foreign()
        assert not lang.foreign()
