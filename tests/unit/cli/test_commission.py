"""`floorgate commission`: every tag is tried with the person at the cabinet, and there is a report to sign."""

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.cli.commission.texts import EN, ZH
from agent.cli.commission.walk import Reading, agree, parsed
from tests.e2e.site import Agent
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import wait_until

SITE = """\
gateway: {id: gw, site: [acme, hangzhou]}
devices:
  - name: boiler
    driver: sim
    tags:
      - {name: temperature, wave: constant, low: 65.5, unit: Cel, description: "=1+1 <script>alert(1)</script>"}
      - {name: running, wave: constant, low: 1, type: int16}
      - {name: label, wave: constant, low: 7, type: str}
      - {name: off, wave: constant, low: 7, enabled: false}
"""
METER = """\
gateway: {id: gw}
devices:
  - {name: m, driver: modbus, endpoint: 'tcp://127.0.0.1:%d', tags: [%s]}
"""


def commission(folder: Path, typed: str, *options: str, text: str = SITE) -> Result:
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    given = ["commission", "-c", str(path), "--data", str(folder / "data"), *options]
    return CliRunner().invoke(main, given, input=typed)


def rows(folder: Path, language: str = "en") -> list[dict[str, str]]:
    raw = (folder / "commissioning" / f"report.{language}.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # so that Excel reads it as UTF-8
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))


def test_every_tag_that_is_read_gets_its_answer(tmp_path: Path) -> None:
    done = commission(tmp_path, "65\n1\n7\n", "--by", "Li Wei")
    assert done.exit_code == 0, done.output
    found = rows(tmp_path)
    assert [(row["Tag"], row["Value"], row["Display"], row["Result"], row["By"]) for row in found] == [
        ("temperature", "65.5", "65", "passed", "Li Wei"),
        ("running", "1", "1", "passed", "Li Wei"),
        ("label", "7", "7", "passed", "Li Wei"),
    ]
    assert [row["结论"] for row in rows(tmp_path, "zh")] == ["合格"] * 3


def test_what_differs_fails_with_a_note_and_the_exit_code_says_so(tmp_path: Path) -> None:
    done = commission(tmp_path, "70\nscale is wrong\ns\nno display\nf\nwrong text\n")
    assert done.exit_code == 1
    found = [(row["Result"], row["Display"], row["Note"]) for row in rows(tmp_path)]
    assert found == [("failed", "70", "scale is wrong"), ("left out", "", "no display"), ("failed", "", "wrong text")]
    assert "3 tags: 0 passed, 2 failed, 1 left out, 0 to be tried" in done.output


@pytest.mark.parametrize("typed", ["f\n", "70\n", "s\n"])
def test_a_walk_that_is_broken_off_at_a_note_asks_for_that_tag_again(tmp_path: Path, typed: str) -> None:
    done = commission(tmp_path, typed)
    assert "goes on with tag 1 of 3" in done.output
    assert [row["Result"] for row in rows(tmp_path)] == ["not tried"] * 3


def test_a_site_of_which_nothing_is_read_has_nothing_to_sign(tmp_path: Path) -> None:
    done = commission(tmp_path, "", text=SITE.replace("driver: sim", "driver: sim\n    enabled: false"))
    assert done.exit_code == 78
    assert "no tag is read" in done.output
    assert not (tmp_path / "commissioning" / "report.en.csv").exists()


def test_a_walk_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    first = commission(tmp_path, "65\nq\n")
    assert (first.exit_code, "goes on with tag 2 of 3" in first.output) == (1, True)
    second = commission(tmp_path, "1\n")  # and then nobody types any more
    assert "[2/3] boiler  running" in second.output
    assert [row["Result"] for row in rows(tmp_path)] == ["passed", "passed", "not tried"]
    assert commission(tmp_path, "p\n").exit_code == 0
    assert "every tag has its answer" in commission(tmp_path, "").output
    assert "[1/3]" in commission(tmp_path, "q\n", "--anew").output


def test_a_tag_of_which_the_file_says_something_else_now_is_tried_again(tmp_path: Path) -> None:
    assert commission(tmp_path, "65\n1\n7\n").exit_code == 0
    done = commission(tmp_path, "q\n", text=SITE.replace("low: 1, type: int16", "low: 0, type: int16"))
    assert "[2/3] boiler  running" in done.output
    assert [row["Result"] for row in rows(tmp_path)] == ["passed", "not tried", "passed"]


def test_one_may_look_again_go_back_and_ask_what_there_is_to_type(tmp_path: Path) -> None:
    done = commission(tmp_path, "r\n?\np\nb\np\noff\nreads on\np\n")
    assert done.output.count("[1/3]") == 4  # read, read once more, helped, come back to
    assert [row["Result"] for row in rows(tmp_path)] == ["passed", "failed", "passed"]


def test_only_the_devices_that_are_named(tmp_path: Path) -> None:
    two = SITE + "  - {name: pump, driver: sim, tags: [{name: speed, wave: constant, low: 9}]}\n"
    assert commission(tmp_path, "9\n", "pump", text=two).exit_code == 0
    assert [row["Device"] for row in rows(tmp_path)] == ["pump"]
    said = commission(tmp_path, "", "pumpe", text=two)
    assert (said.exit_code, "did you mean 'pump'?" in said.output) == (78, True)


