"""The prediction at every temperature: its law has its energy, and an ansatz without a solution is told."""

import dataclasses
import json

import numpy as np
import pytest

from mcmc.compare import prediction as module
from mcmc.compare.prediction import Prediction, predict
from mcmc.errors import UsageError
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.classify import classify

JUMP = TheoryModel.build("sin", width_ratios=8.0, sigma_w=2.0)
FULL = TheoryModel.build("sin")


@pytest.fixture(scope="module")
def one_step():
    return predict(JUMP, [1.0, 3.0])


@pytest.fixture(scope="module")
def full():
    """Few steps: the fixture must be quick, and the identities hold for any number of them."""
    found = classify(FULL, 8.0, n_steps=8)
    return Prediction(found.symmetric, found.solution)


def identity_error(prediction):
    """e + beta (r_L - sum_i w_i q_L[i]): an identity of the solution that ties each weight to its level."""
    return prediction.energy_density + prediction.beta * (prediction.self_overlap[-1] - prediction.mean_overlap[-1])


def with_weights_reversed(prediction):
    """The deliberate fault: every weight at the wrong level."""

    class Twin(Prediction):
        @property
        def weights(self):
            return super().weights[::-1]

    return Twin(prediction.symmetric, prediction.solution)


def test_auto_finds_the_phase_of_every_temperature(one_step):
    hot, cold = one_step
    assert (hot.ansatz, hot.phase, cold.ansatz, cold.phase) == ("rs", "RS", "1rsb", "1RSB")
    assert hot.weights.tolist() == [1.0]
    assert hot.note is None
    assert cold.note is None
    np.testing.assert_allclose(cold.weights, [0.681674, 1 - 0.681674], atol=1e-5)
    np.testing.assert_allclose(cold.levels[0], [0.223049, 0.832437], atol=1e-5)
    assert cold.levels.shape == (2, 2)
    assert cold.mean_overlap[0] == pytest.approx(0.681674 * 0.223049 + 0.318326 * 0.832437, abs=1e-5)
    assert cold.level_spread[0] == pytest.approx(np.sqrt(0.681674 * 0.318326) * (0.832437 - 0.223049), abs=1e-5)
    assert hot.level_spread.tolist() == [0.0, 0.0]


def test_weights_belong_to_their_levels(one_step, full):
    for prediction, tol in ((one_step[1], 1e-7), (full, 1e-5)):  # full: energy extrapolated in the number of steps
        assert prediction.weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert abs(identity_error(prediction)) < tol
        assert abs(identity_error(with_weights_reversed(prediction))) > 1e-3, "the same test catches the fault"


def test_full_breaking_has_two_deltas_and_a_continuous_part(full):
    assert (full.ansatz, full.phase) == ("full", "full RSB")
    places, weights = full.deltas(0)
    q, density = full.continuous(0)
    mass = np.trapezoid(density, q)
    assert places[1] == pytest.approx(0.7766, abs=2e-3)  # q_EA
    assert weights.sum() + mass == pytest.approx(1.0, abs=1e-3)
    assert mass == pytest.approx(full.solution.evidence["continuous_mass"], abs=1e-3)
    assert (density >= 0).all()
    # the mean of both parts is that of the levels
    assert places @ weights + np.trapezoid(density * q, q) == pytest.approx(full.mean_overlap[0], abs=2e-4)
    assert full.continuous(1)[0][-1] == full.levels[1][-1]


def test_without_a_continuous_part(one_step):
    for prediction in one_step:
        assert prediction.continuous(0) is None
        assert prediction.deltas(0)[0].tolist() == prediction.levels[0].tolist()


@pytest.mark.parametrize(("ansatz", "n_steps"), [("1rsb", None), ("full", None), ("krsb", 2)])
def test_where_an_ansatz_has_no_solution_replica_symmetry_stands_in(ansatz, n_steps):
    zero, warm = predict(TheoryModel.build("tanh"), [0.0, 1.0], ansatz=ansatz, n_steps=n_steps)
    assert (zero.ansatz, warm.ansatz) == ("rs", "rs")
    assert "infinite temperature" in zero.note
    assert "beta=1" in warm.note
    assert "use ansatz rs" in warm.note


def test_ansatz_asked_for():
    (rs,) = predict(JUMP, [3.0], ansatz="rs")
    (one,) = predict(JUMP, [3.0], ansatz="1rsb")
    (two,) = predict(FULL, [8.0], ansatz="krsb", n_steps=2)
    assert (rs.ansatz, one.ansatz, two.ansatz, two.phase) == ("rs", "1rsb", "2rsb", "2RSB")
    assert len(two.weights) == 3
    assert rs.energy_density < one.energy_density, "breaking raises the energy"


@pytest.mark.parametrize(
    ("ansatz", "n_steps", "message"),
    [
        ("2rsb", None, "unknown ansatz '2rsb'.*Known: auto, rs, 1rsb, krsb, full"),
        ("krsb", None, "krsb needs it"),
        ("full", 3, "--steps goes with --ansatz krsb"),
        ("krsb", 0, "at least one step, found 0"),
    ],
)
def test_unknown_ansatz(ansatz, n_steps, message):
    with pytest.raises(UsageError, match=message):
        predict(FULL, [1.0], ansatz=ansatz, n_steps=n_steps)


def test_replica_symmetry_is_classified_once(monkeypatch):
    """Where no temperature has a far level, looking for one at the coldest is enough."""
    asked = []
    monkeypatch.setattr(module, "classify", lambda *a, **k: asked.append(a[1]) or classify(*a, **k))
    predictions = predict(TheoryModel.build("tanh"), [0.0, 0.5, 1.0, 2.0])
    assert asked == [2.0]
    assert [p.beta for p in predictions] == [0.0, 0.5, 1.0, 2.0]


def test_far_levels_are_followed_to_where_they_end(monkeypatch):
    """Dynamic at 2.2795, static at 2.3185: a far level that does not matter yet must not end the search."""
    asked = []
    monkeypatch.setattr(module, "classify", lambda *a, **k: asked.append(a[1]) or classify(*a, **k))
    predictions = predict(JUMP, [1.0, 2.0, 2.30, 2.35])
    assert [p.phase for p in predictions] == ["RS", "RS", "RS", "1RSB"]
    assert asked == [2.35, 2.30, 2.0]


def test_json(one_step, full):
    for prediction in (*one_step, full):
        record = json.loads(json.dumps(prediction.to_json()))
        assert np.array(record["overlap"]).shape == (2, len(record["weights"]))
        assert len(record["breaking_points"]) == len(record["weights"]) - 1
        assert set(record) >= {
            "beta",
            "ansatz",
            "phase",
            "free_entropy_density",
            "energy_density",
            "replicon",
            "stable",
        }


def test_symmetric_prediction_is_the_saddle_point():
    saddle = solve_rs(TheoryModel.build("tanh", depth=2), 2.0)
    prediction = Prediction(saddle)
    assert tuple(prediction.mean_overlap) == saddle.overlap
    assert prediction.energy_density == saddle.energy_density
    assert dataclasses.replace(prediction, note="x").to_json()["note"] == "x"
