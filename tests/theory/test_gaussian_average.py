"""Rules for kinked and smooth functions of one and two Gaussians against closed forms and other algorithms."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from mcmc.systems.mlp.activations import make_activation
from mcmc.theory.gaussian_average import even_moment, line_rule, plane_rule
from mcmc.theory.gaussian_field.dual_activation import dual_activation


@pytest.mark.parametrize("variance", [0.02, 0.7, 9.0, 30.0])
@pytest.mark.parametrize("name", ["linear", "relu", "tanh", "sin", "erf"])
def test_mean_square_is_the_dual_activation_at_equal_arguments(name, variance):
    """Closed forms for all but tanh, which is a Hermite series there."""
    activation = make_activation(name, depth=1)
    dual, error = dual_activation(activation, variance)
    exact = float(dual(np.array(variance), 0)[0])
    assert even_moment(activation, variance, 2) == pytest.approx(exact, rel=1e-12, abs=2 * error)


@pytest.mark.parametrize("name", ["relu", "tanh", "sin"])
def test_fourth_moment_by_adaptive_quadrature(name):
    activation, s = make_activation(name, depth=1), 2.3

    def integrand(g):
        phi = float(activation.phi(torch.tensor(math.sqrt(s) * g, dtype=torch.float64)))
        return phi**4 * math.exp(-g * g / 2) / math.sqrt(2 * math.pi)

    exact = quad(integrand, -12, 0, epsabs=1e-13)[0] + quad(integrand, 0, 12, epsabs=1e-13)[0]
    assert even_moment(activation, s, 4) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("derivative", [1, 2, 3])
@pytest.mark.parametrize("name", ["leaky_relu", "tanh", "erf"])
def test_derivatives_in_the_variance_by_differences(name, derivative):
    activation, s, h = make_activation(name, depth=1), 0.6, 1e-3
    low, high = (even_moment(activation, s + shift, 4, derivative - 1) for shift in (-h, h))
    assert even_moment(activation, s, 4, derivative) == pytest.approx((high - low) / (2 * h), rel=2e-5, abs=1e-8)


def test_sin_in_closed_form():
    sin, s = make_activation("sin", depth=1), 1.7
    for n in range(4):  # E sin^2 = (1 - exp(-2S))/2
        exact = (n == 0) / 2 - (-2.0) ** n * math.exp(-2 * s) / 2
        assert even_moment(sin, s, 2, n) == pytest.approx(exact, rel=1e-10)
    assert even_moment(sin, s, 4) == pytest.approx(3 / 8 - math.exp(-2 * s) / 2 + math.exp(-8 * s) / 8, rel=1e-12)


def test_a_gauss_hermite_rule_would_not_do():
    """The kink is why the panels end at zero: 99 textbook nodes give relu's odd half-line moment to 1e-4 only."""
    rule = line_rule(1.0)
    exact = 1 / math.sqrt(2 * math.pi)
    assert float((rule.weights * rule.nodes.clamp(min=0)).sum()) == pytest.approx(exact, rel=1e-13)
    nodes, weights = np.polynomial.hermite_e.hermegauss(99)
    assert abs(weights @ np.maximum(nodes, 0) / weights.sum() / exact - 1) > 1e-4


@pytest.mark.parametrize("covariance", [0.9, -0.55, 0.0, 1.2])
@pytest.mark.parametrize("name", ["relu", "sin", "erf", "tanh"])
def test_plane_rule_against_dual_activations(name, covariance):
    """1.2 is perfect correlation at equal variance."""
    activation = make_activation(name, depth=1)
    u, v, weight = plane_rule(np.array([[1.2, covariance], [covariance, 1.2]]))
    assert weight.sum() == pytest.approx(1, rel=1e-13)
    measured = (activation.phi(torch.from_numpy(u)) * activation.phi(torch.from_numpy(v))).numpy() @ weight
    dual, error = dual_activation(activation, 1.2)
    assert measured == pytest.approx(float(dual(np.array(covariance), 0)[0]), rel=1e-11, abs=1e-13 + error)


def test_plane_rule_with_unequal_variances():
    """Wick's theorem, and a fourth-order average with kinks: E relu(u)^2 v^2 = (S S' + 2 C^2)/2."""
    s, c, t = 0.8, -0.6, 2.5
    u, v, weight = plane_rule(np.array([[s, c], [c, t]]))
    assert weight @ (u * v) == pytest.approx(c, rel=1e-12)
    assert weight @ (u**2 * v**2) == pytest.approx(s * t + 2 * c * c, rel=1e-12)
    assert weight @ (np.maximum(u, 0) ** 2 * v**2) == pytest.approx((s * t + 2 * c * c) / 2, rel=1e-12)
