"""Solutions along a list of temperatures, and their plain-Python record."""

import json

import pytest

from mcmc.theory.curve import solve_rs_curve
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.saddle import to_json_record

REQUIRED = {
    "beta": float,
    "ansatz": str,
    "free_entropy_density": float,
    "energy_density": float,
    "entropy_density": float,
    "overlap": list,
    "self_overlap": list,
    "pivots": list,
    "stable": bool,
    "residual": float,
}


def test_a_curve_is_its_points_in_the_order_given():
    model = TheoryModel.build("tanh", depth=2)
    betas = [2.0, 0.0, 5.0, 0.5, 2.0]
    curve = solve_rs_curve(model, betas)
    assert [saddle.beta for saddle in curve] == betas
    for saddle in curve:
        alone = solve_rs(model, saddle.beta)
        assert saddle.free_entropy_density == pytest.approx(alone.free_entropy_density, abs=2e-8)
        assert saddle.overlap == pytest.approx(alone.overlap, abs=2e-8)
    entropy = [s.entropy_density for s in sorted(curve, key=lambda s: s.beta)]
    assert entropy[0] == pytest.approx(0, abs=1e-10)
    assert entropy == sorted(entropy, reverse=True)  # ds/dbeta = beta de/dbeta <= 0


def test_json_record_is_plain_python():
    saddle = solve_rs(TheoryModel.build("sin", depth=2), 1.5)
    record = to_json_record(saddle)
    for key, kind in REQUIRED.items():
        assert type(record[key]) is kind, key
    assert record["ansatz"] == "rs"
    assert len(record["overlap"]) == len(record["self_overlap"]) == 3
    assert len(record["pivots"]) == 2
    assert all(type(value) is float for key in ("overlap", "self_overlap", "pivots") for value in record[key])
    assert json.loads(json.dumps(record)) == record
    assert record["overlap"][0] == saddle.overlap[0]
    assert record["self_overlap"][0] == 1
