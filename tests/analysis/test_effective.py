"""Effective sizes against a process whose autocorrelation is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from mcmc.analysis.effective import effective_sample_size, nested_r_hat, r_hat


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.4])
def test_autoregressive_chains(rho):
    """AR(1): 1 + 2 sum_t rho^t = (1 + rho)/(1 - rho) draws for an effective one."""
    n_draws, n_chains = 4000, 300
    noise = np.random.default_rng(0).standard_normal((n_draws + 200, 3, n_chains // 3))
    size = effective_sample_size(lfilter([1.0], [1.0, -rho], noise, axis=0)[200:])
    assert size.shape == (3, n_chains // 3)
    expected = n_draws * (1 - rho) / (1 + rho)
    assert size.mean() == pytest.approx(expected, rel=0.05)


def test_chains_count_around_their_own_mean():
    series = np.random.default_rng(1).standard_normal((4000, 40)) + 100 * np.arange(40)
    assert effective_sample_size(series).mean() == pytest.approx(4000, rel=0.05)


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_r_hat_of_one_law(rho):
    """R-hat^2 - 1 is about m/ESS (F = 1) for m = 4 half chains; two valleys at distance 2 are told."""
    n_draws = 2000
    noise = np.random.default_rng(2).standard_normal((n_draws + 200, 10, 8, 2))
    series = lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], noise, axis=0)[200:]
    value = r_hat(series)
    assert value.shape == (10, 8)
    size = 2 * n_draws * (1 - rho) / (1 + rho)
    assert (value**2 - 1).mean() == pytest.approx(4 / size, rel=0.6)
    apart = r_hat(series + np.array([-1.0, 1.0]))
    assert apart.min() > 1.3


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_nested_r_hat_of_one_law(rho):
    """R-hat^2 - 1 is about R/ESS for R = 3 replicas; what drifts in all replicas alike is not told."""
    n_draws = 2000
    noise = np.random.default_rng(4).standard_normal((n_draws + 200, 10, 8, 3))
    series = lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], noise, axis=0)[200:]
    value = nested_r_hat(series)
    assert value.shape == (10, 8)
    assert (value**2 - 1).mean() == pytest.approx(3 / (3 * n_draws * (1 - rho) / (1 + rho)), rel=0.6)
    drift = np.repeat([-1.0, 1.0], n_draws // 2)[:, None, None, None]
    assert nested_r_hat(series + drift).max() < 1.02
    assert r_hat(series + drift).min() > 1.3
    assert nested_r_hat(series + np.array([0.0, 0.0, 1.5])).min() > 1.1


def test_r_hat_of_frozen_chains_is_no_number():
    for statistic in (r_hat, nested_r_hat):
        assert np.isnan(statistic(np.ones((50, 1, 1, 2)))).all()
