"""Frames of serial lines are found among anything, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.frames import Ascii, Framing, Rtu, Wanted
from drivers.modbus.ghosts import AGAIN, FORGET, MOST, TWICE, Ghosts, looks
from tests.sim.faulty_line import ascii_frame, rtu

FRAMINGS: list[Framing] = [Rtu(), Ascii()]
units, functions = st.integers(1, 247), st.integers(1, 4)
pdus = st.builds(
    lambda function, data: bytes((function, len(data))) + data, functions, st.binary(min_size=1, max_size=250)
)


def wanted(unit: int, pdu: bytes) -> Wanted:
    return Wanted(unit, pdu[:2], len(pdu))


@pytest.mark.parametrize("framing", FRAMINGS, ids=["rtu", "ascii"])
@given(unit=units, pdu=pdus, before=st.binary(max_size=40), after=st.binary(max_size=10))
def test_an_answer_is_found_behind_noise(framing: Framing, unit: int, pdu: bytes, before: bytes, after: bytes) -> None:
    frame = framing.build(unit, pdu)
    found, _ = framing.find(before + frame + after, wanted(unit, pdu))
    assert found is not None
    assert (found.unit, found.pdu) == (unit, pdu)


@pytest.mark.parametrize("framing", FRAMINGS, ids=["rtu", "ascii"])
@given(unit=units, pdu=pdus, before=st.binary(max_size=20), cuts=st.lists(st.integers(0, 600), max_size=8))
def test_it_does_not_matter_how_it_arrives(
    framing: Framing, unit: int, pdu: bytes, before: bytes, cuts: list[int]
) -> None:
    whole = before + framing.build(unit, pdu)
    heard, since, found = b"", 0, None
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(whole)], strict=True):
        heard += whole[start:end]
        found, since = framing.find(heard, wanted(unit, pdu), since)
    assert found is not None
    assert found.pdu == pdu


@given(unit=units, pdu=pdus, at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_spoilt_byte_and_it_is_no_answer(unit: int, pdu: bytes, at: int, flip: int) -> None:
    frame = bytearray(rtu(unit, pdu))
    frame[at % len(frame)] ^= flip
    assert Rtu().find(bytes(frame), wanted(unit, pdu))[0] is None


@given(heard=st.binary(max_size=300), unit=units, function=functions, size=st.integers(1, 250))
def test_garbage_is_no_answer_and_breaks_nothing(heard: bytes, unit: int, function: int, size: int) -> None:
    for framing in FRAMINGS:
        found, since = framing.find(heard, Wanted(unit, bytes((function, size)), size + 2))
        assert found is None or found.pdu[0] & 0x7F == function
        assert 0 <= since <= len(heard)
        list(framing.others(heard))
        framing.spoilt(heard, Wanted(unit, bytes((function, size)), size + 2))


@given(unit=units, other=units, pdu=pdus)
def test_a_frame_of_another_unit_or_size_is_no_answer(unit: int, other: int, pdu: bytes) -> None:
    longer = Wanted(unit, bytes((pdu[0], pdu[1] + 1)), len(pdu) + 1)
    for framing in FRAMINGS:
        assert framing.find(framing.build(unit, pdu), longer)[0] is None
        if other != unit:
            assert framing.find(framing.build(other, pdu), wanted(unit, pdu))[0] is None
            assert [each.unit for each in framing.others(framing.build(other, pdu))] == [other]


@pytest.mark.parametrize("framing", FRAMINGS, ids=["rtu", "ascii"])
def test_a_refusal_is_an_answer(framing: Framing) -> None:
    found, _ = framing.find(framing.build(3, b"\x83\x02"), Wanted(3, b"\x03\x04", 6))
    assert found is not None
    assert found.pdu == b"\x83\x02"


@pytest.mark.parametrize("framing", FRAMINGS, ids=["rtu", "ascii"])
def test_an_answer_whose_length_only_it_knows_is_found(framing: Framing) -> None:
    """Function 43: who are you?"""
    pdu = bytes.fromhex("2b 0e 01 01 00 00 01 00 04 41 63 6d 65")
    found, _ = framing.find(framing.build(3, pdu), Wanted(3, pdu[:1], 0))
    assert found is not None
    assert found.pdu == pdu


def test_bytes_that_begin_such_an_answer_again_and_again_do_not_cost_minutes() -> None:
    heard, asked = b"\x03\x2b\x0e" * 340, Wanted(3, b"\x2b\x0e", 0)
    for end in range(100, len(heard), 50):
        assert Rtu().find(heard[:end], asked)[0] is None


@given(pdu=st.binary(min_size=2, max_size=250), before=st.binary(max_size=30), after=st.binary(max_size=30))
def test_one_of_unknown_length_is_found_among_anything(pdu: bytes, before: bytes, after: bytes) -> None:
    pdu = b"\x2b\x0e" + pdu
    found, _ = Rtu().find(before + rtu(3, pdu) + after, Wanted(3, b"\x2b\x0e", 0))
    assert found is not None
    assert found.pdu == pdu or len(found.pdu) < len(pdu) or found.start < len(before)


def test_both_kinds_are_built_as_another_implementation_builds_them() -> None:
    for unit, pdu in ((1, b"\x03\x02\x00\x0a"), (247, b"\x04\x04\xff\x00\x12\x34")):
        assert Rtu().build(unit, pdu) == rtu(unit, pdu)
        assert Ascii().build(unit, pdu) == ascii_frame(unit, pdu)


def test_what_is_late_is_remembered_for_its_unit_until_it_is_answered_or_too_old() -> None:
    ghosts = Ghosts(timeout=1.0)
    ghosts.note(1, looks(3, 2), now=0.0)
    assert ghosts.like(1, looks(3, 2), 1.0)
    assert not ghosts.like(1, looks(3, 3), 1.0)
    assert not ghosts.like(2, looks(3, 2), 1.0)
    assert not ghosts.refusal_is_clear(1, 3)
    ghosts.answered(1, looks(3, 3), 1.0)
    assert not ghosts.like(1, looks(3, 2), 1.0)
    ghosts.note(1, looks(3, 2), now=0.0)
    assert not ghosts.like(1, looks(3, 2), FORGET + 0.1)


def test_who_was_heard_twice_may_say_each_answer_again_soon() -> None:
    ghosts = Ghosts(timeout=1.0)
    ghosts.answered(1, looks(3, 2), now=0.0)
    assert not ghosts.like(1, looks(3, 2), 0.1)
    ghosts.overheard(1, looks(3, 2), now=0.1)
    ghosts.answered(1, looks(3, 4), now=0.2)
    assert ghosts.like(1, looks(3, 4), 0.3)
    assert not ghosts.like(1, looks(3, 4), 0.2 + AGAIN + 0.1)
    ghosts.answered(1, looks(3, 4), now=0.2 + TWICE)
    assert not ghosts.like(1, looks(3, 4), 0.3 + TWICE)


def test_what_is_late_and_was_awaited_was_not_said_twice() -> None:
    ghosts = Ghosts(timeout=1.0)
    ghosts.note(1, looks(3, 2), now=0.0)
    for late in (looks(3, 2), (0x83, 2)):
        ghosts.overheard(1, late, now=0.1)
    ghosts.answered(1, looks(3, 4), now=0.2)
    assert not ghosts.like(1, looks(3, 4), 0.3)


def test_what_is_late_takes_bounded_memory() -> None:
    ghosts = Ghosts(timeout=1.0)
    for at in range(10 * MOST):
        ghosts.note(1, (3, at), now=float(at) / 1000)
    assert sum(ghosts.like(1, (3, at), 1.0) for at in range(10 * MOST)) == MOST


@given(st.sets(st.integers(1, 8)), st.integers(1, 125))
def test_a_fence_never_asks_beyond_the_registers_of_its_request(late: set[int], count: int) -> None:
    ghosts = Ghosts(timeout=1.0)
    for each in late:
        ghosts.note(1, looks(3, each), now=0.0)
    for strict in (False, True):
        for function, fewer in ghosts.fences(1, 3, count, 0.0, strict=strict):
            assert fewer <= count
            assert function == 3 or not strict
            assert not ghosts.like(1, looks(function, fewer), 0.0)
