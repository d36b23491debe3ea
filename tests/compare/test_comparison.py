"""A run held against broken phases: rows, law, words; and a run at a one-step point from end to end."""

import dataclasses
import json

import numpy as np
import pytest

from mcmc.compare import prediction as prediction_module
from mcmc.compare.comparison import compare_with_theory
from mcmc.compare.prediction import theory_model
from mcmc.io.reader import read_run
from tests.support.broken_phase import FULL, ONE_STEP, THREE_LEVELS, WRONG_WEIGHTS, run_with_law, with_prediction
from tests.support.runs import finished, small_config
from tests.support.synthetic import BETA, synthetic_run


def test_unstable_temperatures_are_named(monkeypatch):
    curve = prediction_module.solve_rs_curve
    saddles = curve(theory_model(synthetic_run().config.model), [0.0, 0.5, 1.0])
    broken = [dataclasses.replace(s, stable=s.beta < 0.4, pivots=(1.0 if s.beta < 0.4 else -0.1,)) for s in saddles]
    monkeypatch.setattr(prediction_module, "solve_rs_curve", lambda model, betas: broken)
    comparison = compare_with_theory(synthetic_run(), ansatz="rs")
    assert "The replica-symmetric solution is unstable from beta = 0.5 on." in comparison.verdict
    assert "From beta = 0.5 on the width of P(q) is fitted" in comparison.verdict
    assert [kernel.origin for kernel in comparison.kernels] == ["predicted", "fitted", "fitted"]
    assert [m.beta for m in comparison.select("overlap_width_0")] == [0.0], "a fitted width is no prediction"


@pytest.mark.parametrize("solution", [ONE_STEP, THREE_LEVELS, FULL], ids=["1RSB", "2RSB", "full"])
def test_rows_and_law_of_a_broken_phase(monkeypatch, solution):
    """Measured overlaps drawn from the very law that is predicted."""
    with_prediction(monkeypatch, solution)
    comparison = compare_with_theory(run_with_law(solution))
    cold = [m for m in comparison.matches if m.beta == BETA[-1]]
    rows = {m.observable: m for m in cold}
    weights = np.array(solution.weights)
    for layer, levels in enumerate(solution.overlap):
        mean = weights @ levels
        assert rows[f"overlap_{layer}"].predicted == pytest.approx(mean, abs=1e-12)
        spread = np.sqrt(weights @ (np.array(levels) - mean) ** 2)
        assert rows[f"overlap_width_{layer}"].predicted == pytest.approx(spread, abs=1e-12)
        assert rows[f"overlap_{layer}"].agrees
    assert {m.ansatz for m in cold} == {solution.ansatz}
    assert {m.ansatz for m in comparison.matches if m.beta < BETA[-1]} == {"rs"}
    distance = comparison.distances[-1]
    assert distance.value < 2 * distance.noise
    assert distance.ansatz == solution.ansatz
    assert comparison.kernels[-1].origin == "fitted"
    assert "replica theory" in comparison.verdict
    assert "Predicted: RS from beta = 0 to 0.5, " in comparison.verdict
    assert "places and weights of the levels are predicted, their widths fitted" in comparison.verdict
    json.dumps(comparison.to_json(), allow_nan=False)


def test_two_peaks_are_nearer_to_one_step_than_to_replica_symmetry(monkeypatch):
    with_prediction(monkeypatch, ONE_STEP)
    comparison = compare_with_theory(run_with_law(ONE_STEP))
    distance = comparison.distances[-1]
    assert distance.is_better is True
    assert distance.symmetric_value > 3 * distance.value
    assert "1RSB is nearer. Of 1 broken temperatures the broken law is nearer at 1, the RS one at 0." in (
        comparison.verdict
    )
    assert [d.gain for d in comparison.distances[:2]] == [0.0, 0.0], "no difference where nothing is broken"
    assert comparison.distances[0].is_better is None


def test_weights_at_the_wrong_levels_are_told(monkeypatch):
    """The same data beside the same levels with their weights exchanged."""
    with_prediction(monkeypatch, WRONG_WEIGHTS)
    comparison = compare_with_theory(run_with_law(ONE_STEP))
    (row,) = (m for m in comparison.select("overlap_0") if m.beta == BETA[-1])
    assert not row.agrees
    distance = comparison.distances[-1]
    assert distance.value > 5 * distance.noise


def test_json_holds_the_law(monkeypatch):
    with_prediction(monkeypatch, ONE_STEP)
    record = json.loads(json.dumps(compare_with_theory(run_with_law(ONE_STEP)).to_json()))
    assert list(record) == ["comparisons", "predictions", "distances", "verdict"]
    warm, cold = record["predictions"][0], record["predictions"][-1]
    assert (warm["ansatz"], warm["phase"], warm["weights"], warm["breaking_points"]) == ("rs", "RS", [1.0], [])
    assert (cold["ansatz"], cold["phase"], cold["smearing"]) == ("1rsb", "1RSB", "fitted")
    assert cold["weights"] == pytest.approx(ONE_STEP.weights)
    assert cold["overlap"] == [list(levels) for levels in ONE_STEP.overlap]
    assert np.array(cold["widths"]).shape == (2, 2)
    assert cold["replicon"] == ONE_STEP.replicon
    assert [d["beta"] for d in record["distances"]] == BETA.tolist()


def test_an_ansatz_without_solution_is_told_in_words():
    comparison = compare_with_theory(synthetic_run(), ansatz="1rsb")
    assert {m.ansatz for m in comparison.matches} == {"rs"}
    assert "Replica-symmetric rows stand in for the ansatz asked for at 3 temperatures" in comparison.verdict
    assert "Replica symmetry holds there" in comparison.verdict
    assert [p["note"] is None for p in comparison.to_json()["predictions"]] == [False] * 3


def test_a_run_at_a_one_step_point(tmp_path):
    """sin, sigma_w = 2, alpha = 8 at beta = 3: small networks already are nearer to one step."""
    config = small_config(
        model={"activation": "sin", "n_inputs": 32, "n_networks": 64, "sigma_w": 2.0, "width_ratios": [8.0]},
        sampler={"n_leapfrog": 6},
        tempering={"beta_max": 3.0, "n_temperatures": 10, "n_replicas": 2},
        run={"n_burn_in": 150, "n_sweeps": 400, "seed": 3},
        output={"segment_sweeps": 200},
    )
    finished(config, tmp_path / "run")
    data = read_run(tmp_path / "run")
    broken, symmetric = (compare_with_theory(data, ansatz=ansatz) for ansatz in ("auto", "rs"))
    assert broken.predictions[-1].phase == "1RSB"
    assert broken.predictions[0].phase == "RS"
    assert broken.verdict.startswith("Identity A holds")
    cold = broken.distances[-1]
    assert cold.symmetric_value == pytest.approx(symmetric.distances[-1].value, rel=1e-9)
    assert cold.is_better is True
    e, e_rs = (c.select("energy_density")[-1] for c in (broken, symmetric))
    assert e.measured == e_rs.measured
    assert e.distance < 0.5 * e_rs.distance


def test_a_run_whose_walkers_do_not_travel_is_told():
    """Identity A of few networks allows much: round trips are named beside it."""
    still, moving = (compare_with_theory(synthetic_run(round_trips=n), ansatz="rs").verdict for n in (0, 50))
    assert "round trips; 12 of 12 networks are hard" in still
    assert "round trips" not in moving
    assert "allowed for 12 networks" in moving
