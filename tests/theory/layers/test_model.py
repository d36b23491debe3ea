"""Variances, slopes and noises of one layer, the fixed point, and what is refused."""

import math

import numpy as np
import pytest

from mcmc.errors import ConfigError, UsageError
from mcmc.theory.layers.fluctuations import FreeField
from mcmc.theory.layers.model import LayerTheory
from tests.theory.layers.cases import NETWORKS, theory_of


@pytest.mark.parametrize(("network", "expected"), NETWORKS.items())
def test_reference_numbers(network, expected):
    field = FreeField.at_fixed_point(theory_of(*network))
    found = field.variance, field.chi, field.n_times_variance, field.correlation_length
    assert found == pytest.approx(expected, rel=2e-6, abs=5e-5)


@pytest.mark.parametrize(("name", "factor"), [("linear", 2.0), ("relu", 1.25)])
def test_noise_of_homogeneous_networks(name, factor):
    """V = 2 Sigma^2 and 5/4 Sigma^2: relu's has the random number of active units in it."""
    theory = theory_of(name, 1.3, 0.2)
    assert theory.square_variance(0.7) == pytest.approx(factor * 0.49, rel=1e-13)


@pytest.mark.parametrize("derivative", [1, 2])
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_derivatives_of_the_noise(name, derivative):
    theory, h = theory_of(name, 1.3, 0.2), 1e-3
    low, high = (theory.square_variance(0.7 + shift, derivative - 1) for shift in (-h, h))
    assert theory.square_variance(0.7, derivative) == pytest.approx((high - low) / (2 * h), rel=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_recursion_ends_at_the_fixed_point(network):
    theory = theory_of(*network)
    assert theory.variances(2.9, 600)[-1] == pytest.approx(theory.fixed_point, rel=1e-11)
    assert theory.slope(theory.fixed_point) < 1


def test_weak_fixed_point_close_to_criticality():
    """tanh with sigma_b = 0 and sigma_w^2 = 1 + e: Sigma* ~ e/2, since E tanh^2 = S - 2 S^2 + ..."""
    theory = theory_of("tanh", 1.0001, 0.0)
    assert theory.fixed_point == pytest.approx(0.5e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("network", "why"),
    [(("linear", 1.0, 0.1), "chi = 1"), (("relu", 2.5, 0.1), "chi = 1.25"), (("tanh", 1.0, 0.0), "critical")],
)
def test_no_fixed_point(network, why):
    with pytest.raises(UsageError, match=why):
        _ = theory_of(*network).fixed_point


def test_every_problem_at_once():
    with pytest.raises(ConfigError, match=r"sigma_w: .*; sigma_b: "):
        LayerTheory.build("tanh", sigma_w=-1, sigma_b=math.nan)


def test_variances_of_a_linear_network():
    theory = theory_of("linear", 0.5, 0.5)
    assert theory.variances(3.0, 4) == pytest.approx(1 + 2 * 0.5 ** np.arange(4))
