"""The phase of a temperature, and the evidence that comes with it."""

import pytest

from mcmc.theory.gaussian_field import potential, structure
from mcmc.theory.gaussian_field.classify import classify
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.potential import Certificate
from mcmc.theory.gaussian_field.transitions import find_transitions
from tests.theory.gaussian_field.cases import PHASES, ROOT2, p_spin

CASES = [pytest.param(xi, beta, phase, id=name) for name, (xi, beta, phase) in PHASES.items()]


@pytest.mark.parametrize(("xi", "beta", "phase"), CASES)
def test_phases(xi, beta, phase):
    result = classify(xi, beta)
    assert str(result) == phase
    assert result.is_certain
    assert result.solution.stable
    rows = result.evidence["ladder"]
    assert [row["n_steps"] for row in rows] == list(range(len(rows)))
    if phase != "RS":
        assert rows[0]["optimality_gap"] > 1e-7
        assert len(rows[1]["level_distances"]) == 1
    if "full" in phase:
        assert all(row["smallest_replicon"] < 0 for row in rows)
        assert result.evidence["continuous_mass"] > 0
    elif phase != "RS":
        assert rows[-1]["smallest_replicon"] > 0


def assert_both_sides_of_the_static_temperature():
    xi = p_spin("0.5*q**3")
    beta = find_transitions(xi).static.beta
    assert classify(xi, beta * 0.9995).phase == "RS"
    below = classify(xi, beta * 1.0005)
    assert below.phase == "1RSB"
    q0, q1 = below.solution.overlap[0]
    assert q1 - q0 > 0.6
    assert 0.99 < below.solution.breaking_points[0] < 1
    assert below.evidence["ladder"][0]["replicon"] == 1.0, "replica symmetry is locally stable there"


def test_discontinuous_breaking_is_found_where_replica_symmetry_is_locally_stable():
    assert_both_sides_of_the_static_temperature()


def test_a_classifier_that_trusts_the_replicon_is_caught(monkeypatch):
    def local_only(self, *, gap_tol=0.0, replicon_tol=1e-10):
        return self.local >= -replicon_tol

    monkeypatch.setattr(Certificate, "accepts", local_only)
    assert structure.certify is potential.certify
    with pytest.raises(AssertionError):
        assert_both_sides_of_the_static_temperature()


def test_metastable_states_between_the_dynamic_and_the_static_temperature():
    xi = p_spin("0.5*q**3")
    transitions = find_transitions(xi)
    assert classify(xi, transitions.dynamic.beta * 0.999).evidence["metastable"] == []
    (state,) = classify(xi, transitions.dynamic.beta * 1.001).evidence["metastable"]
    assert state["overlap"] == pytest.approx(0.5, abs=0.05)
    assert state["complexity"] > 0
    (state,) = classify(xi, transitions.static.beta * 0.9999).evidence["metastable"]
    assert 0 < state["complexity"] < 1e-4


@pytest.mark.parametrize("nearness", [1e-2, 1e-3, 1e-4])
def test_just_below_a_continuous_transition(nearness):
    """What a further step gains in Phi is below rounding there."""
    for xi, phase in (
        (p_spin("0.5*q**2 + 0.1*q**4"), "full RSB"),
        (p_spin("0.5*q**2 + 0.05*q**3"), "1RSB"),
        (NetworkCovariance.build("relu", sigma_w=ROOT2), "full RSB"),
    ):
        beta = find_transitions(xi).at.beta
        assert classify(xi, beta * (1 - nearness)).phase == "RS"
        assert classify(xi, beta * (1 + nearness)).phase == phase


def test_infinite_temperature():
    result = classify(p_spin("q"), 0.0)
    assert result.phase == "RS"
    assert result.is_certain
    assert set(result.evidence) == set(classify(p_spin("q"), 1.0).evidence)
