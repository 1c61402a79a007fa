"""What a file says of states and shifts: read as it is meant, or refused at its place."""

from collections.abc import Callable

import pytest

from agent.config import Site
from agent.normalise.shift import Oee
from agent.normalise.state import States
from tests.unit.config.conftest import GATEWAY

CALENDAR = "calendars: {shifts: {days: [{times: {06:00: early, 14:00: late}}]}}\n"
MODE = "name: mode, type: int32, state: {run: [1, 5], idle: 2, other: fault}"
PIECES, SCRAP = "name: pieces, type: int64, kind: counter", "name: scrap, type: int64, kind: counter"


def device(*tags: str, oee: str = "", more: str = "") -> str:
    listed = "".join(f"  - {{{each}}}\n" for each in tags)
    said = f"  oee: {{{oee}}}\n" if oee else ""
    return f"{GATEWAY}{CALENDAR}devices:\n- name: m\n  driver: sim\n{said}{more}  tags:\n{listed}"


def test_states_are_in_the_order_of_the_file(site: Callable[..., Site]) -> None:
    rules = site(device(MODE, "name: on, type: bool, state: {run: true, off: false}")).recipes.tags
    assert rules["m", "mode"].states == States(("run", "idle", "fault"), ((1, 0), (5, 0), (2, 1)), 2)
    found = rules["m", "on"].states
    assert found is not None
    assert [found.place(value) for value in (True, False, 1, 0.0, None, 7)] == [0, 1, 0, 1, -1, -1]


def test_a_state_that_is_listed_may_be_that_of_the_others_too(site: Callable[..., Site]) -> None:
    said = "name: mode, type: str, state: {off: stop, run: [auto, manual], other: off}"
    assert site(device(said)).recipes.tags["m", "mode"].states == States(
        ("off", "run"), (("stop", 0), ("auto", 1), ("manual", 1)), 0
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{}", "state: no state: such as {run: [1], idle: [2], fault: [3]}"),
        ("{other: run}", "state: no state: such as {run: [1], idle: [2], fault: [3]}"),
        ("{run: []}", "state.run: has fewer than 1 items"),
        ("{run: 1, idle: [2, 1]}", "state: 1 is in run and in idle: take it out of one"),
        ("{run: 1, idle: true}", "state: true is in run and in idle"),
        ("{unknown: 1}", "state: unknown is what it is called when nothing is known"),
        ("{run: 1, other: 4}", "state: other: must be the name of a state"),
        ("{run: 1, other: [a, b]}", "state: other: must be the name of a state"),
        ("{run: 1, other: unknown}", "state: other: must be the name of a state"),
        ("{run: auto}", "state: run: 'auto': the tag is no text (int32), and never has this value"),
        ("{'a b': 1}", "state"),
        ("run", "state"),
    ],
)
def test_what_states_cannot_be(complaint: Callable[..., str], said: str, message: str) -> None:
    found = complaint(device(f"name: mode, type: int32, state: {said}"))
    assert found.startswith("site.yaml:7:")
    assert f"device 'm', tag 'mode': {message}" in found


def test_a_text_is_never_a_number(complaint: Callable[..., str]) -> None:
    found = complaint(device("name: mode, type: str, state: {run: auto, off: 0}"))
    assert "state: off: 0: the tag is a text, and never has this value" in found


def test_names_that_two_tags_need_and_names_that_are_too_long(complaint: Callable[..., str]) -> None:
    found = complaint(device("name: a, type: int32, state: {b_c: 1}", "name: a_b, type: int32, state: {c: 1}"))
    assert "tag 'a_b': state: the name 'a_b_c_s' is needed for the tag 'a', too" in found
    found = complaint(device(f"name: {'x' * 120}, type: int32, state: {{running: 1}}"))
    assert "at most 128 characters: give it a shorter name" in found


def test_an_oee_names_its_tags_and_its_calendar(site: Callable[..., Site]) -> None:
    said = "state: mode, produced: pieces, rejects: scrap, cycle: 30s, calendar: shifts"
    assert site(device(MODE, PIECES, SCRAP, oee=said)).recipes.oee == {
        "m": Oee("mode", ("run",), "pieces", 30 * 10**9, "shifts", rejects="scrap")
    }
    said = "state: mode, run: [run, idle], produced: pieces, good: scrap, cycle: 500ms, calendar: shifts"
    found = site(device(MODE, PIECES, SCRAP, oee=said)).recipes.oee["m"]
    assert (found.run, found.good, found.cycle, found.counters) == (
        ("run", "idle"),
        "scrap",
        5 * 10**8,
        ("pieces", "scrap"),
    )


def test_the_state_may_be_worked_out(site: Callable[..., Site]) -> None:
    said = "state: running, produced: pieces, rejects: scrap, cycle: 30s, calendar: shifts"
    more = "  derived: {running: {expr: rpm > 50, state: {run: true, idle: false}}}\n"
    assert "m" in site(device("name: rpm", PIECES, SCRAP, oee=said, more=more)).recipes.oee


