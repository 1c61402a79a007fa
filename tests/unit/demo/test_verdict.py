"""When the demo is content, and what it says when it is not."""

from typing import Any

import pytest

from agent.demo.tally import Envelope, Tally
from agent.demo.verdict import complete, judge

DEVICES = ("meter", "press")


def account(device: str, read: int = 2, **more: Any) -> dict[str, Any]:
    whole = {"sink": "platform", "device": device, "read": read, "delivered": read, "buffered": 0}
    return {**whole, "suppressed": {}, "dropped": {}, "balanced": True, **more}


def arrived(*devices: str) -> Tally:
    """One frame of two samples for each device named."""
    import msgspec

    tally = Tally()
    for seq, device in enumerate(devices, 1):
        tally.add(msgspec.json.encode(Envelope("g", "e", seq, device, 0, {"a": 1, "b": 2})))
    return tally


def test_all_that_was_read_has_arrived() -> None:
    result = judge([account("meter"), account("press")], arrived("meter", "press"), DEVICES)
    assert result.problems == ()
    assert result.sentence().startswith("read 4 = delivered 4 samples, nothing lost. The platform has 2 frames")
    assert result.as_dict()["ok"] is True


def test_a_missing_frame_is_a_failure_that_names_the_device() -> None:
    result = judge([account("meter", 4), account("press")], arrived("meter", "press"), DEVICES)
    assert result.problems == ("meter: 2 samples have arrived, the ledger says 4",)
    assert result.sentence() == "NOT OK: meter: 2 samples have arrived, the ledger says 4"
    assert result.as_dict()["ok"] is False


def test_a_gap_in_the_numbers_is_a_failure_even_when_the_sums_agree() -> None:
    tally = arrived("meter", "press")
    tally._seen["g", "e"] = {(1, None), (3, None)}
    assert "1 frames are missing" in judge([account("meter"), account("press")], tally, DEVICES).problems[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"delivered": 0, "buffered": 2}, "meter: 2 samples still wait on disk"),
        ({"delivered": 0, "dropped": {"full": 2}}, "meter: 2 samples were dropped: {'full': 2}"),
        ({"read": 3, "balanced": False}, "meter: the ledger does not balance"),
    ],
)
def test_what_the_ledger_does_not_call_delivered_is_a_failure(more: dict[str, Any], words: str) -> None:
    result = judge([account("meter", **more), account("press")], arrived("meter", "press"), DEVICES)
    assert any(problem.startswith(words) for problem in result.problems)


def test_a_device_that_was_never_read_is_a_failure() -> None:
    assert judge([account("meter")], arrived("meter"), DEVICES).problems == ("press: nothing was read",)


def test_a_device_that_the_ledger_does_not_know_is_a_failure() -> None:
    result = judge([account("meter"), account("press")], arrived("meter", "press", "ghost"), DEVICES)
    assert result.problems == ("ghost: 2 samples have arrived, the ledger says 0",)


def test_a_message_that_nobody_can_read_is_a_failure() -> None:
    tally = arrived("meter", "press")
    tally.add(b"?")
    assert judge([account("meter"), account("press")], tally, DEVICES).problems == ("1 messages could not be read",)


@pytest.mark.parametrize(
    ("code", "words"), [(3, "the agent ended with exit code 3"), (None, "the agent did not stop in time")]
)
def test_an_agent_that_does_not_end_well_is_a_failure(code: int | None, words: str) -> None:
    result = judge([account("meter"), account("press")], arrived("meter", "press"), DEVICES, exit_code=code)
    assert result.problems == (words,)


def test_the_last_messages_may_still_be_on_their_way() -> None:
    assert not complete([account("meter"), account("press")], arrived("meter"))
    assert complete([account("meter"), account("press")], arrived("meter", "press"))
