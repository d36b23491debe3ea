"""Finite widths: exact moments, the next order in 1/N, the critical random walk."""

import math

import numpy as np
import pytest
import torch
from scipy.special import digamma, polygamma

from mcmc.errors import QuadratureError, UsageError
from mcmc.systems.layers.ancestral import ancestral_samples
from mcmc.systems.layers.chain import LayerChain
from mcmc.theory.layers import transfer
from mcmc.theory.layers.corrections import mean_shifts, next_order
from mcmc.theory.layers.critical import critical_weight_variance, log_walk
from mcmc.theory.layers.exact import HomogeneousChain
from mcmc.theory.layers.fluctuations import FreeField
from mcmc.theory.layers.transfer import stationary_law
from tests.theory.layers.cases import NETWORKS, theory_of

EXACT = {
    ("linear", 0.9, 0.1): {32: 0.363229, 128: 0.071366, 512: 0.016935},
    ("relu", 1.8, 0.1): {32: 1.995074, 128: 0.199803, 512: 0.043441},
}


@pytest.mark.parametrize(("network", "width"), [(n, w) for n, table in EXACT.items() for w in table])
def test_reference_numbers(network, width):
    theory = theory_of(*network)
    chain = HomogeneousChain.of(theory, width)
    assert chain.stationary_variance == pytest.approx(EXACT[network][width], abs=5e-7)
    mean, variance = chain.moments(1.0, 3000)
    assert mean[-1] == pytest.approx(chain.stationary_mean)
    assert variance[-1] == pytest.approx(chain.stationary_variance, rel=1e-9)
    free = FreeField.at_fixed_point(theory).n_times_variance / width
    assert chain.stationary_variance > 1.01 * free


def test_the_second_moment_has_a_width_below_which_it_diverges():
    """relu, chi = 0.9: sqrt(1 + 5/N) >= 1/0.9 for N <= 21."""
    theory = theory_of("relu", 1.8, 0.1)
    assert math.isinf(HomogeneousChain.of(theory, 21).stationary_variance)
    assert math.isfinite(HomogeneousChain.of(theory, 22).stationary_variance)
    assert math.isinf(HomogeneousChain.of(theory_of("relu", 2.0, 0.1), 22).stationary_mean)


def test_covariance_of_the_exact_chain():
    chain = HomogeneousChain.of(theory_of("linear", 0.8, 0.3), 20)
    covariance = chain.covariance(0.4, 6)
    assert np.diagonal(covariance) == pytest.approx(chain.moments(0.4, 6)[1])
    assert covariance[4, 2] == pytest.approx(0.8**2 * covariance[2, 2])
    assert covariance == pytest.approx(covariance.T)


def test_smooth_networks_have_no_exact_moments():
    with pytest.raises(UsageError, match="'tanh'"):
        HomogeneousChain.of(theory_of("tanh", 1.5, 0.05), 100)


@pytest.mark.parametrize("network", [n for n in NETWORKS if n[0] in ("linear", "relu")])
def test_next_order_is_that_of_the_exact_variance(network):
    theory = theory_of(*network)
    order, n = next_order(theory), 1_000_000
    exact = n * (n * HomogeneousChain.of(theory, n).stationary_variance - order.n_times_variance)
    assert order.variance_correction == pytest.approx(exact, rel=1e-4)
    assert order.mean_shift == 0
    assert order.n_times_variance == pytest.approx(FreeField.at_fixed_point(theory).n_times_variance)


def test_critical_points():
    found = [critical_weight_variance(theory_of(n, 1, 0).activation) for n in ("linear", "relu", "tanh", "sin", "erf")]
    assert found == pytest.approx([1, 2, 1, 1, math.pi / 4], rel=1e-12)


def test_critical_linear_walk():
    walk = log_walk(theory_of("linear", 1.0, 0.0), 1.0, 41, 256)
    assert walk.is_exact
    assert walk.variance[-1] == pytest.approx(0.31372, abs=1e-5)
    assert walk.variance[-1] == pytest.approx(40 * polygamma(1, 128))
    assert walk.mean[-1] == pytest.approx(40 * (digamma(128) - math.log(128)))
    assert walk.mean[-1] == pytest.approx(-2 * 40 / 512, rel=2e-3)


def test_critical_relu_walk():
    """Leading order 5L/N and -5L/2N; exactly, against a direct draw of ln T."""
    walk = log_walk(theory_of("relu", 2.0, 0.0), 1.0, 41, 256)
    assert walk.variance[-1] == pytest.approx(5 * 40 / 256, rel=0.02)
    assert walk.mean[-1] == pytest.approx(-5 * 40 / 512, rel=0.02)
    rng = np.random.default_rng(1)
    g = np.maximum(rng.standard_normal((400_000, 8)), 0)
    log_t = np.log(2 * (g[g.any(1)] ** 2).mean(1))
    small = log_walk(theory_of("relu", 2.0, 0.0), 1.0, 2, 8)
    assert abs(log_t.mean() - small.mean[1]) < 4 * log_t.std() / math.sqrt(len(log_t))
    spread = (log_t - log_t.mean()) ** 2
    assert abs(spread.mean() - small.variance[1]) < 4 * spread.std() / math.sqrt(len(log_t))


