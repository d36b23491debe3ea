"""The chain of layers: energy against the law of a random network, force against autograd, draws against theory."""

import math

import numpy as np
import pytest
import torch

from mcmc.errors import ConfigError, UsageError
from mcmc.kernels.base import initial_positions
from mcmc.rng import Streams
from mcmc.systems.layers.ancestral import ancestral_positions, ancestral_samples
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.layers.explicit import explicit_samples
from mcmc.systems.mlp.activations import make_activation
from mcmc.theory.layers.exact import HomogeneousChain
from mcmc.theory.layers.fluctuations import norm_covariance
from mcmc.theory.layers.model import LayerTheory
from mcmc.theory.layers.several import pair_theory

ONE = torch.tensor([[1.7]], dtype=torch.float64)
TWO = torch.tensor([[0.9, -0.3], [-0.3, 0.5]], dtype=torch.float64)


def make(name="tanh", first=ONE, width=5, depth=4, n_copies=2, weight_variance=1.4, bias_variance=0.2, **others):
    activation, ids = make_activation(name, depth=1), torch.arange(n_copies)
    return LayerChain(ids, activation, width, depth, weight_variance**0.5, bias_variance**0.5, first, **others)


def theory_of(chain):
    return LayerTheory(chain.activation, chain.sigma_w, chain.sigma_b)


def draws(chain, n_chains=3, seed=4):
    x, log_weight = ancestral_positions(chain, Streams.of(seed, chain.ids.tolist(), range(n_chains)))
    assert not log_weight.any()
    return x


@pytest.mark.parametrize("first", [ONE, TWO], ids=["one input", "two inputs"])
@pytest.mark.parametrize("name", ["linear", "relu", "tanh", "sin", "erf", "leaky_relu"])
def test_energy_is_minus_the_log_density_of_the_network(name, first):
    """Layer by layer as multivariate normals of torch.distributions: an independent statement of the same law."""
    chain = make(name, first)
    x = draws(chain)
    z = x.view(2, 3, chain.depth, chain.n_inputs, chain.width)
    sigma, log_density = first.expand(2, 3, *first.shape), 0.0
    for layer in range(chain.depth):
        law = torch.distributions.MultivariateNormal(torch.zeros(chain.n_inputs, dtype=torch.float64), sigma)
        log_density = log_density + sum(law.log_prob(z[:, :, layer, :, i]) for i in range(chain.width))
        phi = chain.activation.phi(z[:, :, layer])
        sigma = 0.2 + 1.4 * torch.einsum("dcai,dcbi->dcab", phi, phi) / chain.width
    constant = 0.5 * chain.n_sites * math.log(2 * math.pi)
    assert torch.allclose(-log_density - constant, chain.energy(x), rtol=1e-12)


@pytest.mark.parametrize("first", [ONE, TWO], ids=["one input", "two inputs"])
@pytest.mark.parametrize("name", ["linear", "relu", "tanh", "sin", "erf"])
def test_gradient_against_autograd(name, first):
    chain = make(name, first)
    x = draws(chain).requires_grad_()
    (expected,) = torch.autograd.grad(chain.energy(x).sum(), x)
    energy, grad = chain.energy_and_grad(x.detach())
    assert torch.allclose(grad, expected, rtol=1e-10, atol=1e-11)
    assert torch.equal(energy, chain.energy(x.detach()))
    assert torch.equal(grad, chain.grad(x.detach()))


def test_gradient_against_differences():
    chain = make("relu", TWO)
    x, h = draws(chain), 1e-6
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    slope = (chain.energy(x + h * direction) - chain.energy(x - h * direction)) / (2 * h)
    assert torch.allclose((chain.grad(x) * direction).sum(-1), slope, rtol=1e-6, atol=1e-7)


def test_float32_positions_have_float64_energies():
    chain = make("tanh", dtype=torch.float32)
    x = draws(chain)
    energy, grad = chain.energy_and_grad(x)
    assert (x.dtype, energy.dtype, grad.dtype) == (torch.float32, torch.float64, torch.float32)
    assert torch.equal(energy, chain.in_float64().energy(x.double()))


def test_protocol():
    chain = make("tanh", TWO, n_copies=3)
    assert chain.narrow(1, 3).network_ids.tolist() == [1, 2]
    assert chain.n_sites == chain.manifold.n_sites == 4 * 2 * 5
    assert chain.with_finest_forces() is None
    overlaps = chain.overlaps(draws(chain, 6).view(3, 2, 3, -1))
    assert overlaps.between.shape == (3, 2, 3, 4)
    assert overlaps.within.shape == (3, 2, 3, 4)
    assert len(chain.overlap_ranges()) == 4
    z = draws(chain, 6).view(3, 2, 3, 4, 2, 5)
    q = (z[1, 0, 0, 2] * z[1, 0, 2, 2]).sum() / 10
    assert overlaps.between[1, 0, 1, 2] == pytest.approx(float(q))
    with pytest.raises(ValueError, match="no normalisable reference measure"):
        initial_positions(Streams.of(0, range(3), range(2)), chain)


