"""A trial is confirmed or reverted, never both and never neither; what was not well before does not count."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.trial import LEAST, NOBODY, SINK, Key, Phase, S, Trial, Vitals

MINUTE = 60 * S
WELL: dict[Key, bool] = {
    ("device", "meter"): True,
    ("device", "dead"): False,
    ("line", "tcp:a"): True,
    ("sink", "up"): True,
}
TAGS = frozenset({"meter/u", "meter/i", "dead/x"})
BEFORE = Vitals(WELL, TAGS, frozenset({"dead/x"}))


def trial(patience: Mapping[str, int] | None = None, before: Vitals = BEFORE) -> Trial:
    return Trial(2, before, 0, 5 * MINUTE, patience or {})


def now(bad: frozenset[str] = frozenset({"dead/x"}), tags: frozenset[str] = TAGS, **states: bool) -> Vitals:
    kinds = {name: (kind, name) for kind, name in WELL}
    changed = {kinds.get(name, ("device", name)): well for name, well in states.items()}
    return Vitals(WELL | changed, tags, bad)


@pytest.mark.parametrize(
    ("vitals", "patience", "reason"),
    [
        (now(), 0, ""),
        (now(meter=False), LEAST, "device meter is not well"),
        (now(meter=False, bad=TAGS), LEAST, "device meter is not well"),  # its tags go without saying
        (now(new=False), LEAST, "device new is not well"),
        (now(new=True), 0, ""),
        (now(dead=True, bad=frozenset()), 0, ""),
        (now(up=False), SINK, "sink up is not well"),
        (now(bad=frozenset({"meter/u"})), LEAST, "tag meter/u is not well"),
        (now(bad=frozenset({"meter/new"}), tags=TAGS | {"meter/new"}), LEAST, "tag meter/new is not well"),
        (now(meter=False, up=False), LEAST, "device meter is not well"),  # which is seen sooner
    ],
)
def test_what_is_worse_for_as_long_as_one_has_patience_ends_it(vitals: Vitals, patience: int, reason: str) -> None:
    it = trial()
    assert it.look(0, vitals) == "running"
    if not patience:
        assert [it.look(at * S, vitals) for at in range(299)] == ["running"] * 299
        return
    assert it.look(patience - 1, vitals) == "running"
    assert it.doubts()
    assert (it.look(patience, vitals), it.reason) == ("reverted", reason)


def test_a_line_with_long_intervals_has_its_turns_first() -> None:
    it = trial({"meter": MINUTE})
    assert [it.look(at * S, now(meter=False, bad=TAGS)) for at in range(60)] == ["running"] * 60
    assert it.look(MINUTE, now(meter=False)) == "reverted"


def test_what_comes_back_in_time_is_forgiven() -> None:
    it = trial()
    for at in range(290):
        assert it.look(at * S, now(meter=at % 10 == 9)) == "running"
    assert it.confirm(291 * S) == "confirmed"


def test_several_things_are_told_in_a_line() -> None:
    it = trial()
    bad = frozenset({"meter/u", "meter/i", "dead/x"})
    it.look(0, now(bad=bad, new=False))
    it.look(LEAST, now(bad=bad, new=False))
    assert it.reason == "device new and 2 tags (meter/i, meter/u) are not well"


def test_nobody_confirms_and_too_late_is_too_late() -> None:
    it = trial()
    assert it.look(5 * MINUTE - 1, now()) == "running"
    assert (it.confirm(5 * MINUTE), it.reason) == ("reverted", NOBODY)
    other = trial()
    assert (other.look(5 * MINUTE, now()), other.reason) == ("reverted", NOBODY)


EVENTS = st.one_of(
    st.tuples(st.just("look"), st.sampled_from([now(), now(meter=False), now(up=False), now(bad=TAGS)])),
    st.tuples(st.just("confirm"), st.none()),
    st.tuples(st.just("revert"), st.none()),
)


@given(st.lists(st.tuples(st.integers(0, 2 * MINUTE), EVENTS), max_size=40))
def test_it_ends_one_way_and_stays_so(story: list[tuple[int, tuple[str, Vitals | None]]]) -> None:
    it, at, ended = trial(), 0, set[Phase]()
    for wait, (event, vitals) in story:
        at += wait
        if event == "look":
            assert vitals is not None
            it.look(at, vitals)
        elif event == "confirm":
            it.confirm(at)
        else:
            it.revert("somebody")
        ended |= {it.phase} - {"running"}
        assert len(ended) <= 1
        assert not (at >= it.deadline and it.phase == "running")
    assert it.look(max(at, it.deadline), now()) != "running"
    assert bool(it.reason) == (it.phase == "reverted")
