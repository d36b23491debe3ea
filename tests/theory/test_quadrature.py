"""Gaussian rules integrate what they claim to, and a rule that does not resolve the readout is found out."""

import math

import pytest
import torch

from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature, gauss_hermite_rule, point_rule, sinh_rule, trapezoid_rule
from mcmc.theory.rs import solve_rs


@pytest.mark.parametrize("rule", [sinh_rule(1.0, 0.15), sinh_rule(1 / 64, 0.1), trapezoid_rule(0.5)])
def test_gaussian_moments(rule):
    for power, exact in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert float(rule.weights @ rule.nodes**power) == pytest.approx(exact, abs=2e-9)


def test_sinh_rule_resolves_a_narrow_step():
    """E z tanh(64 z): the readout of a saturated neuron at beta = 64; 41 Gauss-Hermite points miss it."""
    exact_sign = math.sqrt(2 / math.pi)

    def average(rule):
        return float(rule.weights @ (rule.nodes * torch.tanh(64 * rule.nodes)))

    exact = average(sinh_rule(1 / 64, 0.01))
    assert exact == pytest.approx(exact_sign * (1 - math.pi**2 / 24 / 64**2), abs=1e-7)
    assert average(sinh_rule(1 / 64, 0.2)) == pytest.approx(exact, abs=1e-9)
    assert abs(average(gauss_hermite_rule(41)) - exact) > 1e-3


def test_a_field_without_variance_needs_one_node():
    quadrature = Quadrature()
    assert len(quadrature.t_nodes(0.0, 1.0).nodes) == len(quadrature.y_nodes(0.0).nodes) == 1
    assert float(point_rule().weights.sum()) == 1


def test_refining_halves_one_step_and_drops_the_injected_rule():
    coarse = Quadrature(y_rule=lambda field_std: gauss_hermite_rule(41))
    assert coarse.refined("t").y_rule is coarse.y_rule
    assert coarse.refined("t").t_step == coarse.t_step / 2
    assert coarse.refined("y").y_rule is None
    assert coarse.refined().xi_step == coarse.xi_step / 2


@pytest.mark.parametrize(("name", "sigma_w", "damage"), [("sin", 2.0, 0.05), ("tanh", 1.0, 5e-5)])
def test_41_gauss_hermite_points_are_flagged_at_beta_16(name, sigma_w, damage):
    """The trap of equations.md, section 9: wrong numbers that converge, here with an error estimate that says so."""
    model = TheoryModel.build(name, sigma_w=sigma_w)
    good = solve_rs(model, 16.0)
    bad_rule = Quadrature(y_rule=lambda field_std: gauss_hermite_rule(41), max_refinements=0)
    bad = solve_rs(model, 16.0, quadrature=bad_rule)
    true_error = max(
        abs(bad.free_entropy_density - good.free_entropy_density),
        abs(bad.energy_density - good.energy_density),
        abs(bad.overlap[0] - good.overlap[0]),
    )
    assert true_error > damage
    assert bad.residual <= 1e-10  # it did converge
    assert not bad.resolved
    assert bad.quadrature_error > 0.5 * true_error
    assert good.resolved


def test_the_error_estimate_covers_a_coarse_rule():
    """Each step made too coarse in turn: the estimate is not below half of the true error."""
    model = TheoryModel.build("sin", sigma_w=1.0)
    good = solve_rs(model, 8.0, quadrature=Quadrature(tol=1e-10))
    for coarse in (Quadrature(t_step=2.0), Quadrature(y_step=1.0), Quadrature(xi_step=3.0)):
        rough = solve_rs(
            model, 8.0, quadrature=Quadrature(coarse.t_step, coarse.y_step, coarse.xi_step, max_refinements=0)
        )
        true_error = max(
            abs(rough.free_entropy_density - good.free_entropy_density), abs(rough.energy_density - good.energy_density)
        )
        assert true_error > 1e-7
        assert rough.quadrature_error > 0.5 * true_error
        assert not rough.resolved


def test_refining_repairs_an_injected_rule():
    model = TheoryModel.build("tanh")
    start = Quadrature(y_rule=lambda field_std: gauss_hermite_rule(41))
    repaired, default = solve_rs(model, 16.0, quadrature=start), solve_rs(model, 16.0)
    assert repaired.resolved
    assert repaired.free_entropy_density == pytest.approx(default.free_entropy_density, abs=2e-8)
