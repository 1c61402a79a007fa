"""Problems are collected, put in order, and said of what they belong to."""

import pytest

from agent.config.problems import MOST, Invalid, Mark, Problem, Report, Scope


def settled(report: Report) -> list[str]:
    with pytest.raises(Invalid) as caught:
        report.settle()
    return [str(problem) for problem in caught.value.problems]


def test_a_problem_reads_as_place_message_and_hint() -> None:
    assert str(Problem("a.yaml", 3, 7, "wrong", "do right")) == "a.yaml:3:7: wrong (do right)"
    assert str(Problem("a.yaml", 3, 7, "wrong")) == "a.yaml:3:7: wrong"
    assert Problem("a.yaml", 3, 7, "wrong").as_dict() == {
        "file": "a.yaml",
        "line": 3,
        "column": 7,
        "message": "wrong",
        "hint": "",
    }


def test_no_problem_is_no_error() -> None:
    Report().settle()


def test_problems_come_by_file_line_and_column() -> None:
    report = Report()
    for mark in (Mark("z", 10, 1), Mark("a", 1, 1), Mark("z", 2, 9), Mark("z", 2, 1)):
        report.add(mark, "x")
    assert settled(report) == ["z:2:1: x", "z:2:9: x", "z:10:1: x", "a:1:1: x"]


def test_the_same_problem_twice_is_one() -> None:
    report = Report()
    for message in ("x", "x", "y"):
        report.add(Mark("f", 1, 1), message)
    assert settled(report) == ["f:1:1: x", "f:1:1: y"]


def test_a_report_is_full_at_some_point() -> None:
    report = Report()
    for line in range(1, MOST + 50):
        report.add(Mark("f", line, 1), "x")
    assert report.full
    assert len(settled(report)) == MOST


def test_a_scope_says_whose_problem_it_is() -> None:
    report = Report()
    site = Scope(report, lambda mark: "device 'a'" if mark.file == "site" else "")
    site.add(Mark("site", 1, 1), "x")
    site.add(Mark("map", 1, 1), "x")
    site.within("tag 'b'").add(Mark("site", 2, 1), "x")
    site.within("tag 'b'").add(Mark("map", 2, 1), "x")
    assert settled(report) == [
        "site:1:1: device 'a': x",
        "site:2:1: device 'a', tag 'b': x",
        "map:1:1: x",
        "map:2:1: tag 'b': x",
    ]