def test_reports_are_written_of_what_there_is_without_asking(tmp_path: Path) -> None:
    commission(tmp_path, "65\nq\n")
    (tmp_path / "commissioning" / "report.en.csv").unlink()
    done = commission(tmp_path, "", "--report")
    assert (done.exit_code, "reads" in done.output) == (1, False)
    assert [row["Result"] for row in rows(tmp_path)] == ["passed", "not tried", "not tried"]


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("br", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "meta"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_to_sign_is_whole_and_nothing_in_it_runs(tmp_path: Path, language: str) -> None:
    commission(tmp_path, "65\n<b>x</b>\n<img src=x onerror=alert(1)>\n7\n")
    text = (tmp_path / "commissioning" / f"report.{language}.html").read_text("utf-8")
    page, texts = Page(text), {"en": EN, "zh": ZH}[language]
    assert page.open == []
    assert not {"script", "img", "b", "link", "iframe"} & set(page.tags)
    assert "http" not in text.replace("http-equiv", "")  # it is read where there is no network
    assert "@media print" in text
    words = "".join(page.words)
    for said in (texts["title"], texts["sign"], texts["executor"], "acme / hangzhou", "<b>x</b>", texts["pass"]):
        assert said in words


def test_both_languages_have_the_same_texts() -> None:
    assert EN.keys() == ZH.keys()
    assert all(EN.values()) and all(ZH.values())


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    commission(tmp_path, "65\nf\n@SUM(1)\n-7\nminus\n")
    cells = [cell for row in rows(tmp_path) for cell in row.values()]
    assert "'=1+1 <script>alert(1)</script>" in cells
    assert "'@SUM(1)" in cells
    assert "-7" in cells


def test_a_device_that_does_not_answer_is_shown_and_can_be_failed(tmp_path: Path) -> None:
    done = commission(tmp_path, "p\n5\nnot connected\n", text=METER % (1, "{name: a, address: 0}"))
    assert "what was not read cannot pass" in done.output
    assert "nothing was read: tcp://127.0.0.1:1: cannot connect" in done.output
    (row,) = rows(tmp_path)
    assert (row["Result"], row["Note"]) == ("failed", "not connected")


def test_raw_words_and_their_place_are_shown(tmp_path: Path) -> None:
    with libmodbus_server() as port:
        tag = "{name: a, register: input, address: 5, scale: 0.5, unit: V}"
        done = commission(tmp_path, "8\n", text=METER % (port, tag))
    assert "  8 V   raw 0010 at input 5" in done.output
    assert done.exit_code == 0


def test_a_running_agent_is_asked(tmp_path: Path) -> None:
    with Agent(tmp_path, SITE) as agent:
        agent.ready()
        wait_until(lambda: agent.ask("/api/v1/tags")["tags"][0]["quality"] == "good", "values")
        done = CliRunner().invoke(
            main, ["commission", "-c", str(agent.config), "--data", str(agent.data)], input="65.5\n1\n7\n"
        )
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("content", ["", "{", "[]", '{"gateway":"gw"}', "\0" * 99])
def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    state = tmp_path / "commissioning" / "state.json"
    state.parent.mkdir()
    state.write_text(content)
    done = commission(tmp_path, "65\n")
    assert (done.exit_code, "no answers of a walk" in done.output) == (1, True)
    assert state.read_text() == content


def test_the_answers_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    commission(tmp_path, "65\nq\n")
    state = tmp_path / "commissioning" / "state.json"
    state.write_text(newer := json.dumps({**json.loads(state.read_text()), "format": 2}))
    done = commission(tmp_path, "65\n")
    assert (done.exit_code, "by a newer floorgate in format 2" in done.output) == (78, True)
    assert state.read_text() == newer


def test_the_answers_of_another_gateway_are_not_gone_on_with(tmp_path: Path) -> None:
    commission(tmp_path, "65\nq\n")
    done = commission(tmp_path, "", text=SITE.replace("id: gw", "id: other"))
    assert (done.exit_code, "has the answers of the gateway 'gw'" in done.output) == (1, True)


def test_each_answer_is_on_disk_before_the_next_question(tmp_path: Path) -> None:
    commission(tmp_path, "65\n1\n")
    kept = json.loads((tmp_path / "commissioning" / "state.json").read_text())
    assert list(kept["answers"]) == ["boiler/temperature", "boiler/running"]


@pytest.mark.parametrize(
    ("typed", "number"),
    [("230", (230, 0.5)), ("230.0", (230, 0.05)), ("230,5", (230.5, 0.05)), ("1 230", (1230, 0.5)),
     ("-.5", (-0.5, 0.05)), ("1e3", (1000, 500)),
     ("", None), (".", None), ("nan", None), ("inf", None), ("0x10", None), ("1.2.3", None)],
)  # fmt: skip
def test_a_number_is_as_exact_as_it_was_typed(typed: str, number: tuple[float, float] | None) -> None:
    assert parsed(typed) == (number and pytest.approx(number))


@pytest.mark.parametrize(
    ("value", "typed", "same"),
    [(229.7, "230", True), (229.7, "229.9", True), (229.7, "235", False), (2297, "229.7", False), (0.0, "0", True),
     (0.0, "0.1", False), (True, "ON", True), (True, "off", False), (False, "0", True), ("Run", "run ", True),
     ("run", "stop", False), (None, "", False), (None, "5", False), (5, "x", False)],
)  # fmt: skip
def test_two_readings_agree(value: float | str | bool | None, typed: str, same: bool) -> None:
    assert agree(Reading(value), typed, 0.01) == same


@given(st.text(max_size=20), st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=5))
def test_whatever_is_typed_is_judged(typed: str, value: float | str | bool | None) -> None:
    assert agree(Reading(value), typed, 0.01) in (True, False)


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_what_the_display_rounds_agrees(value: float, places: int) -> None:
    assert agree(Reading(value), f"{value:.{places}f}", 0.0)
