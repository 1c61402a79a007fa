"""Calendars and the time zone: read, or refused at their place."""

import sys
import zoneinfo
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from agent.config import Site
from agent.config.problems import Mark, Report, Scope
from agent.config.zone import machine_zone, named_zone
from agent.normalise.calendar import Calendar
from tests.unit.config.conftest import DEVICE
from tests.unit.normalise.test_local import ns

HEAD = "gateway: {id: gw-1, timezone: Asia/Shanghai}\n" + DEVICE
TOU = """calendars:
  tou:
    days:
      - seasons: [07..08, 12-15..01-31]
        times: {00:00: valley, 08:00: flat, 10:30: peak, 12:00: {name: sharp, planned: false}}
      - weekdays: sat..sun
        seasons: 3
        times: {"7:00": flat}
      - dates: [2026-10-01..2026-10-07, 2027-01-01]
        times: {00:00: valley}
      - times: {00:00: valley, 08:00: peak}
"""
Complaint = Callable[..., str]
Problems = Callable[..., list[str]]


def tou(text: str = TOU) -> str:
    return HEAD + text


def days(*listed: str) -> str:
    return tou("calendars:\n  tou:\n    days:\n" + "".join(f"      - {{{each}}}\n" for each in listed))


def test_a_calendar_is_read_in_the_zone_of_the_gateway(site: Callable[..., Site]) -> None:
    recipes = site(tou()).recipes
    calendar = recipes.calendars["tou"]
    assert isinstance(calendar, Calendar)
    assert str(recipes.local.zone) == "Asia/Shanghai"
    assert [calendar.name_at(ns(f"{at}+08:00")) for at in ("2026-07-01T10:31", "2026-12-20T12:00")] == ["peak", "sharp"]
    assert not calendar.span_at(ns("2026-12-20T13:00+08:00")).planned
    assert [calendar.name_at(ns(f"{at}T09:00+08:00")) for at in ("2026-03-01", "2026-03-02", "2026-10-07")] == [
        "flat", "peak", "valley",
    ]  # fmt: skip


def grouped(groups: str) -> str:
    return "gateway: {id: gw-1}\n" + DEVICE.replace("tags:", f"groups: {groups}, tags:")


def test_a_zone_that_is_none_has_a_suggestion(complaint: Complaint) -> None:
    said = complaint("gateway: {id: gw-1, timezone: Asia/Shanghay}\n" + DEVICE)
    wanted = "gateway: timezone: there is no time zone 'Asia/Shanghay' (did you mean 'Asia/Shanghai'?)"
    assert said == f"site.yaml:1:31: {wanted}"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "Asia", "a\\0b"])
def test_no_file_is_a_zone_but_those_of_the_zones(complaint: Complaint, name: str) -> None:
    assert "there is no time zone" in complaint(f'gateway: {{id: gw-1, timezone: "{name}"}}\n' + DEVICE)


def test_a_machine_without_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tzdata.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        report = Report()
        assert named_zone("Asia/Shanghai", Mark("f", 1, 1), Scope(report)) is UTC
        (problem,) = report._found
        assert "no time zone data on this machine" in problem.message
        assert "tzdata" in problem.hint
        report = Report()
        assert named_zone("UTC", Mark("f", 1, 1), Scope(report)) is UTC
        assert not report._found
    finally:
        zoneinfo.reset_tzpath(before)


def test_the_machine_s_own_zone_is_found_in_any_of_its_places(tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert str(machine_zone(":Europe/Berlin", none, none)) == "Europe/Berlin"
    link, text = tmp_path / "localtime", tmp_path / "timezone"
    link.symlink_to("/usr/share/zoneinfo/Asia/Shanghai")
    assert str(machine_zone("", link, none)) == "Asia/Shanghai"
    text.write_text("Asia/Tokyo\n")
    copy = tmp_path / "copy"
    copy.write_bytes(Path("/usr/share/zoneinfo/Asia/Shanghai").read_bytes())
    assert str(machine_zone("", copy, text)) == "Asia/Tokyo"
    assert machine_zone("", copy, none).utcoffset(None) is None
    assert str(machine_zone("nonsense", copy, none)) == "local"
    text.write_bytes(b"\xff")
    copy.write_bytes(b"TZif" + bytes(100))
    assert machine_zone("", copy, text) is UTC
    assert machine_zone("", none, none) is UTC


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("times: {24:00: a}", "days[0].times.24:00: '24:00' is no time of the day: write 00:00 to 23:59"),
        ("times: {8: a}", "days[0].times.8: '8' is no time of the day"),
        ("times: {08:00: a/b}", "'a/b' is not a name"),
        ("times: {}", "days[0].times: has fewer than 1 items"),
        ("times: {8:00: a, 08:00: b}", "two periods begin at '08:00'"),
        ("times: {00:00: {name: a, plan: no}}", "unknown key 'plan' (did you mean 'planned'?)"),
        ("seasons: 13, times: {00:00: a}", "13 is no season: write months or days, such as 7, 07..08"),
        ("seasons: 02-30, times: {00:00: a}", "'02-30' is no season"),
        ("seasons: [1, 7..x], times: {00:00: a}", "days[0].seasons[1]: '7..x' is no season"),
        ("weekdays: monday, times: {00:00: a}", "'monday' is no weekday: write mon, tue"),
        ("dates: 2026-02-30, times: {00:00: a}", "'2026-02-30' is no date"),
        ("dates: 2026-02-03..2026-02-01, times: {00:00: a}", "ends before it begins"),
        ("weekday: mon, times: {00:00: a}", "unknown key 'weekday' (did you mean 'weekdays'?)"),
    ],
)
def test_what_an_entry_may_not_say(complaint: Complaint, entry: str, message: str) -> None:
    said = complaint(
        days(entry, "seasons: 1..12, times: {00:00: a}" if "times: {}" not in entry else "times: {0:00: a}")
    )
    assert message in said
    assert said.startswith("site.yaml:6:")
    assert "calendar 'tou'" in said


