"""What a step proposes, from the numbers of its streams. That it keeps the law is for tests/statistical."""

import math
from types import SimpleNamespace

import torch

from mcmc.kernels import hmc, langevin
from mcmc.kernels.accept import select
from mcmc.kernels.base import ChainState, StepParams
from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.hmc import Hmc
from mcmc.kernels.langevin import Langevin
from mcmc.kernels.reversal import check_trajectories
from mcmc.kernels.spin_flip import SpinFlip
from mcmc.rng import Streams
from mcmc.systems.manifolds import Sphere
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

D, C, N_SITES = 2, 500, 6
STREAMS = Streams.of(3, range(D), range(C))
STEP_SIZE = 0.2


def system_and_state() -> tuple[MlpSystem, ChainState]:
    """In float64, which no compiled kernel serves."""
    networks = Networks.draw((N_SITES, 9), make_activation("tanh", depth=1), ids=torch.arange(D), seed=2)
    system = MlpSystem(networks.to(torch.float64))
    x = system.manifold.random_point(torch.randn((D, C, N_SITES), dtype=torch.float64, generator=_generator()))
    return system, ChainState(x, *system.energy_and_grad(x))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def beta_and_params(beta: float = 1.0, **params) -> tuple[torch.Tensor, StepParams]:
    ones = torch.ones((D, C), dtype=torch.float64)
    return beta * ones, StepParams(STEP_SIZE * ones, **params)


def assert_mean(values: torch.Tensor, mean: float) -> None:
    assert abs(float(values.mean()) - mean) < 4 * float(values.std()) / math.sqrt(values.numel())


def test_jitter_of_hmc_is_uniform_about_one(monkeypatch):
    seen = {}

    def trajectory(system, start, beta, step_size, n_leapfrog, fresh, *, longest):
        seen.update(factor=step_size / STEP_SIZE, n=n_leapfrog)
        return start

    monkeypatch.setattr(hmc, "leapfrog", trajectory)
    system, state = system_and_state()
    Hmc(jitter=0.4).step(STREAMS, system, state, *beta_and_params(n_leapfrog=7), 0)
    factor = seen["factor"]
    assert seen["n"] == 7
    assert ((factor >= 0.6) & (factor <= 1.4)).all()
    assert_mean(factor, 1.0)
    assert_mean((factor - 1).square(), 0.4**2 / 3)
    Hmc(jitter=0.0).step(STREAMS, system, state, *beta_and_params(), 0)
    assert (seen["factor"] == 1).all()


def test_langevin_takes_one_step_of_the_size_given(monkeypatch):
    seen = {}

    def trajectory(system, start, beta, step_size, n_leapfrog, fresh):
        seen.update(step_size=step_size, n=n_leapfrog)
        return start

    monkeypatch.setattr(langevin, "leapfrog", trajectory)
    system, state = system_and_state()
    kernel, (beta, params) = Langevin(), beta_and_params()
    kernel.step(STREAMS, system, kernel.init(STREAMS, system, state.x), beta, params, 0)
    assert seen["n"] == 1
    assert torch.equal(seen["step_size"], params.step_size)


def test_block_walk_moves_one_block_by_a_size_spread_evenly_in_its_logarithm(monkeypatch):
    times, true = [], Sphere.geodesic_flow

    def recorded(self, x, p, time, out=None):
        times.append(time)
        return true(self, x, p, time, out)

    monkeypatch.setattr(Sphere, "geodesic_flow", recorded)
    system, state = system_and_state()
    kernel = BlockWalk(n_blocks=1, spread=10.0)
    moved, _ = kernel.step(STREAMS, system, state, *beta_and_params(beta=0.0), 0)
    log_time = torch.log(times[0] / STEP_SIZE)
    assert ((-math.log(10.0) <= log_time) & (log_time <= 0)).all()
    assert_mean(log_time, -0.5 * math.log(10.0))
    assert (moved.x != state.x).all(-1).all()  # everything is accepted at beta = 0


class SpinsInAField:
    """H = h . x on a hypercube."""

    n_sites, dtype = N_SITES, torch.float64
    field = torch.linspace(-1.0, 2.0, N_SITES, dtype=torch.float64)
    manifold = SimpleNamespace(random_point=torch.sign)

    def energy(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.field


def test_spin_flip_turns_one_spin_and_draws_afresh_at_beta_zero():
    system, beta = SpinsInAField(), torch.full((D, C), 0.7, dtype=torch.float64)
    beta[:, ::2] = 0.0
    x = torch.sign(torch.randn((D, C, N_SITES), dtype=torch.float64, generator=_generator()))
    kernel, params = SpinFlip(), StepParams(torch.ones_like(beta), redraw_at_zero=True)
    state = kernel.init(STREAMS, system, x)
    moved, info = kernel.step(STREAMS, system, state, beta, params, 0)
    n_turned = (moved.x != x).sum(-1)
    is_cold = beta > 0
    assert torch.equal(n_turned[is_cold], info.is_accepted[is_cold].long())
    assert 0.3 < info.is_accepted[is_cold].double().mean() < 0.95
    assert info.is_accepted[~is_cold].all()
    assert_mean(n_turned[~is_cold].double(), N_SITES / 2)
    turned = (moved.x != x)[is_cold & info.is_accepted]
    assert (turned.sum(0) > 0).all(), "every site has its turn"
    change = (beta * (moved.energy - state.energy))[is_cold & info.is_accepted]
    torch.testing.assert_close(info.statistics[..., 1][is_cold & info.is_accepted], change)
    assert (info.statistics[..., 1][~is_cold] == 0).all()
    torch.testing.assert_close(moved.energy, system.energy(moved.x))


def test_fields_that_only_one_state_has_hinder_no_other():
    """The order of fields is that of the class: a missing one may come before others."""
    state = ChainState(torch.zeros(1, 2, 3), torch.zeros(1, 2), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    proposal = ChainState(torch.ones(1, 2, 3), torch.ones(1, 2), None, torch.ones(1, 2, 3))
    chosen = select(torch.tensor([[True, False]]), proposal, state)
    assert chosen.grad is None
    for tensor in (chosen.x, chosen.energy, chosen.momentum):
        assert tensor[0, 0].eq(1).all()
        assert tensor[0, 1].eq(0).all()


class Drifting(MlpSystem):
    """A force that is a little less each time it is asked for."""

    n_calls = 0

    def energy_and_grad(self, x):
        energy, grad = super().energy_and_grad(x)
        return energy, self._less(grad)

    def grad(self, x, out=None):
        return self._less(super().grad(x, out))

    @staticmethod
    def _less(grad):
        Drifting.n_calls += 1
        return grad - 1e-3 * Drifting.n_calls


def test_reversal_is_a_distance_and_a_force_that_drifts_is_not_repeatable():
    system, state = system_and_state()
    momentum = system.manifold.project_tangent(state.x, torch.randn(state.x.shape, generator=_generator()).double())
    beta, params = beta_and_params()
    sound = check_trajectories(system, state.x, momentum, beta, params.step_size, 5)
    assert sound.is_repeatable.all()
    assert sound.reversal.max() < 1e-12
    found = check_trajectories(Drifting(system.networks), state.x, momentum, beta, params.step_size, 5)
    assert not found.is_repeatable.any()
    assert (found.reversal > 1e-5).all()
    assert (found.reversal < 0.1).all()
