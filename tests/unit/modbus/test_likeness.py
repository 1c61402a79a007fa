"""Which map a device behaves like: each map recognises a device of its own, and no other kind of thing."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.config import Config
from drivers.modbus.likeness import BLOCKS, LIKELY, Feature, Likeness, features, judged
from tests.unit.modbus.builders import config

METER = [
    *({"name": f"voltage_l{n + 1}", "address": 2 * n, "type": "float32", "unit": "V"} for n in range(3)),
    {"name": "current", "address": 6, "type": "float32", "unit": "A"},
    {"name": "power_factor", "address": 30, "type": "float32"},
    {"name": "frequency", "address": 70, "type": "float32", "unit": "Hz"},
    {"name": "energy", "address": 72, "type": "float32", "unit": "kWh"},
    {"name": "label", "address": 80, "type": "string", "length": 4, "unit": "V"},
]


def answers(found: tuple[Feature, ...], floats: dict[int, float]) -> list[bytes | None]:
    """What a device with these numbers at these addresses says."""
    memory = bytearray(400)
    for address, value in floats.items():
        struct.pack_into(">f", memory, 2 * address, value)
    return [bytes((3, 2 * each.count)) + memory[2 * each.address : 2 * (each.address + each.count)] for each in found]


def meter(**keys: object) -> Config:
    return config(METER, **keys)


def test_the_most_telling_blocks_are_asked_for() -> None:
    found = features(meter())
    assert [(each.address, each.count) for each in found] == [(0, 8), (70, 2)]
    assert len(features(meter(max_registers=4))) == BLOCKS


def test_a_meter_is_recognised_by_its_mains() -> None:
    found = features(meter())
    said = judged(found, answers(found, {0: 229.7, 2: 231.0, 4: 230.2, 6: 5.0, 70: 50.01}))
    assert said == Likeness(1.0, 5, 5)


def test_phases_that_are_not_connected_say_nothing() -> None:
    found = features(meter())
    said = judged(found, answers(found, {0: 229.7, 70: 50.01}))
    assert said.score >= LIKELY and (said.fits, said.of) == (2, 2)


@pytest.mark.parametrize("floats", [{}, {0: 1e-30, 2: 7e20, 4: -3.0, 70: 0.02}, {0: 229.7, 2: 1e9, 4: -1.0, 70: 7.0}])
def test_something_else_is_not_taken_for_it(floats: dict[int, float]) -> None:
    found = features(meter())
    assert judged(found, answers(found, floats)).score < LIKELY


def test_what_is_refused_speaks_against_the_map() -> None:
    found = features(meter())
    said = judged(found, [answers(found, {0: 229.7, 2: 231.0, 4: 230.2})[0], None])
    assert said.score < 1.0
    assert judged(found, [None, None]).score == 0.0


def test_a_map_that_tells_nothing_is_never_likely() -> None:
    weak = config(
        [{"name": "t", "address": 0, "type": "float32", "unit": "Cel"}, {"name": "on", "address": 9, "bit": 1}]
    )
    found = features(weak)
    assert judged(found, answers(found, {0: 21.5})).score < LIKELY
    assert features(config([{"name": "on", "address": 9, "bit": 1}])) == ()
    assert judged((), ()) == Likeness()


@given(st.data())
def test_any_registers_get_a_score(data: st.DataObject) -> None:
    found = features(meter())
    raw = [
        bytes((3, 2 * each.count)) + data.draw(st.binary(min_size=2 * each.count, max_size=2 * each.count))
        for each in found
    ]
    assert 0.0 <= judged(found, raw).score <= 1.0
