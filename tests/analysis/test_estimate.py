"""Errors that are right: their coverage on invented data is that of Student's t, within binomial error."""

import numpy as np
import pytest
from scipy.stats import norm, t

from mcmc.analysis.estimate import Estimate, controlled_average, network_average
from mcmc.errors import InsufficientDataError

N_SETS = 3000


def assert_coverage(hits: np.ndarray, probability: float) -> None:
    """The fraction of hits is the probability within 4 binomial errors (a bound that is computed, not chosen)."""
    error = np.sqrt(probability * (1 - probability) / len(hits))
    assert abs(hits.mean() - probability) < 4 * error, f"{hits.mean():.4f}, wanted {probability:.4f} +- {error:.4f}"


def test_average_by_hand():
    estimate = network_average(np.array([1.0, 2.0, 6.0]))
    assert estimate.value == 3.0
    assert estimate.stderr == pytest.approx(np.sqrt((4 + 1 + 9) / 2 / 3))
    assert estimate.n_networks == 3


@pytest.mark.parametrize("values", [[], [1.0]])
def test_one_network_has_no_error(values):
    with pytest.raises(InsufficientDataError, match="at least 2 networks") as caught:
        network_average(np.array(values))
    assert caught.value.n_networks == len(values)


@pytest.mark.parametrize("n", [3, 8, 32])
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_coverage_of_the_average(n, width):
    """(mean - truth) / stderr of Gaussian networks is exactly Student's t with n - 1 degrees of freedom."""
    y = np.random.default_rng(n).normal(2.0, 0.7, (N_SETS, n))
    hits = np.array([abs(network_average(row).n_sigma(2.0)) < width for row in y])
    assert_coverage(hits, 1 - 2 * t.sf(width, n - 1))


def pairs(n, correlation, seed=1):
    """Sets of (y, z): y with mean 2, z with mean 0, jointly Gaussian."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 3.0, (N_SETS, n))
    y = 2.0 + 0.5 * (correlation * z / 3.0 + np.sqrt(1 - correlation**2) * rng.normal(size=(N_SETS, n)))
    return y, z


@pytest.mark.parametrize("n", [8, 12, 40])
@pytest.mark.parametrize("correlation", [0.0, -0.6, 0.95])
def test_coverage_of_the_controlled_average(n, correlation):
    """68 % within one error, as Student's t with n - 2 degrees of freedom: one is spent on the slope."""
    hits = [abs(controlled_average(*row).n_sigma(2.0)) < 1 for row in zip(*pairs(n, correlation), strict=True)]
    assert_coverage(np.array(hits), 1 - 2 * t.sf(1.0, n - 2))


def test_large_samples_cover_68_percent():
    hits = [abs(controlled_average(*row).n_sigma(2.0)) < 1 for row in zip(*pairs(200, 0.8), strict=True)]
    assert_coverage(np.array(hits), 0.683)


def test_a_wrong_error_would_be_noticed():
    """The coverage test has teeth: an error that is too small by a fifth fails it."""
    y = np.random.default_rng(5).normal(2.0, 0.7, (N_SETS, 32))
    hits = np.array([abs(network_average(row).n_sigma(2.0)) < 0.8 for row in y])
    with pytest.raises(AssertionError):
        assert_coverage(hits, 1 - 2 * t.sf(1.0, 31))


@pytest.mark.parametrize("correlation", [0.5, 0.9, 0.99])
def test_a_control_variate_lowers_the_error(correlation):
    """By the factor sqrt(1 - rho^2), times the exact cost of fitting one slope to n Gaussian pairs."""
    n = 20
    ratio = [
        (controlled_average(*row).stderr / network_average(row[0]).stderr) ** 2
        for row in zip(*pairs(n, correlation), strict=True)
    ]
    controlled = np.mean([controlled_average(*row).stderr ** 2 for row in zip(*pairs(n, correlation), strict=True)])
    wanted = 0.25 * (1 - correlation**2) / n * (1 + 1 / (n - 3))
    assert controlled == pytest.approx(wanted, rel=0.05)
    assert np.mean(ratio) < 1


def test_same_as_least_squares():
    """Value and error are those of the intercept of a linear fit, from the normal equations."""
    rng = np.random.default_rng(2)
    y, z = rng.normal(1.0, 0.3, 15), rng.normal(0.1, 2.0, 15)
    design = np.stack([np.ones(15), z], axis=1)
    solution, (rss,), *_ = np.linalg.lstsq(design, y)
    covariance = rss / (15 - 2) * np.linalg.inv(design.T @ design)
    estimate = controlled_average(y, z)
    assert estimate.value == pytest.approx(solution[0], rel=1e-12)
    assert estimate.stderr == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-10)


def test_a_perfect_control_leaves_no_error():
    z = np.random.default_rng(3).normal(0.5, 1, 10)
    estimate = controlled_average(0.25 - 3 * z, z)
    assert estimate.value == pytest.approx(0.25, abs=1e-12)
    assert estimate.stderr < 1e-12


@pytest.mark.parametrize("n", [2, 7])
def test_few_networks_get_the_plain_average(n):
    rng = np.random.default_rng(4)
    y, z = rng.normal(size=n), rng.normal(size=n)
    assert controlled_average(y, z) == network_average(y)


def test_a_constant_control_is_no_control():
    y = np.random.default_rng(4).normal(size=20)
    assert controlled_average(y, np.full(20, 0.3)) == network_average(y)


# --- agreement


@pytest.mark.parametrize("n", [2, 4, 16])
def test_false_alarms_are_as_rare_as_promised(n):
    """agrees(n_sigma=2) errs in 4.55 % of the cases at any number of networks."""
    y = np.random.default_rng(n).normal(2.0, 0.7, (N_SETS, n))
    alarms = np.array([not network_average(row).agrees(2.0, n_sigma=2.0) for row in y])
    assert_coverage(alarms, 2 * norm.sf(2.0))


def test_bound():
    assert Estimate(0, 1, 10**6).bound(3.0) == pytest.approx(3.0, abs=1e-3)
    assert Estimate(0, 1, 3).bound(3.0) == pytest.approx(19.2, abs=0.05)


def test_disagreement():
    estimate = Estimate(1.0, 0.1, 100)
    assert estimate.n_sigma(0.5) == pytest.approx(5.0)
    assert estimate.n_sigma(1.5) == pytest.approx(-5.0)
    assert not estimate.agrees(0.5)
    assert estimate.agrees(0.8)


def test_without_scatter_only_the_value_itself_agrees():
    """All networks said the same, as for r^0 = 1: then another number is another number."""
    estimate = network_average(np.ones(5))
    assert estimate.n_sigma(1.0) is None
    assert estimate.agrees(1.0)
    assert estimate.agrees(1.0 + 1e-13)
    assert not estimate.agrees(1.001)
