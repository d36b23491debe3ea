"""One law in, the same law out: steps from exact draws leave them exact draws, so no chain has to find its way first.

Target: the density of one sin network with biases on the circle, N_0 = 2, lopsided, at three temperatures; its
distribution function is a sum over a fine grid. Tens of thousands of chains cost a second and show a bias of 1 %.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy import stats

from mcmc.kernels import langevin
from mcmc.kernels.base import ChainState, StepParams
from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.registry import KERNELS
from mcmc.rng import Purpose, Streams
from mcmc.systems.mlp.activations import make_activation
from mcmc.systems.mlp.energy import MlpSystem
from mcmc.systems.mlp.networks import Networks

pytestmark = pytest.mark.statistical
BETAS = (0.0, 1.0, 3.0)
N_CHAINS = 20_000  # of each temperature
N_STEPS = 8
GRID = 8192
KERNELS_HERE = {**KERNELS, "block_walk": lambda: BlockWalk(1)}
STEP_SIZE = {"hmc": 1.0, "mala": 1.1, "langevin": 1.2, "random_walk": 1.2, "block_walk": 2.5}
MIN_P = 1e-5
TURN = (np.arange(GRID) + 0.5) * 2 * math.pi / GRID


def on_circle(angle: np.ndarray) -> torch.Tensor:
    """Points with |x|^2 = 2, (1, C, 2)."""
    return math.sqrt(2) * torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], -1))[None]


def make_system() -> MlpSystem:
    networks = Networks.draw(
        (2, 6), make_activation("sin", depth=1), ids=torch.tensor([4]), seed=3, sigma_w=1.3, sigma_b=0.8
    )
    return MlpSystem(networks)


def distribution(system: MlpSystem, beta: float) -> np.ndarray:
    """(GRID + 1,) distribution function of the angle at the edges of the grid."""
    weight = np.exp(-beta * system.energy(on_circle(TURN))[0].numpy())
    return np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()


class Moved(NamedTuple):
    """Where steps from exact draws end; the distribution functions there and the acceptances, by temperature.

    `fresh` are the draws from the reference measure that the last step could use.
    """

    system: MlpSystem
    state: ChainState
    uniforms: list[np.ndarray]
    acceptance: list[float]
    fresh: torch.Tensor


def moved(name: str, *, seed: int = 6) -> Moved:
    """Steps of a kernel from exact draws."""
    system, kernel = make_system(), KERNELS_HERE[name]()
    edges = np.arange(GRID + 1) * 2 * math.pi / GRID
    laws = [distribution(system, beta) for beta in BETAS]
    u = np.random.default_rng(seed).uniform(size=(len(BETAS), N_CHAINS))
    x = on_circle(np.concatenate([np.interp(u[k], law, edges) for k, law in enumerate(laws)]))
    beta = torch.tensor(BETAS, dtype=torch.float64).repeat_interleave(N_CHAINS)[None]
    params = StepParams(torch.full_like(beta, STEP_SIZE[name]), 3 if name == "hmc" else 1, redraw_at_zero=True)
    streams = Streams.of(seed, [4], range(beta.shape[1]))
    state, n_accepted = kernel.init(streams, system, x), torch.zeros(len(BETAS))
    for step in range(N_STEPS):
        state, info = kernel.step(streams, system, state, beta, params, step)
        n_accepted += info.is_accepted.view(len(BETAS), -1).double().mean(-1)
    angle = np.arctan2(state.x[0, :, 1].numpy(), state.x[0, :, 0].numpy()) % (2 * math.pi)
    by_beta = angle.reshape(len(BETAS), -1)
    uniforms = [np.interp(a, edges, law) for a, law in zip(by_beta, laws, strict=True)]
    fresh = system.manifold.random_point(streams.normal(Purpose.REDRAW, N_STEPS - 1, 2))
    return Moved(system, state, uniforms, (n_accepted / N_STEPS).tolist(), fresh)


def assert_law_is_kept(name: str) -> None:
    """Uniform distribution functions at every temperature; energies, gradients, momenta of the states they are with."""
    system, state, uniforms, acceptance, fresh = moved(name)
    energy, grad = system.energy_and_grad(state.x)
    torch.testing.assert_close(state.energy, energy, rtol=1e-10, atol=1e-10)
    assert state.grad is None or torch.allclose(state.grad, grad, rtol=1e-10, atol=1e-10), "gradient of elsewhere"
    if state.momentum is not None:
        assert ((state.x * state.momentum).sum(-1).abs() < 1e-10).all(), "momentum not tangent"
        along = (state.x[..., 0] * state.momentum[..., 1] - state.x[..., 1] * state.momentum[..., 0]) / math.sqrt(2)
        for k, part in enumerate(along[0].view(len(BETAS), -1).numpy()):
            assert stats.kstest(part, "norm").pvalue > MIN_P, f"law of the momentum at beta = {BETAS[k]}"
    for beta, uniform in zip(BETAS, uniforms, strict=True):
        p_value = stats.kstest(uniform, "uniform").pvalue
        assert p_value > MIN_P, f"law of the angle at beta = {beta}: p = {p_value:.1g}"
    assert acceptance[0] == 1
    is_fresh = (state.x == fresh).all(-1)[0].view(len(BETAS), -1)
    assert is_fresh[0].all(), "drawn afresh at beta = 0"
    assert not is_fresh[1:].any(), "drawn afresh elsewhere"
    assert 0.2 < acceptance[-1] < 0.9, "rejections are part of the test"


@pytest.mark.parametrize("name", KERNELS_HERE)
def test_law_is_kept(name):
    assert_law_is_kept(name)


def test_another_temperature_is_caught():
    """The bound can fail: draws of beta = 1 are not those of beta = 1.15."""
    system, _, uniforms, *_ = moved("hmc")
    wrong = np.interp(uniforms[1], distribution(system, 1.0), distribution(system, 1.15))
    assert stats.kstest(wrong, "uniform").pvalue < MIN_P


def test_missing_flip_is_caught(monkeypatch):
    true_select = langevin.select

    def select(is_accepted, proposal, present):
        return true_select(is_accepted, proposal, replace(present, momentum=-present.momentum))

    monkeypatch.setattr(langevin, "select", select)
    with pytest.raises(AssertionError, match="law"):
        assert_law_is_kept("langevin")