def test_a_day_without_an_entry_is_a_gap(complaint: Complaint) -> None:
    wanted = (
        "there is no entry for 02-29 on a wed (add one without `seasons`, `weekdays` and `dates`, for all other days)"
    )
    assert complaint(
        days("seasons: 03-01..02-28, times: {00:00: a}", "seasons: 02-29, weekdays: mon..tue, times: {0:00: a}")
    ) == (f"site.yaml:4:3: calendar 'tou': {wanted}")


@pytest.mark.parametrize(
    ("one", "other", "day"),
    [
        ("seasons: 07..08", "seasons: 06-15..07-01", "07-01 on a mon"),
        ("seasons: 07..08", "weekdays: sun..mon", "07-01 on a mon"),
        ("dates: 2026-10-01..2026-10-07", "dates: [2026-01-01, 2026-10-07..2026-10-08]", "2026-10-07"),
    ],
)
def test_two_entries_for_one_day_overlap(complaint: Complaint, one: str, other: str, day: str) -> None:
    said = complaint(days(f"{one}, times: {{0:00: a}}", f"{other}, times: {{0:00: b}}", "times: {0:00: c}"))
    assert said == f"site.yaml:7:9: calendar 'tou': days[1]: {day} is also in days[0] on line 6 (keep it in one)"


def test_two_entries_for_all_days_overlap(complaint: Complaint) -> None:
    assert "is also in days[0]" in complaint(days("times: {0:00: a}", "times: {0:00: b}"))


def test_entries_that_share_no_day_do_not_overlap(site: Callable[..., Site]) -> None:
    entries = ["seasons: 1, weekdays: mon", "seasons: 1, weekdays: tue", "dates: 2026-01-01", "dates: 2026-01-02"]
    assert site(days(*(f"{each}, times: {{0:00: a}}" for each in entries), "times: {0:00: c}")).recipes.calendars


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calendars: [tou]", "site.yaml:3:12: calendars: must be a mapping (name: calendar)"),
        ("calendars: {'a b': {days: [{times: {0:00: a}}]}}", "calendar 'a b': this is not a name"),
        ("calendars: {tou: {}}", "calendar 'tou': days is missing"),
        ("calendars: {tou: }", "calendar 'tou': has no value"),
        ("calendars: {tou: {days: [{times: {0:00: a}}], zone: x}}", "unknown key 'zone'"),
        ("calendars: {" + ", ".join(f"c{n}: {{}}" for n in range(17)) + "}", "17 are more than 16"),
    ],
)
def test_what_a_calendar_may_not_be(complaint: Complaint, text: str, message: str) -> None:
    assert message in complaint(HEAD + text + "\n")


@pytest.mark.parametrize("group", ["total", "window-15m", "interval-1h", "alarm", "shift"])
def test_a_group_of_what_is_made_here_is_nobody_else_s(complaint: Complaint, group: str) -> None:
    said = complaint(grouped(f"{{{group}: {{interval: 1s}}}}"))
    assert said.startswith("site.yaml:2:")
    assert f"groups: '{group}' is the name of what is made here (choose another name)" in said


def test_events_are_groups_too(complaint: Complaint) -> None:
    event = "{name: alarm, node: i=2253, fields: [Time]}"
    device = f"devices: [{{name: m, driver: opcua, endpoint: opc.tcp://a, security: none, events: [{event}]}}]\n"
    assert "device 'm', events: 'alarm' is the name of what is made here" in complaint("gateway: {id: gw-1}\n" + device)


def test_names_that_only_look_like_ours_are_free(site: Callable[..., Site]) -> None:
    groups = "{window: {interval: 1s}, totals: {interval: 2s}, alarms: {interval: 3s}}"
    assert site(grouped(groups)).devices
