"""Bootstrap over networks: right coverage, whole rows for nonlinear functions, and the wrong unit is noticed."""

import numpy as np
import pytest
from scipy.stats import t

from mcmc.analysis.bootstrap import MIN_NETWORKS, NetworkBootstrap
from mcmc.analysis.estimate import controlled_average, network_average
from mcmc.errors import InsufficientDataError

N_SETS = 500
N_NETWORKS = 48


def networks_and_chains(seed):
    """(N_SETS, D, R): quenched scatter 1 about 2, chains of one network differ by 0.3."""
    rng = np.random.default_rng(seed)
    quenched = rng.normal(2.0, 1.0, (N_SETS, N_NETWORKS, 1))
    return quenched + rng.normal(0, 0.3, (N_SETS, N_NETWORKS, 4))


def binder(second, fourth):
    return 0.5 * (3 - fourth / second**2)


def coverage(hits):
    return float(np.mean(hits))


def test_one_sigma_covers_68_percent_of_means():
    bootstrap = NetworkBootstrap(N_NETWORKS)
    hits = [abs(bootstrap.mean(y.mean(1)).estimate().n_sigma(2.0)) < 1 for y in networks_and_chains(0)]
    assert 0.64 < coverage(hits) < 0.72


def test_one_sigma_covers_68_percent_of_a_nonlinear_function():
    """Binder ratio of uniform q in (-1, 1): <q^2> = 1/3, <q^4> = 1/5, g = (3 - 9/5)/2."""
    q = np.random.default_rng(1).uniform(-1, 1, (N_SETS, 200))
    bootstrap = NetworkBootstrap(200)
    hits = [abs(bootstrap.estimate(binder, x**2, x**4).estimate().n_sigma(0.6)) < 1 for x in q]
    assert 0.64 < coverage(hits) < 0.72


def test_one_sigma_covers_68_percent_with_a_control():
    rng = np.random.default_rng(2)
    bootstrap, hits = NetworkBootstrap(64), []
    for _ in range(N_SETS):
        z = rng.normal(0, 3.0, 64)
        y = 2.0 + 0.9 * z + rng.normal(0, 0.5, 64)
        hits.append(abs(bootstrap.controlled(y, z).estimate().n_sigma(2.0)) < 1)
    assert 0.64 < coverage(hits) < 0.72


def test_drawing_chains_instead_of_networks_is_caught():
    """The broken twin: chains of one network counted as independent networks cover far too little."""
    bootstrap = NetworkBootstrap(4 * N_NETWORKS)
    hits = [abs(bootstrap.mean(y.ravel()).estimate().n_sigma(2.0)) < 1 for y in networks_and_chains(0)]
    assert coverage(hits) < 0.5


@pytest.mark.parametrize("n", [4, 7, 100])
def test_error_of_a_mean_is_the_known_one(n):
    y = np.random.default_rng(n).exponential(size=n)
    resampled = NetworkBootstrap(n, n_resamples=40_000).mean(y)
    assert float(resampled.value) == pytest.approx(y.mean())
    assert float(resampled.stderr) == pytest.approx(network_average(y).stderr, rel=0.015)  # 1/sqrt(2 B) = 0.35 %


def test_control_is_the_regression():
    rng = np.random.default_rng(3)
    z = rng.normal(0.1, 2.0, 300)
    y = 1e4 + 0.7 * z + rng.normal(0, 0.2, 300)
    resampled, exact = NetworkBootstrap(300, n_resamples=4000).controlled(y, z), controlled_average(y, z)
    assert float(resampled.value) == pytest.approx(exact.value, rel=1e-12)
    assert float(resampled.stderr) == pytest.approx(exact.stderr, rel=0.06)


def test_few_networks_or_a_constant_control_get_the_plain_mean():
    y = np.random.default_rng(4).normal(size=7)
    bootstrap = NetworkBootstrap(7)
    np.testing.assert_array_equal(bootstrap.controlled(y, y).resamples, bootstrap.mean(y).resamples)
    bootstrap, y = NetworkBootstrap(20), np.random.default_rng(5).normal(size=20)
    np.testing.assert_array_equal(bootstrap.controlled(y, np.full(20, 0.3)).value, y.mean())


def test_rows_hold_the_same_networks():
    """A function of two statistics taken row by row is the bootstrap of that function."""
    rng = np.random.default_rng(6)
    a, b = rng.normal(3, 1, 30), rng.normal(5, 1, 30)
    bootstrap = NetworkBootstrap(30)
    ratio = bootstrap.estimate(lambda x, y: x / y, a, b)
    np.testing.assert_allclose(bootstrap.mean(a).resamples / bootstrap.mean(b).resamples, ratio.resamples, rtol=1e-14)


def test_band_of_a_mean_is_student_like():
    y = np.random.default_rng(7).normal(size=400)
    lower, upper = NetworkBootstrap(400, n_resamples=20_000).mean(y).band(0.95)
    half = t.isf(0.025, 399) * network_average(y).stderr
    assert (float(lower), float(upper)) == pytest.approx((y.mean() - half, y.mean() + half), abs=0.06 * half)


def test_the_same_seed_gives_the_same_digits():
    y = np.random.default_rng(8).normal(size=(10, 3))
    assert np.array_equal(NetworkBootstrap(10).mean(y).resamples, NetworkBootstrap(10).mean(y).resamples)
    assert not np.array_equal(NetworkBootstrap(10).mean(y).resamples, NetworkBootstrap(10, seed=1).mean(y).resamples)


@pytest.mark.parametrize("n", [0, MIN_NETWORKS - 1])
def test_too_few_networks(n):
    with pytest.raises(InsufficientDataError, match=f"at least {MIN_NETWORKS} of them, found {n}"):
        NetworkBootstrap(n)
