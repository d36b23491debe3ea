"""The compiled trajectory against the plain one: float32 kernels against float64 torch, to the rounding of float32."""

import pytest
import torch

from mcmc import native
from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import leapfrog
from mcmc.names import ACTIVATION_NAMES
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

needs_kernels = pytest.mark.skipif(native.fused_engine() is None, reason="no compiled trajectories on this processor")
WIDTHS = [(32, 48), (37, 19, 70), (16, 33, 5, 40)]
N_CHAINS = [1, 31, 33, 70]


def systems(name, widths, n_networks=2):
    """The same networks in float32 (compiled) and in float64 (plain torch)."""
    activation = make_activation(name, depth=len(widths) - 1)
    ids = torch.arange(n_networks)
    draw = Networks.draw(widths, activation, ids=ids, seed=9, sigma_w=1.3, sigma_b=0.3, dtype=torch.float32)
    return MlpSystem(draw), MlpSystem(draw.to(torch.float64))


def start_of(system, n_chains, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (len(system.network_ids), n_chains, system.n_sites)
    x = system.manifold.random_point(torch.randn(shape, generator=generator, dtype=torch.float64)).to(system.dtype)
    p = torch.randn(shape, generator=generator, dtype=torch.float64).to(system.dtype)
    energy, grad = system.energy_and_grad(x)
    return ChainState(x, energy, grad, system.manifold.project_tangent(x, p))


def trajectory(system, n_chains, n_leapfrog, fresh=None, step=0.07):
    start = start_of(system, n_chains)
    beta = torch.linspace(0.0, 2.0, n_chains, dtype=torch.float64).expand(len(system.network_ids), -1)
    step_size = torch.full(beta.shape, step, dtype=system.dtype)
    return leapfrog(system, start, beta, step_size, n_leapfrog, None if fresh is None else fresh.to(system.dtype))


def largest_difference(a, b):
    return max(float((getattr(a, n).double() - getattr(b, n).double()).abs().max()) for n in vars(a))


@needs_kernels
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_trajectory_against_float64(name, widths):
    """Six steps, ragged sizes, biases: rounding of about 1e-7 sqrt(N) a step, amplified by the dynamics to 1e-4.

    Twelve steps of another size end elsewhere by more than a hundred times that: the bound can fail.
    """
    fast, exact = systems(name, widths)
    for n_chains in N_CHAINS:
        a, b = trajectory(fast, n_chains, 6), trajectory(exact, n_chains, 6)
        assert largest_difference(a, b) < 2e-4
    assert largest_difference(a, trajectory(exact, n_chains, 6, step=0.072)) > 2e-2


@needs_kernels
def test_energy_and_gradient_against_float64():
    for name in ACTIVATION_NAMES:
        fast, exact = systems(name, (64, 64, 64))
        x = start_of(fast, 40).x
        for a, b in zip(fast.energy_and_grad(x), exact.energy_and_grad(x.double()), strict=True):
            assert (a.double() - b).abs().max() < 2e-5 * (1 + b.abs().max())


@needs_kernels
def test_steps_per_chain_and_fresh_positions():
    """Chains that are done stand still; chains at beta = 0 end at their fresh position, with its energy."""
    fast, exact = systems("tanh", (37, 19))
    n_leapfrog = torch.tensor([1, 2, 5, 3, 5]).expand(2, -1)
    fresh = start_of(exact, 5, seed=2).x
    a, b = trajectory(fast, 5, n_leapfrog, fresh), trajectory(exact, 5, n_leapfrog, fresh)
    assert largest_difference(a, b) < 2e-4
    assert torch.equal(a.x[:, 0], fresh[:, 0].float())
    assert (a.energy[:, 0] - exact.energy(fresh)[:, 0]).abs().max() < 1e-4


@needs_kernels
def test_a_chain_depends_on_itself_alone():
    """The same bits in any batch, at any place of it, with any number of threads."""
    fast, _ = systems("sin", (40, 56), n_networks=3)
    whole = start_of(fast, 70)
    beta = torch.full((3, 70), 1.1, dtype=torch.float64)
    step = torch.full((3, 70), 0.1)
    end = leapfrog(fast, whole, beta, step, 5)
    some = torch.tensor([69, 3, 33])
    part = ChainState(**{n: t[1:2, some] for n, t in whole.tensors().items()})
    alone = leapfrog(fast.narrow(1, 2), part, beta[1:2, some], step[1:2, some], 5)
    for name, value in alone.tensors().items():
        assert torch.equal(value, end.tensors()[name][1:2, some]), name
    n_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        again = leapfrog(fast, whole, beta, step, 5)
    finally:
        torch.set_num_threads(n_threads)
    assert torch.equal(again.x, end.x)
    assert torch.equal(again.energy, end.energy)


@needs_kernels
def test_reversible():
    """There and back with the momentum turned: the start, to the rounding of float32."""
    fast, _ = systems("erf", (48, 48))
    start = start_of(fast, 20)
    beta = torch.full((2, 20), 1.5, dtype=torch.float64)
    step = torch.full((2, 20), 0.1)
    there = leapfrog(fast, start, beta, step, 8)
    back = leapfrog(fast, ChainState(there.x, there.energy, there.grad, -there.momentum), beta, step, 8)
    assert (back.x - start.x).abs().max() < 5e-5
    assert (back.momentum + start.momentum).abs().max() < 5e-5
    assert (there.x - start.x).abs().max() > 0.1
