"""The plain-torch trajectory: rounding errors are taken off, and how often. Its law is checked in tests/statistical."""

import pytest
import torch

from mcmc.kernels.base import ChainState
from mcmc.kernels.leapfrog import REPROJECT_EVERY, leapfrog
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

N_SITES, N_CHAINS = 7, 5


def start_off_the_sphere(off: float) -> tuple[MlpSystem, ChainState]:
    """Positions too long by a factor 1 + off, momenta with a part along them, as rounding makes them in float32."""
    networks = Networks.draw((N_SITES, 9), make_activation("tanh", depth=1), ids=torch.arange(2), seed=2, sigma_w=1.5)
    system, generator = MlpSystem(networks), torch.Generator().manual_seed(1)
    noise = torch.randn((2, 2, N_CHAINS, N_SITES), dtype=torch.float64, generator=generator)
    x = system.manifold.random_point(noise[0])
    p = system.manifold.project_tangent(x, noise[1]) + off * x
    x = (1 + off) * x
    return system, ChainState(x, *system.energy_and_grad(x), p)


def end(off: float, n_leapfrog: int) -> ChainState:
    system, start = start_off_the_sphere(off)
    beta = torch.linspace(0.5, 2.0, 2 * N_CHAINS, dtype=torch.float64).view(2, N_CHAINS)
    return leapfrog(system, start, beta, torch.full_like(beta, 0.05), n_leapfrog)


@pytest.mark.parametrize("n_leapfrog", [1, 3, REPROJECT_EVERY, REPROJECT_EVERY + 1])
def test_rounding_errors_are_taken_off_at_the_end(n_leapfrog):
    found = end(1e-4, n_leapfrog)
    assert torch.allclose(found.x.square().sum(-1), torch.tensor(float(N_SITES), dtype=torch.float64), rtol=1e-14)
    assert ((found.x * found.momentum).sum(-1).abs() < 1e-13).all()
    assert (found.x - end(0.0, n_leapfrog).x).abs().max() < 3e-3, "nothing but the error"


def test_rounding_errors_are_taken_off_on_the_way(monkeypatch):
    """Every REPROJECT_EVERY steps and at the end: a long trajectory in float32 would leave the sphere between."""
    calls, true = [], Sphere.reproject

    def counted(self, *arguments):
        calls.append(arguments)
        return true(self, *arguments)

    monkeypatch.setattr(Sphere, "reproject", counted)
    for n_leapfrog, n_calls in ((1, 1), (REPROJECT_EVERY, 1), (REPROJECT_EVERY + 1, 2), (3 * REPROJECT_EVERY - 1, 3)):
        calls.clear()
        end(0.0, n_leapfrog)
        assert len(calls) == n_calls, n_leapfrog
