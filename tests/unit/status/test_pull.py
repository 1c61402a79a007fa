"""What a question to the pull API may hold; anything else is refused with words that help."""

from typing import Any

import pytest

from agent.status.pull import LARGEST, LATEST, Mark
from tests.unit.status.test_gate import ALL, ask, facts

__all__ = ["facts"]
MS = 1_000_000


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", [1000, 0.0, "json", "envelope"]),
        ("?limit=1&wait=2.5&format=ndjson&shape=flat", [1, 2.5, "ndjson", "flat"]),
        ("?shape=columnar", [1000, 0.0, "json", "columnar"]),
        ("?format=csv&shape=envelope&wait=60&limit=1000&consumer=apps", [1000, 60.0, "csv", "envelope"]),
    ],
)
async def test_frames_are_asked_for(facts: dict[str, Any], query: str, told: list[object]) -> None:
    status, headers, found = await ask(facts, f"/api/v1/frames{query}")
    assert (status, found, headers["Floorgate-Cursor"], ALL.open) == (200, told, "7", 0)


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=-1", "limit=1e3", "limit=", "limit=x", "limit=%D9%A1", "limit=1&limit=2"),
        *("wait=-1", "wait=60.1", "wait=x", "wait=nan", "wait=inf", "format=xml", "format=", "shape=round"),
        *("shape=columnar&format=json", "shape=flat&format=csv", "lim=1", "limit=" + "9" * 5000),
    ],
)
async def test_a_question_for_frames_that_makes_no_sense_is_refused(facts: dict[str, Any], query: str) -> None:
    status, _, found = await ask(facts, f"/api/v1/frames?{query}")
    assert (status, set(found)) == (400, {"error", "hint"})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", ["", [], 0, LATEST * MS + MS - 1, 0, 1000, "json", "envelope"]),
        (
            "?device=a%20b&tag=x&tag=y&from=1&to=2&cursor=7&limit=3",
            ["a b", ["x", "y"], MS, 3 * MS - 1, 7, 3, "json", "envelope"],
        ),
        ("?from=1970-01-01T00:00:01Z&to=1970-01-01T01:00:01%2B01:00", ["", [], 1000 * MS, 1001 * MS - 1]),
        ("?from=1970-01-01T00:00:01&to=1970-01-01T01:00:01+01:00", ["", [], 1000 * MS, 1001 * MS - 1]),
        ("?from=0001-01-01T00:00:00%2B23:59&to=9999-12-31T23:59:59-23:59", ["", [], 0, LATEST * MS + MS - 1]),
    ],
)
async def test_the_past_is_asked_for(facts: dict[str, Any], query: str, told: list[object]) -> None:
    status, _, found = await ask(facts, f"/api/v1/history{query}")
    assert (status, found[: len(told)]) == (200, told)


@pytest.mark.parametrize(
    "query",
    [
        *(
            "from=yesterday",
            "to=",
            "from=-1",
            f"to={LATEST + 1}",
            "from=1.5",
            "cursor=x",
            "device=a&device=b",
            "since=1",
        ),
        "&".join(f"tag={n}" for n in range(21)),
    ],
)
async def test_a_question_for_the_past_that_makes_no_sense_is_refused(facts: dict[str, Any], query: str) -> None:
    status, _, found = await ask(facts, f"/api/v1/history?{query}")
    assert (status, set(found)) == (400, {"error", "hint"})


@pytest.mark.parametrize(
    ("body", "marks"),
    [
        ({"upto": {"epoch": "ab", "seq": 7}}, [Mark("ab", 0, 7)]),
        ({"frames": [{"epoch": "ab", "from": 1, "to": 7}]}, [Mark("ab", 1, 7)]),
        (
            {"frames": [{"epoch": "ab", "from": n, "to": n} for n in range(1, 101)]},
            [Mark("ab", n, n) for n in range(1, 101)],
        ),
    ],
)
async def test_frames_are_acknowledged(facts: dict[str, Any], body: object, marks: list[Mark]) -> None:
    ALL.acked.clear()
    status, _, found = await ask(facts, "/api/v1/consumers/apps/ack", body=body)
    assert (status, found, ALL.acked) == (200, {"acknowledged": len(marks)}, marks)


@pytest.mark.parametrize(
    "body",
    [
        *(
            {},
            [],
            None,
            7,
            {"upto": 7},
            {"upto": {"epoch": "ab"}},
            {"upto": {"seq": 7}},
            {"frames": [7]},
            {"frames": 7},
        ),
        *({"upto": {"epoch": "ab", "seq": n}} for n in (0, -1, 1.0, True, "7", None, LARGEST + 1)),
        *({"upto": {"epoch": 7, "seq": 7}}, {"upto": {"epoch": "ab", "seq": 7}, "more": 1}),
        *({"upto": {"epoch": "ab", "seq": 7, "more": 1}}, {"upto": {"epoch": "ab", "seq": 7}, "frames": []}),
        *({"frames": [{"epoch": "ab", "from": 2, "to": 1}]}, {"frames": [{"epoch": "ab", "from": 1, "to": 1, "x": 1}]}),
        *({"frames": [{"epoch": "ab", "from": 1, "to": 1}] * 101}, b"{", b"\xff", b"[" * 100_000, b'{"upto":NaN}'),
    ],
)
async def test_what_is_no_acknowledgement_changes_nothing(facts: dict[str, Any], body: object) -> None:
    ALL.acked.clear()
    sent = b"null" if body is None else body
    status, _, found = await ask(facts, "/api/v1/consumers/apps/ack", body=sent)
    assert (status, set(found), ALL.acked) == (400, {"error", "hint"}, [])


async def test_something_that_was_not_handed_out_is_a_conflict(facts: dict[str, Any]) -> None:
    status, _, found = await ask(facts, "/api/v1/consumers/apps/ack", body={"upto": {"epoch": "ab", "seq": 404}})
    assert (status, found["error"]) == (409, "not handed out")


async def test_a_command_is_answered_with_what_became_of_it(facts: dict[str, Any]) -> None:
    assert (await ask(facts, "/api/v1/commands", body={"id": "1"}))[::2] == (200, {"outcome": "done"})
    assert (await ask(facts, "/api/v1/commands", body=b"junk"))[0] == 400
    assert (await ask(facts, "/api/v1/commands", body=bytes((1 << 20) + 1)))[0] == 413


async def test_values_and_devices_are_told(facts: dict[str, Any]) -> None:
    assert (await ask(facts, "/api/v1/values?device=a&tag=b&tag=c"))[2] == [["a"], ["b", "c"]]
    assert (await ask(facts, "/api/v1/tags"))[2] == [[], []]
    assert (await ask(facts, "/api/v1/devices"))[2] == {"devices": []}
    assert (await ask(facts, "/api/v1/devices?x=1"))[0] == 400


async def test_any_token_reads_the_document(facts: dict[str, Any]) -> None:
    for token in ("t" * 16, "s" * 16, facts["token"]):
        status, _, found = await ask(facts, "/api/v1/openapi.json", token)
        assert (status, found["openapi"]) == (200, "3.1.0")
