"""Secrets that stand in a configuration although they should not are found however the file spells them."""

import json
import os
from pathlib import Path

import pytest

from agent.cli.ask import environ
from agent.cli.support.composed import of_csv, of_yaml
from agent.cli.support.machine import SEEN, listing
from agent.cli.support.places import known
from agent.cli.support.redact import redacted

WRITTEN = """\
shared: &pw behind-an-anchor
both: &all {a: first-of-two, b: second-of-two}
c: {password: *pw}
d: {token: *all}
e: {password: "esc\\x41ped", secret: 'it''s one', "pass\\u0077ord": key-escaped}
f:
  ? password
  : questioned
  passwords:
  - in-a-list
  - {deep: deeper}
  secret: >-
    folded
    twice
  token: "over
    lines"
headers: {X-Mine: a header, X-Other: "${B}"}
name: open
g: {password: file:pw.secret, token: true, secret: "${A}"}
broken: {password: before-it-breaks, ]
password: after
"""


def test_a_value_is_found_as_yaml_reads_it() -> None:
    found = ["behind-an-anchor", "first-of-two", "second-of-two", "escAped", "it's one", "key-escaped", "questioned"]
    found += ["in-a-list", "deeper", "folded twice", "over lines", "a header", "before-it-breaks"]
    assert list(of_yaml(WRITTEN)) == found


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "password: " + "{a: " * 5000,
        "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]" for i in range(12))
        + "\npassword: *a11",
        "\0",
    ],
)
def test_what_is_too_deep_or_grows_without_end_is_left(text: str) -> None:
    assert sum(map(len, of_yaml(text))) <= 20_000


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_column_whose_title_names_a_secret_is_one(delimiter: str) -> None:
    text = "# a map\nname,password,address\na,hunter-22,1\nb,,2\n".replace(",", delimiter)
    assert [each for each in of_csv(text) if each] == ["hunter-22"]


def test_files_are_read_as_what_they_are() -> None:
    texts = {Path("a.yaml"): "a: &x anchored\ntoken: *x\n", Path("b.csv"): "name,token\na,in-a-cell\n"}
    texts[Path("c.yaml")] = "url: mqtt://h:1/?auth=in-the-address-1\n"
    assert {"anchored", "in-a-cell", "in-the-address-1"} <= known(texts, Path(), [], Path("none"))


def test_a_list_as_far_left_as_its_key_goes_with_it() -> None:
    shown = redacted("a:\n  passwords:\n  - one\n  - two\n  name: b\n- passwords:\n  - three\n- name: c")
    assert [line.strip() for line in shown.splitlines()[2:5]] == ["(a secret)", "(a secret)", "name: b"]
    assert "three" not in shown and "name: c" in shown


def test_a_folder_with_more_files_than_anybody_reads_is_listed_as_far(tmp_path: Path) -> None:
    for name in ("loop", "nowhere"):
        (tmp_path / name).symlink_to(tmp_path / name)
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "store").write_text("x")
    assert [row["path"] for row in listing(tmp_path)] == ["inside", "inside/store", "loop", "nowhere", "zero"]
    assert SEEN < 100_000


def test_what_an_agent_was_started_with_is_known_though_it_hangs(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(json.dumps({"pid": os.getpid()}))
    assert "PATH" in environ(tmp_path)
    for text in ("{", "[]", '{"pid": "../self"}', '{"pid": null}'):
        (tmp_path / "agent.json").write_text(text)
        assert environ(tmp_path) == {}
