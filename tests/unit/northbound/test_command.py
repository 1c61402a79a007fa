"""Commands as JSON: exactly a command is read, everything else is an error that is bounded and says what is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.northbound.command import LARGEST, LATEST, LONGEST, SAID, Unreadable, parse, reply
from agent.northbound.house import Answer, Command

WHOLE: dict[str, Any] = {
    "id": "7f3a",
    "device": "press-3",
    "tag": "setpoint",
    "value": 22.5,
    "issued_at": 1700000000123,
    "ttl": "10s",
    "who": "li",
}
ISSUED = 1700000000123 * 1_000_000


def payload(**changed: Any) -> bytes:
    return json.dumps({**WHOLE, **changed}).encode()


def test_a_command_is_read_with_all_that_it_says() -> None:
    assert parse(payload()) == Command("press-3", "setpoint", 22.5, "7f3a", ISSUED, 10.0, "li")


def test_who_and_ttl_may_be_left_out() -> None:
    short = {key: value for key, value in WHOLE.items() if key not in ("ttl", "who")}
    assert parse(json.dumps(short).encode()) == Command("press-3", "setpoint", 22.5, "7f3a", ISSUED)


@pytest.mark.parametrize("value", [True, False, 0, -5, 2**63, 2**64 - 1, 0.1, "start", "", "料 1"])
def test_a_value_keeps_its_type(value: bool | float | str) -> None:
    found = parse(payload(value=value)).value
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("key", ["id", "device", "tag", "value", "issued_at"])
def test_what_is_missing_is_named(key: str) -> None:
    with pytest.raises(Unreadable, match=f"{key} is missing"):
        parse(json.dumps({name: value for name, value in WHOLE.items() if name != key}).encode())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"value": None}, "must be true, false, a number or text"),
        ({"value": [1]}, "must be true, false, a number or text"),
        ({"value": {"a": 1}}, "must be true, false, a number or text"),
        ({"value": "\ud800"}, "surrogates not allowed"),
        ({"id": ""}, "`id` must be text"),
        ({"id": 5}, "`id` must be text"),
        ({"id": "x" * (LONGEST + 1)}, "at most 128 characters"),
        ({"device": "a\nb"}, "that can be printed"),
        ({"tag": "a\u202eb"}, "that can be printed"),
        ({"who": "\x1b[2J"}, "that can be printed"),
        ({"issued_at": 1700000000123.0}, "whole milliseconds"),
        ({"issued_at": "1700000000123"}, "whole milliseconds"),
        ({"issued_at": True}, "whole milliseconds"),
        ({"issued_at": 0}, "whole milliseconds"),
        ({"issued_at": LATEST + 1}, "whole milliseconds"),
        ({"ttl": 10}, "is not a duration"),
        ({"ttl": "0s"}, "more than 0"),
        ({"ttl": "2d"}, "more than 0 and at most"),
        ({"ttl": "9" * 100_0 + "s"}, "is not a duration"),
        ({"if_equals": 3}, "there is no 'if_equals' in a command"),
    ],
)
def test_what_is_not_exactly_a_command_is_none(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=why) as error:
        parse(payload(**changed))
    assert error.value.hint.startswith("such as {")
    assert error.value.answer.outcome == "forbidden"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe{\x00}\x00", "utf-8"),
        (b"[1]", "a command is a JSON object"),
        (b'"text"', "a command is a JSON object"),
        (b'{"id": "1", "id": "2"}', "a key stands there twice"),
        (b'{"value": {"a": 1, "a": 2}}', "a key stands there twice"),
        (b'{"value": NaN}', "NaN is no number"),
        (b'{"value": -Infinity}', "-Infinity is no number"),
        (b'{"value": 1e999}', "too large"),
        (b'{"value": ' + b"9" * 5000 + b"}", "5000 digits is too long"),
        (b'{"id": "1"} {"id": "2"}', "Extra data"),
        (b"[" * LARGEST, "nested too deeply"),
        (b'{"a":' * 10_000, "nested too deeply"),
        (b" " * (LARGEST + 1), "too many for a command"),
    ],
)
def test_hostile_text_is_an_error_and_not_more(text: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why) as error:
        parse(text)
    assert len(str(error.value)) < 500


def test_an_error_says_which_command_it_was_as_far_as_that_can_be_repeated() -> None:
    with pytest.raises(Unreadable) as error:
        parse(payload(tag="\x1b[2J", value=None))
    told = error.value.told
    assert (told.id, told.device, told.tag) == ("7f3a", "press-3", "")
    answer = json.loads(reply(told, error.value.answer, ISSUED))
    assert (answer["id"], answer["outcome"], answer["ts"]) == ("7f3a", "forbidden", 1700000000123)


def test_an_answer_has_all_keys_in_order() -> None:
    answer = Answer("done", 22.5, "", "", 17)
    assert reply(parse(payload()), answer, ISSUED) == (
        b'{"id":"7f3a","device":"press-3","tag":"setpoint","outcome":"done","value":22.5,"message":"","hint":"",'
        b'"audit":17,"ts":1700000000123}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_value_that_json_does_not_have_is_null(value: float | None) -> None:
    assert json.loads(reply(parse(payload()), Answer("unknown", value), 0))["value"] is None


def test_an_answer_is_bounded_and_always_text() -> None:
    found = reply(parse(payload()), Answer("refused", message="\ud800" + "x" * 100_000), 0)
    assert json.loads(found)["message"] == "?" + "x" * (SAID - 1)


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(WHOLE)), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_a_command_or_an_error_that_can_be_answered(text: bytes) -> None:
    _read(text)


@given(st.data())
def test_a_command_with_one_byte_changed_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(payload())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255))
    _read(bytes(text))


def _read(text: bytes) -> None:
    try:
        command, answer = parse(text), Answer("done")
    except Unreadable as error:
        command, answer = error.told, error.answer
    row = json.loads(reply(command, answer, 0))
    assert (row["id"], row["device"], row["tag"]) == (command.id, command.device, command.tag)
    assert all(part.isprintable() and len(part) <= LONGEST for part in (command.id, command.device, command.tag))