RIGHT = {"state": "mode", "produced": "pieces", "rejects": "scrap", "cycle": "30s", "calendar": "shifts"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"state": "mod"}, "oee: state: there is no tag 'mod' (did you mean 'mode'?)"),
        ({"state": "pieces"}, "oee: state: the tag 'pieces' has no `state:` (such as state: {run: [1]"),
        ({"run": "runing"}, "oee: run: the tag 'mode' has no state 'runing' (it has run, idle, fault)"),
        ({"run": "[run, off]"}, "oee: run: the tag 'mode' has no state 'off'"),
        ({"produced": "piece"}, "oee: produced: there is no tag 'piece' (did you mean 'pieces'?)"),
        ({"produced": "text"}, "oee: produced: the tag 'text' is a text"),
        ({"rejects": "scraps"}, "oee: rejects: there is no tag 'scraps' (did you mean 'scrap'?)"),
        ({"calendar": "shift"}, "oee: calendar: there is no calendar 'shift' (did you mean 'shifts'?)"),
        ({"good": "scrap"}, "one of `good` and `rejects` must be there"),
        ({"rejects": ""}, "one of `good` and `rejects` must be there"),
        ({"cycle": "0s"}, "oee.cycle: '0s' is not more than 0"),
        ({"cycle": "30"}, "oee.cycle"),
        ({"shift": "x"}, "oee: unknown key 'shift'"),
    ],
)
def test_what_an_oee_cannot_be(complaint: Callable[..., str], wrong: dict[str, str], message: str) -> None:
    said = ", ".join(f"{key}: {value}" for key, value in {**RIGHT, **wrong}.items() if value)
    found = complaint(device(MODE, PIECES, SCRAP, "name: text, type: str", oee=said))
    assert found.startswith("site.yaml:6:")
    assert message.removeprefix("oee: ") in found
    assert "device 'm'" in found


LINE = (
    "- {name: p, driver: sim, tags: [{name: mode, type: int32, state: {run: 1, other: idle}}, "
    "{name: n, kind: counter}, {name: text, type: str}]}\n"
    "- {name: q, driver: sim, tags: [{name: n, kind: counter, counter: {}}]}\n"
)


def line(**said: str) -> str:
    """A virtual device of both; what its `oee:` says is on line 6."""
    right = {"state": "m", "produced": "all", "good": "out", "cycle": "30s", "calendar": "shifts", **said}
    listed = ", ".join(f"{key}: {value}" for key, value in right.items() if value)
    inputs = "inputs: {m: p/mode, all: p/n, out: q/n, again: p/n, total: q/n_total, t: p/text}"
    derived = "derived: {running: {expr: m == 1, state: {run: true, other: stopped}}, both: all + out}"
    head = f"{GATEWAY}{CALENDAR}devices:\n{LINE}virtual:\n"
    return f"{head}- {{name: v, {inputs}, {derived}, oee: {{{listed}}}}}\n"


def test_an_oee_of_several_machines_names_inputs_and_derived_tags(site: Callable[..., Site]) -> None:
    first = site(line()).recipes.oee["v"]
    assert first.inputs == (("m", ("p", "mode")), ("all", ("p", "n")), ("out", ("q", "n")))
    assert [first.source(name, "v") for name in ("all", "both")] == [("p", "n"), ("v", "both")]
    other = site(line(state="running", run="[run, stopped]", produced="both", good="total")).recipes.oee["v"]
    assert (other.state, other.inputs) == ("running", (("total", ("q", "n_total")),))
    same = site(line(good="again")).recipes.oee["v"]
    assert (same.good, same.counters) == ("all", ("all",))


ONLY = line().replace("derived: {running: {expr: m == 1, state: {run: true, other: stopped}}, both: all + out}, ", "")


def test_a_virtual_device_may_have_nothing_but_its_oee(site: Callable[..., Site]) -> None:
    assert "derived" not in ONLY and "v" in site(ONLY).recipes.oee


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"state": "mm"}, "state: there is no tag 'mm' (did you mean 'm'?)"),
        ({"state": "all"}, "state: the tag 'all' has no `state:`"),
        ({"state": "total"}, "state: the tag 'total' has no `state:`"),
        ({"state": "both"}, "state: the tag 'both' has no `state:`"),
        ({"run": "off"}, "run: the tag 'm' has no state 'off' (it has run, idle)"),
        ({"state": "running", "run": "off"}, "run: the tag 'running' has no state 'off' (it has run, stopped)"),
        ({"produced": "t"}, "produced: the tag 't' is a text"),
        ({"rejects": "all", "good": ""}, "rejects: 'all' is the tag of `produced`, too"),
        ({"produced": "running"}, "produced: the tag 'running' is a bool"),
        ({"calendar": "shift"}, "calendar: there is no calendar 'shift' (did you mean 'shifts'?)"),
        ({"good": ""}, "one of `good` and `rejects` must be there"),
    ],
)
def test_what_an_oee_of_several_machines_cannot_be(
    complaint: Callable[..., str], wrong: dict[str, str], message: str
) -> None:
    text = line(**wrong)
    found = complaint(text)
    assert found.startswith(f"site.yaml:{text.count(chr(10))}:")
    assert "virtual device 'v', oee" in found or "virtual device 'v': oee" in found
    assert message in found


@pytest.mark.parametrize(
    ("source", "message"),
    [("q/o", "inputs: out: device 'q': there is no tag 'o'"), ("r/n", "inputs: out: there is no device 'r'")],
)
def test_an_input_that_is_not_there_is_told_where_it_is_named(
    complaint: Callable[..., str], source: str, message: str
) -> None:
    """Also where nothing but the `oee:` uses it."""
    alone = ONLY.replace("out: q/n", f"out: {source}")
    assert message in complaint(alone)


def test_what_is_worked_out_of_its_own_oee_is_a_circle(complaint: Callable[..., str]) -> None:
    text = line(produced="both").replace("both: all + out", "both: all * oee_quality")
    assert "both → oee_quality → both" in complaint(text)
