"""The free field: covariance, its inverse, its spectrum, all as one Gaussian theory."""

import numpy as np
import pytest

from mcmc.theory.layers.exact import HomogeneousChain
from mcmc.theory.layers.fluctuations import (
    FreeField,
    action_matrix,
    layer_covariance,
    norm_covariance,
    propagated_covariance,
)
from mcmc.theory.layers.spectrum import (
    field_theory_spectrum,
    lattice_spectrum,
    periodogram,
    window_wavenumbers,
    windowed_spectrum,
)
from tests.theory.layers.cases import NETWORKS, theory_of


@pytest.mark.parametrize("network", NETWORKS)
def test_covariance_at_the_fixed_point_in_closed_form(network):
    """N C(l, m) = noise chi^|l-m| (1 - chi^(2 (min - 1)))/(1 - chi^2), counted from site 1 without fluctuation."""
    theory = theory_of(*network)
    field = FreeField.at_fixed_point(theory)
    site = np.arange(12)
    earlier, lag = np.minimum.outer(site, site), np.abs(np.subtract.outer(site, site))
    exact = field.n_times_variance * field.chi**lag * (1 - field.chi ** (2 * earlier))
    assert layer_covariance(theory, field.variance, 12) == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_the_action_is_the_inverse_of_the_covariance():
    chi, noise = np.array([0.3, 0.9, 1.2, 0.4]), np.array([1.0, 0.2, 0.7, 3.0])
    inverse = np.linalg.inv(propagated_covariance(chi, noise)[1:, 1:])
    assert action_matrix(chi, noise) == pytest.approx(inverse, abs=1e-10)


def test_far_from_the_input_the_covariance_is_stationary():
    theory = theory_of("sin", 1.5, 0.05)
    covariance = layer_covariance(theory, 1.9, 80)[60:, 60:]
    lag = np.subtract.outer(np.arange(20), np.arange(20))
    assert covariance == pytest.approx(FreeField.at_fixed_point(theory).covariance(lag), rel=1e-8)


def test_large_width_limit_of_the_exact_covariance():
    theory = theory_of("relu", 1.8, 0.1)
    exact = 1e7 * HomogeneousChain.of(theory, 10_000_000).covariance(2.0, 30)
    assert layer_covariance(theory, 2.0, 30) == pytest.approx(exact, rel=1e-5, abs=1e-12)


def test_norms_of_a_linear_network_are_its_variances_one_site_on():
    """Sigma_{l+1} = sigma_b^2 + sigma_w^2 K_l there: the two covariances are one, whatever the first variance."""
    theory = theory_of("linear", 0.7, 0.3)
    sigma = layer_covariance(theory, 2.0, 12)[1:, 1:]
    assert 0.49 * norm_covariance(theory, 2.0, 11) == pytest.approx(sigma, rel=1e-12)


def test_spectrum_is_the_transform_of_the_covariance():
    field = FreeField.at_fixed_point(theory_of("tanh", 1.5, 0.05))
    k = np.array([0.0, 0.3, 1.1, 3.0])
    lag = np.arange(-200, 201)
    transform = (field.covariance(lag) * np.cos(np.outer(k, lag))).sum(-1)
    assert lattice_spectrum(field, k) == pytest.approx(transform, rel=1e-12)


def test_field_theory_is_right_at_small_wavenumbers():
    field = FreeField.at_fixed_point(theory_of("linear", 0.9, 0.1))
    assert lattice_spectrum(field, np.zeros(1))[0] == pytest.approx(162)
    k = np.array([0.0, 1e-2])
    assert field_theory_spectrum(field, k) == pytest.approx(lattice_spectrum(field, k), rel=1e-5)
    assert field.mass == pytest.approx(1 / field.correlation_length, rel=2e-3)
    pole = field.noise / field.chi / (field.mass**2 + k**2)
    assert field_theory_spectrum(field, k) == pytest.approx(pole, rel=1e-12)


def test_the_window_lowers_the_peak():
    """Fejer's sum of the lags in a window; at k = 0 and W = 32 the infinite chain is 40 % too high."""
    field = FreeField.at_fixed_point(theory_of("linear", 0.9, 0.1))
    n, k = 32, window_wavenumbers(32)
    lag = np.arange(-n + 1, n)
    fejer = ((1 - np.abs(lag) / n) * field.covariance(lag) * np.cos(np.outer(k, lag))).sum(-1)
    windowed = windowed_spectrum(field.covariance(np.subtract.outer(np.arange(n), np.arange(n))), k)
    assert windowed == pytest.approx(fejer, rel=1e-10)
    assert windowed[0] == pytest.approx(115.686, abs=1e-3)
    assert lattice_spectrum(field, k)[0] / windowed[0] > 1.4


def test_periodogram_has_that_mean():
    """Gaussian chains of the action itself, 20000 of them, within 4 sigma at every wavenumber."""
    chi, noise = np.full(15, 0.8), np.full(15, 2.0)
    covariance = propagated_covariance(chi, noise)[1:, 1:]
    d = np.random.default_rng(3).multivariate_normal(np.zeros(15), covariance, 20_000)
    measured = periodogram(d)
    k = window_wavenumbers(15)
    z = (measured.mean(0) - windowed_spectrum(covariance, k)) / (measured.std(0) / np.sqrt(len(d)))
    assert measured.shape[1] == len(k)
    assert np.abs(z).max() < 4
