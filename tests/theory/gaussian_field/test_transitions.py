"""AT, static and dynamic temperatures against closed forms and against the solutions on both sides."""

import math

import pytest

from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field import transitions as transitions_module
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.solve import solve
from mcmc.theory.gaussian_field.transitions import find_transitions
from tests.theory.gaussian_field.cases import ROOT2, p_spin
from tests.theory.gaussian_field.reference import pure_p_dynamic_temperature, pure_p_static_temperature


@pytest.mark.parametrize("p", [3, 4, 10])
def test_pure_p_spin_of_the_textbook(p):
    found = find_transitions(p_spin(f"0.5*q**{p}"))
    assert found.at is None
    assert found.dynamic.temperature == pytest.approx(pure_p_dynamic_temperature(p), abs=1e-12)
    assert found.static.temperature == pytest.approx(pure_p_static_temperature(p), abs=1e-12)
    assert found.dynamic.top == pytest.approx((p - 2) / (p - 1), abs=1e-10)
    assert found.first is found.static
    if p == 3:
        assert round(found.dynamic.temperature, 4) == 0.6124
        assert round(found.static.temperature, 4) == 0.5861


def test_energies_scale_out():
    weak, strong = find_transitions(p_spin("1e-6*q**3")), find_transitions(p_spin("1e6*q**3"))
    assert weak.static.temperature * 1e6 == pytest.approx(strong.static.temperature, rel=1e-12)


@pytest.mark.parametrize(
    ("xi", "breaking"),
    [
        (p_spin("0.5*q**2 + 0.04*q**4"), 0.0),
        (p_spin("0.5*q**2 + 0.05*q**3"), 0.15),
        (p_spin("0.1*q + 0.5*q**2 + 0.04*q**4"), None),
        (NetworkCovariance.build("relu", sigma_w=ROOT2), None),
        (NetworkCovariance.build("sin", sigma_w=1.6), None),
    ],
    ids=lambda value: getattr(value, "label", None),
)
def test_the_replicon_vanishes_at_the_at_temperature(xi, breaking):
    found = find_transitions(xi)
    assert found.first is found.at
    assert found.static is None
    rs = solve(xi, found.at.beta, ansatz="rs")
    assert rs.overlap[0][0] == pytest.approx(found.at.overlap, abs=1e-9)
    assert rs.replicon == pytest.approx(0, abs=1e-9)
    if breaking is not None:
        assert found.at.breaking == pytest.approx(breaking, abs=1e-12)
    # the breaking point that sets in is the one of the broken solution just below
    below = solve(xi, found.at.beta * 1.003)
    assert below.breaking_points[0] <= found.at.breaking + 0.03
    assert below.breaking_points[-1] >= found.at.breaking - 0.03


def test_at_line_of_a_field_in_closed_form():
    """relu: q xi'' = xi' is q/sqrt(1-q^2) = pi - arccos q, whatever the temperature."""
    found = find_transitions(NetworkCovariance.build("relu", sigma_w=ROOT2))
    q = found.at.overlap
    slope = (math.pi - math.acos(q)) / math.pi
    assert q / math.sqrt(1 - q * q) == pytest.approx(math.pi * slope, rel=1e-10)
    assert found.at.beta == pytest.approx(math.sqrt(q / slope) / (1 - q), rel=1e-10)
    assert 17.5 < found.at.beta < 17.7


@pytest.mark.parametrize(
    "xi",
    [p_spin("0.1*q + 0.5*q**3"), p_spin("0.5*q**2 + 0.5*q**3"), NetworkCovariance.build("sin", sigma_w=2.0)],
    ids=lambda xi: xi.label,
)
def test_discontinuous_transitions_with_a_field_or_an_at_line_below(xi):
    found = find_transitions(xi)
    assert found.dynamic.beta < found.static.beta < found.at.beta
    assert found.at.breaking > 1, "an AT point that would break at x > 1 has been preempted"
    below = solve(xi, found.static.beta * 1.0005)
    assert below.ansatz == "1rsb"
    assert below.breaking_points[0] == pytest.approx(1, abs=0.02)
    assert below.overlap[0][0] == pytest.approx(found.static.overlap, abs=0.01)
    assert below.overlap[0][1] == pytest.approx(found.static.top, abs=0.02)
    # at x = 1 and the static temperature both solutions have one Phi, to first order in the distance
    rs = solve(xi, found.static.beta * 1.0005, ansatz="rs")
    assert 0 <= rs.free_entropy_density - below.free_entropy_density < 1e-5


@pytest.mark.parametrize(
    "xi",
    [p_spin("q"), p_spin("3*q + 0.5*q**3"), NetworkCovariance.build("tanh"), NetworkCovariance.build("sin")],
    ids=lambda xi: xi.label,
)
def test_models_without_a_transition(xi):
    found = find_transitions(xi)
    assert (found.at, found.static, found.dynamic, found.first) == (None, None, None, None)


def test_a_transition_that_is_not_solved_is_an_error(monkeypatch):
    monkeypatch.setattr(transitions_module, "TOL", -1.0)
    with pytest.raises(ConvergenceError, match=r"dynamic transition near beta=1\.63") as caught:
        find_transitions(p_spin("0.5*q**3"))
    assert caught.value.kind == "dynamic"
