"""A frame that is cut into parts says the same as the whole, and no part is larger than it may be."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Entry
from agent.northbound.encode import Encoder, as_part
from agent.northbound.mqtt.parts import cut
from agent.northbound.shapes.columnar import Columnar
from agent.northbound.shapes.compress import Compression, compressor
from tests.unit.northbound.making import TS, entry, schema
from tests.unit.northbound.test_encode import frames

WIDE = schema(*(f"tag_{n}" for n in range(100)))
encode = Encoder("gw-01").encode


def marked(one: Entry, part: tuple[int, int]) -> bytes:
    return as_part(encode(one), *part)


def within(size: int, alone: int = 0) -> Callable[[bytes, bool], bool]:
    return lambda envelope, single: len(envelope) <= max(size, alone if single else 0)


def joined(parts: list[bytes]) -> Any:
    """As a consumer does it; every part has the same head."""
    said = [json.loads(part) for part in parts]
    assert [each.pop("part") for each in said] == [[n, len(parts)] for n in range(1, len(parts) + 1)]
    inner = {key: {} for each in said for key in ("values", "quality", "stamps") if key in each}
    for each in said:
        for key, whole in inner.items():
            part = each.pop(key, {})
            assert not set(part) & set(whole), "a column twice"
            whole.update(part)
    assert all(each == said[0] for each in said)
    return said[0] | inner


def test_the_mark_stands_at_the_end_of_the_envelope() -> None:
    assert as_part(encode(entry([1.0, 2.0])), 2, 3).endswith(b'"history":false,"part":[2,3]}')


def test_the_parts_of_a_wide_frame_say_what_the_frame_says() -> None:
    whole = entry([float(n) for n in range(100)], of=WIDE, clock="corrected", history=True)
    parts = cut(whole, marked, within(500))
    assert 3 < len(parts) <= 8
    assert max(map(len, parts)) <= 500
    assert joined(parts) == json.loads(encode(whole))


def test_doubts_source_times_and_columns_go_with_their_tags() -> None:
    more = {"columns": tuple(range(99, 19, -1)), "stamps": tuple(TS - n * 10**6 for n in range(80))}
    whole = entry([None, *([1.5] * 79)], bytes([65, 3, *([0] * 78)]), of=WIDE, **more)
    parts = cut(whole, marked, within(600))
    assert len(parts) > 1
    assert joined(parts) == json.loads(encode(whole))


def test_a_large_value_does_not_make_the_parts_of_the_others_small() -> None:
    whole = entry(["x" * 4000, *("y" for _ in range(99))], of=schema(*(t.name for t in WIDE.tags), dtype="str"))
    parts = cut(whole, marked, within(4500))
    assert (len(parts), joined(parts)) == (3, json.loads(encode(whole)))
    assert cut(whole, marked, within(1000)) == []
    parts = cut(whole, marked, within(1000, alone=4500))
    assert (len(parts), joined(parts)) == (7, json.loads(encode(whole)))


def test_a_value_that_is_too_large_alone_leaves_nothing_to_send() -> None:
    of = schema("a", "b", dtype="str")
    assert cut(entry(["x" * 4000, "y"], of=of), marked, within(4000)) == []
    assert cut(entry(["y", "x" * 4000], of=of), marked, within(4000)) == []
    assert cut(entry([], of=schema()), marked, within(10)) == []


@given(frames(), st.integers(150, 600))
def test_any_frame_is_cut_into_parts_that_fit_or_not_at_all(frame: Any, size: int) -> None:
    whole = Entry("e", 7, False, frame)
    parts = cut(whole, marked, within(size))
    if parts:
        assert max(map(len, parts)) <= size
        assert joined(parts) == json.loads(encode(whole))
    else:
        columns = frame.columns if frame.columns is not None else range(len(frame.values))
        mark = len(as_part(b"{}", len(columns), len(columns))) - 2
        assert len(encode(whole)) + mark > size


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_part_that_compresses_worse_with_its_own_number_is_cut_once_more(kind: Compression) -> None:
    """How long compressed bytes are depends on the numbers in them: no part may be a byte too long for that."""
    whole = entry([f"{n * 7919:x}" * (n % 7) for n in range(100)], of=schema(*(t.name for t in WIDE.tags), dtype="str"))
    pack, squeeze = Columnar("gw-01").encode, compressor(kind)
    judged: set[int] = set()

    def encoded(one: Entry, part: tuple[int, int]) -> bytes:
        return squeeze(pack([one], part))

    def noted(payload: bytes, alone: bool) -> bool:
        judged.add(len(payload))
        return len(payload) <= 100

    cut(whole, encoded, noted)
    for size in sorted(judged):
        if size >= 100:
            assert max(map(len, cut(whole, encoded, within(size)))) <= size
