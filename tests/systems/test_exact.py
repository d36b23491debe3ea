"""The exact answers against each other and against other algorithms: an oracle must not be trusted on its word."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import lebedev_rule
from scipy.special import gammaln, ive

from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.exact import linear_field, quadrature_moments, sphere_rule, von_mises_fisher
from mcmc.systems.mlp.networks import Networks


def make(name, widths, n_networks=2, sigma_b=0.0):
    activation = make_activation(name, depth=len(widths) - 1)
    ids = torch.arange(n_networks)
    return MlpSystem(Networks.draw(widths, activation, ids=ids, seed=5, sigma_w=1.3, sigma_b=sigma_b))


@pytest.mark.parametrize("n_sites", [2, 3, 8, 150])
@pytest.mark.parametrize("beta", [0.3, 2.0, 8.0])
def test_von_mises_fisher_against_bessel_functions(n_sites, beta):
    """<t> = -I_{N/2}(k)/I_{N/2-1}(k), Z = Gamma(N/2) (2/k)^{N/2-1} I_{N/2-1}(k), Var from A' = 1 - A^2 - (N-1)A/k."""
    norm = 1.1
    moments = von_mises_fisher(norm, n_sites, beta)
    kappa, order = beta * math.sqrt(n_sites) * norm, n_sites / 2 - 1
    a = ive(order + 1, kappa) / ive(order, kappa)
    scale = norm / math.sqrt(n_sites)
    log_z = gammaln(n_sites / 2) + order * math.log(2 / kappa) + math.log(ive(order, kappa)) + kappa
    assert moments.mean_energy == pytest.approx(-scale * a, rel=1e-10)
    assert moments.overlap == pytest.approx(a**2, rel=1e-10)
    assert moments.variance == pytest.approx(scale**2 * (1 - a**2 - (n_sites - 1) * a / kappa), rel=1e-7)
    assert moments.log_z == pytest.approx(log_z, rel=1e-10)


def test_third_moment_is_the_derivative_of_the_variance():
    """d Var(H)/d beta = -<(H - <H>)^3>, in extensive units."""
    n_sites, beta, h = 9, 1.3, 1e-4
    variance = [von_mises_fisher(0.9, n_sites, b).variance * n_sites**2 for b in (beta - h, beta + h)]
    third = von_mises_fisher(0.9, n_sites, beta).third * n_sites**3
    assert -(variance[1] - variance[0]) / (2 * h) == pytest.approx(third, rel=1e-6)


@pytest.mark.parametrize("n_sites", [2, 3])
def test_quadrature_of_linear_networks_is_von_mises_fisher(n_sites):
    system = make("linear", (n_sites, 5, 4))
    norms = torch.linalg.vector_norm(linear_field(system.networks), dim=-1)
    for moments, norm in zip(quadrature_moments(system, 1.7), norms, strict=True):
        exact = von_mises_fisher(float(norm), n_sites, 1.7)
        assert vars(moments) == pytest.approx(vars(exact), rel=1e-6)


def test_linear_field_is_the_energy():
    system = make("linear", (6, 5, 4))
    x = system.manifold.random_point(torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0)).double())
    assert torch.allclose((x * linear_field(system.networks).unsqueeze(1)).sum(-1), system.energy(x), rtol=1e-12)


def test_sphere_rule_against_lebedev():
    """Smooth network, N_0 = 3: the product rule and the Lebedev rule of degree 131 agree."""
    system = make("sin", (3, 6), sigma_b=0.7)
    points, weights = lebedev_rule(131)
    x = torch.from_numpy(math.sqrt(3) * points.T).expand(2, -1, -1)
    p = torch.exp(-1.5 * system.energy(x)) * torch.from_numpy(weights / weights.sum())
    for d, moments in enumerate(quadrature_moments(system, 1.5)):
        assert moments.log_z == pytest.approx(float(p[d].sum().log()), abs=1e-12)
        mean = float((p[d] * system.energy(x)[d]).sum() / p[d].sum() / 3)
        assert moments.mean_energy == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("n_sites", [2, 3])
def test_sphere_rule_moments(n_sites):
    """E x_i = 0, E x_i x_j = delta_ij, E x_i^4 = 3 N/(N + 2) on |x|^2 = N."""
    x, w = sphere_rule(n_sites)
    assert float(w.sum()) == pytest.approx(1, abs=1e-13)
    assert (w @ x).abs().max() < 1e-13
    assert torch.allclose((w.unsqueeze(-1) * x).T @ x, torch.eye(n_sites, dtype=torch.float64), atol=1e-12)
    assert (w @ x**4).numpy() == pytest.approx(np.full(n_sites, 3 * n_sites / (n_sites + 2)), abs=1e-10)


def test_kinked_network_converges_with_nodes():
    system = make("relu", (3, 6), sigma_b=0.7)
    for coarse, fine in zip(
        quadrature_moments(system, 2.0, n_nodes=200), quadrature_moments(system, 2.0, n_nodes=400), strict=True
    ):
        assert coarse.mean_energy == pytest.approx(fine.mean_energy, abs=2e-6)


def test_quadrature_is_refused_elsewhere():
    with pytest.raises(ValueError, match="N_0 = 2 and 3, found 4"):
        sphere_rule(4)
    with pytest.raises(ValueError, match="found sin"):
        linear_field(make("sin", (3, 4)).networks)
