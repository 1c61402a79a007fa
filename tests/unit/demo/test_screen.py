"""What a person sees."""

import io

import msgspec
from rich.console import Console

from agent.demo.screen import Screen, table
from agent.demo.site import COMPRESSOR, METER
from agent.demo.story import Scene
from agent.demo.tally import Envelope, Tally


def shown(thing: object, *, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=90, force_terminal=terminal)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def known() -> Tally:
    tally = Tally()
    frame = Envelope("demo", "e", 1, METER, 100_000, {"voltage_l1": 229.7}, {"voltage_l2": "bad_comm"})
    tally.add(msgspec.json.encode(frame))
    tally.frames[METER] = 1234
    return tally


def test_the_table_shows_value_unit_age_quality_and_count() -> None:
    text = shown(table(known(), Scene(), now=101.5))
    line = next(line for line in text.splitlines() if "voltage_l1" in line)
    for part in ("main-meter", "229.70 V", "1.5 s", "bad_comm", "1,234"):
        assert part in line


def test_a_tag_without_a_value_is_a_dash_and_an_unknown_device_is_empty() -> None:
    text = shown(table(known(), Scene(), now=101.5))
    assert any("voltage_l2" in line and "- V" in line for line in text.splitlines())
    assert any("compressor" in line and "pressure" in line for line in text.splitlines())


def test_a_dead_device_is_called_dead() -> None:
    assert "dead" in shown(table(Tally(), Scene(dead={COMPRESSOR}), now=0))
    assert "dead" not in shown(table(Tally(), Scene(), now=0))


def test_without_a_terminal_each_event_is_one_plain_line_and_no_table_is_drawn() -> None:
    file = io.StringIO()
    with Screen(Console(file=file, width=40)) as screen:
        screen.say("a long sentence that a narrow console would break in the middle of its words")
        screen.draw(known(), Scene(), now=0)
    assert file.getvalue().endswith(
        " s  a long sentence that a narrow console would break in the middle of its words\n"
    )
    assert file.getvalue().count("\n") == 1


def test_on_a_terminal_the_table_the_uplink_and_the_story_fit_24_lines() -> None:
    file = io.StringIO()
    with Screen(Console(file=file, width=90, height=24, force_terminal=True)) as screen:
        for number in range(20):
            screen.say(f"event {number}")
        screen.draw(known(), Scene(done=0.5, cut=True), now=0)
    last = file.getvalue().rpartition("What the platform has")[2]
    assert "cut" in last
    assert "event 19" in last
    assert "event 13" not in last
    assert last.count("\n") < 24
