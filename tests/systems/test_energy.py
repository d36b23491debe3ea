"""H(x) against a plain loop, its gradient against autograd and finite differences, block by block the same bits."""

import math

import pytest
import torch

from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

WIDTHS = [(10, 7), (8, 11, 6), (6, 5, 9, 7)]


def make(name, widths, n_networks=3, sigma_b=0.4, dtype=torch.float64):
    activation = make_activation(name, depth=len(widths) - 1)
    ids = torch.arange(n_networks)
    return MlpSystem(Networks.draw(widths, activation, ids=ids, seed=11, sigma_w=1.3, sigma_b=sigma_b, dtype=dtype))


def points(system, n_chains, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(system.network_ids), n_chains, system.n_sites, generator=generator, dtype=torch.float64)
    return system.manifold.random_point(noise).to(system.dtype)


def energy_by_definition(system, x):
    """equations.md, section 1, one chain at a time and with nothing shared."""
    net, out = system.networks, torch.empty(x.shape[:2], dtype=x.dtype)
    for d in range(x.shape[0]):
        for c in range(x.shape[1]):
            a = x[d, c]
            for w, b in zip(net.weights, net.biases, strict=True):
                a = net.activation.phi(w[d] @ a + (b[d, 0] if b is not None else 0))
            out[d, c] = net.readout[d] @ a
    return out


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_energy_and_gradient_against_autograd(name, widths):
    system = make(name, widths)
    x = points(system, 4).requires_grad_()
    by_definition = energy_by_definition(system, x)
    (expected,) = torch.autograd.grad(by_definition.sum(), x)
    energy, grad = system.energy_and_grad(x.detach())
    assert torch.allclose(energy, by_definition, rtol=1e-12, atol=1e-12)
    assert torch.allclose(grad, expected, rtol=1e-11, atol=1e-11)
    assert torch.equal(system.energy(x.detach()), energy)
    assert energy.dtype == torch.float64


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_gradient_against_finite_differences(name):
    """Central differences along a random direction; error O(eps^2), no kink crossed within eps at these points."""
    system = make(name, (8, 11, 6))
    x, direction, eps = points(system, 5), points(system, 5, seed=1), 1e-5
    _, grad = system.energy_and_grad(x)
    slope = (system.energy(x + eps * direction) - system.energy(x - eps * direction)) / (2 * eps)
    assert torch.allclose(slope, (grad * direction).sum(-1), rtol=1e-7, atol=1e-7)


def test_a_wrong_gradient_is_caught():
    """The twin: 1 - a instead of 1 - a^2 as the derivative of tanh fails the same comparison."""
    system = make("tanh", (8, 11, 6))
    object.__setattr__(system.networks.activation, "dphi", lambda h, a: 1 - a)
    x, direction, eps = points(system, 5), points(system, 5, seed=1), 1e-5
    _, grad = system.energy_and_grad(x)
    slope = (system.energy(x + eps * direction) - system.energy(x - eps * direction)) / (2 * eps)
    assert not torch.allclose(slope, (grad * direction).sum(-1), rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_sixteen_networks_at_once_equal_two_times_eight(name, dtype):
    system = make(name, (64, 64, 64), n_networks=16, dtype=dtype)
    x = points(system, 24)
    energy, grad = system.energy_and_grad(x)
    halves = [system.narrow(a, a + 8).energy_and_grad(x[a : a + 8]) for a in (0, 8)]
    assert torch.equal(energy, torch.cat([e for e, _ in halves]))
    assert torch.equal(grad, torch.cat([g for _, g in halves]))


def test_float32_energy_is_close_to_float64():
    """The audit behind float32 runs: |dH| stays far below 1, so that beta dH never moves an acceptance by much."""
    exact, fast = make("sin", (256, 256, 256)), make("sin", (256, 256, 256), dtype=torch.float32)
    x = points(exact, 16).float()
    difference = (fast.energy(x) - exact.energy(x.double())).abs().max().item()
    assert difference < 1e-3


def test_overlaps_by_definition():
    system = make("erf", (9, 7, 5), n_networks=2)
    x = points(system, 6).view(2, 2, 3, 9)
    overlaps = system.overlaps(x)
    layers = [a.view(2, 2, 3, -1) for a in system.layers(x.view(2, 6, 9))]
    assert overlaps.between.shape == (2, 2, 3, 3)
    assert overlaps.within.shape == (2, 2, 3, 3)
    for layer, a in enumerate(layers):
        for p, (r, s) in enumerate([(0, 1), (0, 2), (1, 2)]):
            q = (a[:, :, r] * a[:, :, s]).mean(-1)
            assert torch.allclose(overlaps.between[:, :, p, layer], q, atol=1e-14)
        assert torch.allclose(overlaps.within[..., layer], (a**2).mean(-1), atol=1e-14)
    assert torch.allclose(overlaps.within[..., 0], torch.ones(2, 2, 3, dtype=torch.float64))


def test_overlap_ranges():
    assert make("sin", (6, 5)).overlap_ranges() == [(-1.0, 1.0), (-1.0, 1.0)]
    lower, upper = make("relu", (6, 5), sigma_b=0.0).overlap_ranges()[1]
    assert upper == -lower == pytest.approx(4 * 1.3**2 / 2, rel=2e-2)


def test_energy_scale():
    """At infinite width H/sqrt(N_0) has variance E phi(h)^2 at a random point; 5 sigma over 400 networks."""
    system = make("linear", (30, 40), n_networks=400, sigma_b=0.0)
    h = system.energy(points(system, 1))[:, 0] / math.sqrt(30)
    assert abs(h.var().item() / 1.3**2 - 1) < 5 * math.sqrt(2 / 400) * 1.5  # 1.5: finite-width kurtosis


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("widths", WIDTHS)
def test_gradient_alone_is_the_same_bits(widths, dtype):
    system = make("tanh", widths, dtype=dtype)
    x = points(system, 5)
    assert torch.equal(system.grad(x), system.energy_and_grad(x)[1])


def test_float64_of_coarse_forces_is_the_definition():
    system = make("tanh", WIDTHS[1], dtype=torch.float32)
    coarse = MlpSystem(system.networks, "bfloat16")
    x = points(system, 5)
    assert coarse.in_float64().dtype == torch.float64
    expected = energy_by_definition(MlpSystem(system.networks.to(torch.float64)), x.double())
    assert torch.allclose(coarse.in_float64().energy(x.double()), expected, rtol=1e-13)
    assert system.with_finest_forces() is None
    finest = coarse.with_finest_forces()
    for a, b in zip(finest.energy_and_grad(x), system.energy_and_grad(x), strict=True):
        assert torch.equal(a, b)