def test_draws_depend_on_their_address_alone():
    chain = make("relu")
    whole = draws(chain, 5)
    part, _ = ancestral_positions(chain.narrow(1, 2), Streams.of(4, [1], [2, 4]))
    assert torch.equal(part[0], whole[1, [2, 4]])


def test_weights_of_tempered_draws():
    """log w = log[exp(-beta H)/density of the proposal] up to a constant, and the proposal is Sigma_l/beta."""
    chain, beta = make("relu", TWO, n_copies=1), 0.6
    x, log_weight = ancestral_positions(chain, Streams.of(1, [0], range(6)), beta)
    log_det = torch.logdet(chain.covariances(x)).sum(-1)
    quadratic = 2 * chain.energy(x) - chain.width * log_det
    log_proposal = -0.5 * (beta * quadratic + chain.width * log_det)
    difference = -beta * chain.energy(x) - log_proposal - log_weight
    assert torch.allclose(difference, difference[:, :1], rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"width": 0, "weight_variance": 0.0}, r"width: .*; sigma_w: "),
        ({"first": -ONE}, "positive definite"),
        ({"first": torch.ones(2, 2, dtype=torch.float64)}, "positive definite"),
        ({"first": torch.ones(2, dtype=torch.float64)}, "square matrix"),
    ],
)
def test_bad_numbers(changes, why):
    with pytest.raises(ConfigError, match=why):
        make(**changes)


def test_no_inputs_for_a_small_first_variance():
    with pytest.raises(UsageError, match="no inputs have"):
        explicit_samples(make(first=0.1 * ONE), seed=0)


# --- exact draws against exact moments and the theory; networks are independent, so errors are plain


def assert_mean(values, exact, what, n_sigma=4.0):
    values = np.asarray(values)
    z = (values.mean() - exact) / (values.std(ddof=1) / math.sqrt(len(values)))
    assert abs(z) < n_sigma, f"{what}: {values.mean():.6g}, exact {exact:.6g}, {z:+.1f} sigma"


@pytest.mark.parametrize("sampler", [ancestral_samples, explicit_samples])
@pytest.mark.parametrize(("name", "weight_variance"), [("linear", 0.8), ("relu", 1.6)])
def test_moments_at_finite_width(name, weight_variance, sampler):
    """E Sigma_l, Var Sigma_l and Cov(Sigma_2, Sigma_l), far from the fixed point, N = 24, exactly."""
    chain = make(name, 2 * ONE, width=24, depth=6, n_copies=2000, weight_variance=weight_variance)
    sigma = sampler(chain, seed=3).sigma[:, :, 0, 0].numpy()
    exact = HomogeneousChain.of(theory_of(chain), 24)
    mean, variance = exact.moments(3.4, 6)
    covariance = exact.covariance(3.4, 6)
    for site in range(1, 6):
        d = sigma[:, site] - mean[site]
        assert_mean(sigma[:, site], mean[site], f"E Sigma_{site + 1}")
        assert_mean(d**2, variance[site], f"Var Sigma_{site + 1}")
        assert_mean(d * (sigma[:, 1] - mean[1]), covariance[1, site], f"Cov(Sigma_2, Sigma_{site + 1})")


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_norm_covariance(name):
    """Cov(K_2, K_m) at N = 400; corrections of relative order 1/N are below the errors."""
    chain = make(name, width=400, depth=5, n_copies=6000, weight_variance=1.3)
    gram = ancestral_samples(chain, seed=2).gram[:, :, 0, 0].numpy()
    theory = norm_covariance(theory_of(chain), 1.7, 5)
    d = gram - gram.mean(0)
    for site in range(1, 5):
        assert_mean(400 * d[:, 1] * d[:, site], theory[1, site], f"N Cov(K_2, K_{site + 1})")


@pytest.mark.statistical
def test_two_inputs():
    """Means and all covariances of (Sigma_aa, Sigma_ab, Sigma_bb) between two layers, N = 400."""
    chain = make("relu", TWO, width=400, depth=4, n_copies=6000)
    sigma = ancestral_samples(chain, seed=2).sigma.numpy()
    s = np.stack([sigma[..., 0, 0], sigma[..., 0, 1], sigma[..., 1, 1]], -1)
    pair = pair_theory(theory_of(chain), np.array([0.9, -0.3, 0.5]), 4)
    d = s - s.mean(0)
    for i in range(3):
        assert s[:, 3, i].mean() == pytest.approx(pair.mean[3, i], abs=0.005)
        for j in range(3):
            assert_mean(400 * d[:, 3, i] * d[:, 2, j], pair.covariance[3, 2, i, j], f"C_{i}{j}")
