"""A plant that is consistent: products and integrals are exact, and the same seed says the same."""

import math
from itertools import pairwise
from random import Random

import pytest

from agent.simulate.circuit import Circuit
from agent.simulate.model import Asked, Model
from agent.simulate.waves import Wave, moving, total

TIMES = (0.0, 0.7, 13.0, 4711.5)


def test_a_product_is_the_product_at_any_time() -> None:
    one, other = moving(Random(1), 230, 3), moving(Random(2), 40, 8)
    for t in TIMES:
        assert (one * other).at(t) == pytest.approx(one.at(t) * other.at(t))
        assert (one * one).at(t) == pytest.approx(one.at(t) ** 2)
        assert (one * 3.0 + other).at(t) == pytest.approx(3 * one.at(t) + other.at(t))


def test_an_integral_grows_as_its_wave_says() -> None:
    wave = moving(Random(3), 5, 2) * moving(Random(4), 7, 1)
    for t in TIMES:
        assert (wave.integral(t + 1e-3) - wave.integral(t)) / 1e-3 == pytest.approx(wave.at(t + 5e-4), rel=1e-6)
    assert Wave(2.0).integral(3.0) == 6.0


def test_a_meter_is_consistent() -> None:
    """P = U·I·cos φ on each phase, the total is their sum, S² = P² + Q², and energy is power over time."""
    circuit = Circuit(Random(5))
    for t in TIMES:
        ask = lambda name, unit, t=t: circuit.gauge(name, unit).at(t)  # noqa: E731  # for this test
        powers = [ask(f"active_power_l{n}", "kW") for n in (1, 2, 3)]
        for n, power in enumerate(powers, 1):
            product = ask(f"voltage_l{n}", "V") * ask(f"current_l{n}", "A") * ask(f"power_factor_l{n}", "1")
            assert power == pytest.approx(product / 1000)
            apparent, reactive = ask(f"apparent_power_l{n}", "kVA"), ask(f"reactive_power_l{n}", "kvar")
            assert apparent**2 == pytest.approx(power**2 + reactive**2)
        assert ask("active_power_total", "kW") == pytest.approx(sum(powers))
        assert 380 < ask("voltage_l1l2", "V") < 420
    begun, rate = circuit.counter("energy_import_total", "kWh") or (0.0, Wave(0))
    power = circuit.gauge("active_power_total", "kW") or Wave(0)
    assert rate.integral(3600) == pytest.approx(power.integral(3600) / 3600)
    parts = [circuit.counter(f"energy_import_l{n}", "kWh") or (0.0, Wave(0)) for n in (1, 2, 3)]
    assert begun == pytest.approx(sum(start for start, _ in parts))
    assert total(wave for _, wave in parts).integral(60) == pytest.approx(rate.integral(60))


def test_the_same_seed_says_the_same() -> None:
    tags = [
        Asked("voltage_l1", "float32", "V"),
        Asked("state", "str", kind="state", names=("off", "on")),
        Asked("fault", "bool", kind="state"),
        Asked("pieces_total", "int64", "{pcs}", "counter"),
        Asked("serial", "str", length=8),
        Asked("clock", "str", text="datetime"),
    ]
    first, again, other = (Model("m", tags, seed).sources for seed in (1, 1, 2))
    values = [[source(t) for source in first.values() for t in TIMES] for first in (first, again, other)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    "asked",
    [
        Asked("voltage_l1", "float32", "V", low=0, high=100),
        Asked("active_power_total", "float64", "W", low=-10, high=5),
        Asked("oil_temperature", "int16", "Cel", low=90, high=math.inf),
        Asked("level", "float64", "mm", low=-math.inf, high=-5),
        Asked("energy_import_total", "uint16", "Wh", "counter", low=0, high=65535),
        Asked("speed", "float64", "r/min", rate=0.5),
        Asked("temperature", "float64", "Cel", rate=0.2, step=0.1),
        Asked("mode", "uint8", kind="state", low=1, high=2),
    ],
)
def test_no_value_is_beyond_what_it_may_be(asked: Asked) -> None:
    source = Model("m", [asked], 3).sources[asked.name]
    values = [source(t / 4) for t in range(2000)]
    assert all(asked.low <= value <= asked.high for value in values)
    steps = [abs(after - before) for before, after in pairwise(values)]
    assert max(steps) <= asked.rate * 0.25 or asked.kind != "gauge"
    assert len(set(values)) > 1


def test_a_counter_never_goes_back() -> None:
    source = Model("m", [Asked("energy_import_total", "float64", "kWh", "counter")], 1).sources["energy_import_total"]
    values = [source(t) for t in range(0, 5000, 7)]
    assert values == sorted(values)
