"""Reading the files of others: any usual encoding, comments, and what is broken with its place."""

from pathlib import Path

import pytest

from agent.imports.notes import Notes
from agent.imports.sources import MAX_FILE, take
from agent.model.errors import AgentError


def taken(folder: Path, name: str, data: bytes) -> tuple[object, str]:
    path = folder / name
    path.write_bytes(data)
    notes = Notes()
    found = take(path, notes)
    return found.data if found.data is not None else [row.cells for row in found.rows], "\n".join(notes.text())


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.json", '{"a": 1,\n "b": }', "a.json:2:7: this is not JSON"),
        ("a.json", '{"a": 1}\n{"b": 2}', "a.json:2:1: this is not JSON"),
        ("a.json", '{"a": "never closed}', "a.json:1:7: this is not JSON"),
        ("a.json", '{"a": NaN}', "a.json: NaN is no number in JSON"),
        ("a.json", '{"a": ' + "9" * 5000 + "}", "more digits than can be read"),
        ("a.json", "[" * 100_000, "nested too deep"),
        ("a.json", "[" * 60 + "]" * 60, "nested deeper than 40 levels"),
        ("a.toml", "a = 1\nb = ${X}\n", "a.toml:2:5: this is not TOML"),
        ("a.toml", "a = [1,\n", "a.toml:2:1: this is not TOML"),
        ("a.toml", "a = " + "[" * 5000, "a.toml"),
        ("a.yaml", "a: 1\n b: 2\n", "a.yaml:2:"),
        ("a.yaml", "a: !!python/object:os.system x\n", "the tag"),
        ("a.yaml", "a: &x [1]\nb: {<<: *x}\n", "merge keys"),
        ("a.csv", 'a,b\n"x,1\n', "a.csv:"),
        ("a.csv", ",".join("x" * 70) + "\n", "larger than a table may be"),
        ("a.json", "  \n", "the file is empty"),
    ],
)
def test_what_is_broken_is_an_error_with_its_place(tmp_path: Path, name: str, text: str, place: str) -> None:
    if name == "a.csv" and "x,1" in text:
        text += "y" * 200_000  # a field without end
    with pytest.raises(Exception) as caught:  # noqa: PT011  # its text is what is asked for
        taken(tmp_path, name, text.encode())
    assert isinstance(caught.value, AgentError)
    assert place in str(caught.value)


def test_a_file_that_is_too_large_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="larger than 5120 KB"):
        taken(tmp_path, "a.json", b" " * (MAX_FILE + 1))
    with pytest.raises(AgentError, match="there is no such file"):
        take(tmp_path / "none.json", Notes())
    with pytest.raises(AgentError, match="this is not a file"):
        take(tmp_path, Notes())


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="this is no text"):
        taken(tmp_path, "a.json", bytes(range(256)) * 4)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    assert taken(tmp_path, "a.json", '{"名称": "电压"}'.encode(encoding)) == ({"名称": "电压"}, "")


def test_gbk_is_recognised_and_told(tmp_path: Path) -> None:
    data, told = taken(tmp_path, "a.json", '{"名称": "配电柜电压"}'.encode("gbk"))
    assert data == {"名称": "配电柜电压"}
    assert "read as GBK" in told


def test_a_degree_sign_of_western_windows_is_no_chinese(tmp_path: Path) -> None:
    data, told = taken(tmp_path, "a.csv", "a,b,c\n1,2,°C\n".encode("cp1252"))
    assert data == [("a", "b", "c"), ("1", "2", "°C")]
    assert "read as Windows-1252" in told


def test_json_with_comments_and_commas_too_many_is_read_and_told(tmp_path: Path) -> None:
    text = b'// the press\n{"url": "opc.tcp://a//b", /* "x": 1, */ "list": [1, 2, ], // end\n}\n'
    data, told = taken(tmp_path, "a.json", text)
    assert data == {"url": "opc.tcp://a//b", "list": [1, 2]}
    assert "were passed over" in told


def test_a_place_after_a_comment_is_still_right(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"a\.json:3:4"):
        taken(tmp_path, "a.json", b"{ // one\n/* two\n*/ x}\n")


def test_a_key_that_is_written_twice_is_told(tmp_path: Path) -> None:
    data, told = taken(tmp_path, "a.json", b'{"a": 1, "a": 2}')
    assert data == {"a": 2}
    assert "'a' is written twice" in told


def test_a_table_may_have_semicolons_or_tabs(tmp_path: Path) -> None:
    assert taken(tmp_path, "a.csv", b"a;b;c\n1;2,5;3\n")[0] == [("a", "b", "c"), ("1", "2,5", "3")]
    assert taken(tmp_path, "b.csv", b"a\tb\n1\t2\n")[0] == [("a", "b"), ("1", "2")]


def test_what_a_file_is_shows_without_an_ending(tmp_path: Path) -> None:
    assert taken(tmp_path, "pn", b'[{"EndpointUrl": "x"}]')[0] == [{"EndpointUrl": "x"}]
    assert taken(tmp_path, "telegraf", b"[[inputs.modbus]]\nname = 'x'\n")[0] == {"inputs": {"modbus": [{"name": "x"}]}}
    assert taken(tmp_path, "flow", b"input:\n  modbus: {}\n")[0] == {"input": {"modbus": {}}}
