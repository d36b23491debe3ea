"""Estimators of fluctuations along layers, against direct sums and against theory."""

import math

import numpy as np
import pytest

from mcmc.compare.layer_fluctuations import (
    burn_in_layers,
    covariance_by_lag,
    covariance_with_site,
    expected_covariance,
    factorial_divergence,
    pair_samples,
    variance_samples,
)
from mcmc.errors import InsufficientDataError
from mcmc.theory.layers.exact import HomogeneousChain
from mcmc.theory.layers.fluctuations import FreeField
from mcmc.theory.layers.several import pair_theory
from tests.theory.layers.cases import theory_of


def test_estimators_against_numpy():
    sigma = np.random.default_rng(0).lognormal(size=(40, 5))
    covariance = np.cov(sigma.T)
    found = covariance_by_lag(sigma, np.zeros(3))
    assert found.value == pytest.approx([np.diagonal(covariance, lag).mean() for lag in range(3)])
    row = covariance_with_site(sigma, 2, covariance[2])
    assert row.value == pytest.approx(covariance[2])
    assert row.z == pytest.approx(0, abs=1e-12)
    with pytest.raises(InsufficientDataError, match="need more than 5"):
        covariance_by_lag(sigma, np.zeros(6))


def test_burn_in_forgets_the_start():
    theory = theory_of("linear", 0.9, 0.1)
    layers = burn_in_layers(FreeField.at_fixed_point(theory))
    chain = HomogeneousChain.of(theory, 500)
    assert chain.moments(1.0, layers + 1)[1][-1] == pytest.approx(chain.stationary_variance, rel=2e-4)


@pytest.mark.parametrize(
    ("network", "width", "method"),
    [
        (("relu", 1.8, 0.1), 64, "exact moments"),
        (("tanh", 1.5, 0.05), 64, "transfer matrix"),
        (("tanh", 1.5, 0.05), 5, "next order in 1/N"),
    ],
)
def test_expected_covariance_says_where_it_is_from(network, width, method):
    expected = expected_covariance(theory_of(*network), width, 3)
    assert expected.method == method
    assert expected.is_exact == ("1/N" not in method)
    assert expected.matrix(2).tolist() == [expected.by_lag[:2].tolist(), expected.by_lag[1::-1].tolist()]


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (("linear", 0.9, 0.1), (128, 512)),
        (("relu", 1.0, 0.5), (64, 256)),
        (("tanh", 1.5, 0.05), (64, 512)),
        (("sin", 1.5, 0.05), (64,)),
    ],
)
def test_sampled_covariances(network, widths):
    """Lags 0, 1, 2, 5 at N = 64 to 512 within 4 sigma of the exact covariance at that width."""
    theory = theory_of(*network)
    field = FreeField.at_fixed_point(theory)
    burn_in = burn_in_layers(field)
    for width in widths:
        expected = expected_covariance(theory, width, 5).by_lag
        sigma = variance_samples(theory, width, burn_in + 12, field.variance, n_networks=3000, seed=6)
        found = covariance_by_lag(sigma[:, burn_in:], expected)
        assert np.abs(found.z).max() < 4, f"N = {width}: {found.z}"
        assert (found.stderr[0] / found.value[0]) < 0.05


@pytest.mark.statistical
def test_divergence_from_the_factorial_law():
    """N C(l, l)/(4 S^2) at N = 1000, and against the exact mean and E ln of linear networks in its first layer."""
    theory = theory_of("linear", 0.9, 0.1)
    sigma = variance_samples(theory, 1000, 6, 1.0, n_networks=4000, seed=1)
    found = factorial_divergence(sigma, theory, 1000)
    assert np.abs(found.z[1:]).max() < 4
    assert found.value[0] == 0
    assert found.expected[1] == pytest.approx(0.81 / 2)


@pytest.mark.statistical
def test_pairs_by_site():
    """Cov(c_3, c_m) of two relu inputs at N = 400."""
    theory, first = theory_of("relu", 1.8, 0.1), np.array([1.0, 0.3, 1.2])
    pair = pair_theory(theory, first, 5)
    s = pair_samples(theory, 400, 5, first, n_networks=5000, seed=3)
    assert s.shape == (5000, 5, 3)
    c = s[..., 1] / np.sqrt(s[..., 0] * s[..., 2])
    found = covariance_with_site(c, 2, pair.correlation_covariance[2] / 400)
    assert np.abs(found.z[1:]).max() < 4
    assert math.isclose(found.value[0], 0, abs_tol=1e-15)