def test_critical_walk_of_other_networks_to_leading_order():
    """leaky relu by its kappa; tanh decays like 1/(2l) and its ln Sigma spreads three times slower than linear's."""
    leaky = log_walk(theory_of("leaky_relu", 1.9, 0.0), 1.0, 11, 500)
    assert not leaky.is_exact
    assert leaky.variance[-1] == pytest.approx(10 * 4.9988 / 500, rel=1e-3)
    tanh = log_walk(theory_of("tanh", 1.0, 0.0), 1.0, 401, 10**9)
    assert math.exp(tanh.mean[-1]) == pytest.approx(1 / 800, rel=0.03)
    assert 1e9 * (tanh.variance[400] - tanh.variance[200]) / 200 == pytest.approx(2 / 3, rel=0.01)
    with pytest.raises(UsageError, match="sigma_b = 0"):
        log_walk(theory_of("tanh", 1.0, 0.1), 1.0, 10, 100)


@pytest.mark.parametrize("name", ["tanh", "sin", "erf"])
def test_next_order_against_the_transfer_matrix(name):
    """What the expansion leaves of mean and variance falls like 1/N^2: by 4 when N doubles, by 2 for N E d."""
    theory = theory_of(name, 1.5, 0.05)
    order = next_order(theory)
    laws = {n: stationary_law(theory, n) for n in (64, 128)}
    left = {n: n * law.variance - n * order.variance(n) for n, law in laws.items()}
    assert left[64] / left[128] == pytest.approx(4, rel=0.05)
    shift = {n: n * (law.mean - theory.fixed_point) - order.mean_shift for n, law in laws.items()}
    assert shift[64] / shift[128] == pytest.approx(2, rel=0.05)
    assert abs(left[128]) < 2e-4


def test_mean_shifts_end_at_the_fixed_point():
    theory = theory_of("sin", 1.5, 0.05)
    assert mean_shifts(theory, 2.0, 60)[-1] == pytest.approx(next_order(theory).mean_shift, rel=1e-9)


def test_drift_of_smooth_critical_networks():
    """tanh at sigma_w = 1, N = 1000: E ln Sigma_l to 4 sigma, from which the infinite-width value is excluded."""
    theory = theory_of("tanh", 1.0, 0.0)
    walk = log_walk(theory, 1.0, 21, 1000)
    chain = LayerChain(torch.arange(4000), theory.activation, 1000, 21, 1.0, 0.0, torch.ones(1, 1).double())
    log = np.log(ancestral_samples(chain, seed=2).sigma[:, -1, 0, 0].numpy())
    stderr = log.std() / math.sqrt(len(log))
    assert abs(log.mean() - walk.mean[-1]) < 4 * stderr
    assert abs(log.mean() - math.log(theory.variances(1.0, 21)[-1])) > 6 * stderr


def test_transfer_matrix_against_networks():
    """tanh at N = 12, where 1/N theory is off by more than the errors: mean, variance and covariance at lag 2."""
    theory = theory_of("tanh", 1.5, 0.05)
    law = stationary_law(theory, 12)
    first = torch.tensor([[theory.fixed_point]], dtype=torch.float64)
    chain = LayerChain(torch.arange(80_000), theory.activation, 12, 12, theory.sigma_w, theory.sigma_b, first)
    sigma = ancestral_samples(chain, seed=5).sigma[:, :, 0, 0].numpy()
    last, before = sigma[:, -1] - law.mean, sigma[:, -3] - law.mean
    for values, exact in ((last, 0.0), (last**2, law.variance), (last * before, law.covariance(2)[2])):
        assert abs(values.mean() - exact) < 4 * values.std() / math.sqrt(len(values))
    free = FreeField.at_fixed_point(theory).n_times_variance / 12
    assert abs((last**2).mean() - free) > 4 * (last**2).std() / math.sqrt(len(last))


def test_transfer_matrix_says_where_it_ends(monkeypatch):
    with pytest.raises(UsageError, match="bounded activation"):
        stationary_law(theory_of("relu", 1.5, 0.05), 100)
    with pytest.raises(UsageError, match="N = 10000000"):
        stationary_law(theory_of("tanh", 1.5, 0.05), 10_000_000)
    monkeypatch.setattr(transfer, "GRIDS", (64, 128))
    with pytest.raises(QuadratureError, match="1/N theory"):
        stationary_law(theory_of("tanh", 1.5, 1e-6), 12)
