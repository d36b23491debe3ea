"""The Gibbs measure over weights against enumeration of tiny machines; broken samplers fail the same assertions."""

import numpy as np
import pytest
import torch

from mcmc.exchange.state import to_temperature_order
from mcmc.kernels import block_walk, random_walk, spin_flip
from mcmc.kernels.accept import metropolis
from mcmc.kernels.block_walk import BlockWalk
from mcmc.kernels.random_walk import RandomWalk
from mcmc.kernels.spin_flip import SpinFlip
from mcmc.run.learning import LearningPlan, start_learning
from mcmc.systems.function_space.learning import LearningSystem
from mcmc.systems.function_space.manifolds import RowSpheres
from tests.support import tiny_learning
from tests.support.broken import in_parts, swap_sign
from tests.support.stats import assert_within_sigma
from tests.support.tiny_learning import DEPTH, WIDTH, binary_moments, continuous_moments

pytestmark = pytest.mark.statistical
ALPHAS = (0.0, 0.15, 0.35, 0.7)
KERNELS = {"block_walk": BlockWalk(DEPTH * WIDTH, spread=4.0), "random_walk": RandomWalk(), "spin_flip": SpinFlip()}
STEPS = {"block_walk": 1.2, "random_walk": 0.6, "spin_flip": 1.0}


def draw(kernel, *, n_draws=150, n_replicas=96, alphas=ALPHAS, is_planted=True):
    """System, errors (n, D, K, R) and overlaps (n, D, K, R, L) of many short ladders at a fixed step size."""
    weights = "binary" if kernel == "spin_flip" else "continuous"
    system = LearningSystem.draw(weights, depth=DEPTH, width=WIDTH, n_networks=2, seed=4, dtype=torch.float64)
    plan = LearningPlan(alphas, steps_per_sweep=6, n_replicas=n_replicas, seed=8, is_planted=is_planted)
    simulation = start_learning(system, plan, KERNELS[kernel])
    simulation.tuner.log_step.fill_(float(np.log(STEPS[kernel])))
    errors, overlaps = [], []
    for sweep in range(30 + n_draws):
        simulation.advance()
        if sweep < 30:
            continue
        errors.append(to_temperature_order(simulation.energy_by_slot(), simulation.exchange) / system.n_sites)
        plain = system.teacher_overlap(simulation.chains[0].x).view(*simulation.shape, DEPTH)
        overlaps.append(to_temperature_order(plain, simulation.exchange))
    return system, torch.stack(errors).numpy(), torch.stack(overlaps).numpy()


def assert_exact(kernel, **sizes):
    """<eps>, Var eps and, for binary weights, R_l at every temperature of two teachers."""
    system, errors, overlaps = draw(kernel, **sizes)
    for network in range(2):
        for k, alpha in enumerate(sizes.get("alphas", ALPHAS)):
            what, found = f"network {network}, alpha {alpha}", errors[:, network, k]
            if kernel == "spin_flip":
                mean, variance, plain = binary_moments(system, network, alpha)
                for layer in range(DEPTH):
                    assert_within_sigma(overlaps[:, network, k, :, layer], plain[layer], what=f"{what}, R_{layer + 1}")
            else:
                mean, variance = continuous_moments(system, network, alpha)
            assert_within_sigma(found, mean, what=f"{what}, eps")
            assert_within_sigma((found - mean) ** 2, variance, what=f"{what}, Var eps")


def test_shares_of_the_sphere():
    """The solid angles by counting random rows."""
    signs, share = tiny_learning.row_functions()
    assert share.sum() == pytest.approx(1)
    rows = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = torch.sign(rows @ tiny_learning.all_patterns(3).double().T).numpy()
    for sign, expected in zip(signs, share, strict=True):
        count = np.all(found == sign, axis=1).mean()
        assert count == pytest.approx(expected, abs=5 * np.sqrt(expected / len(rows)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_tiny_machines(kernel):
    assert_exact(kernel)


def test_start_does_not_matter():
    assert_exact("block_walk", is_planted=False)


def test_without_the_hottest_temperature():
    assert_exact("spin_flip", alphas=(0.1, 0.3, 0.5))


def accept_everything(monkeypatch):
    for module in (random_walk, block_walk, spin_flip):
        monkeypatch.setattr(module, "metropolis", lambda u, error: metropolis(u, torch.zeros_like(error)))


def drift(monkeypatch):
    """Every move of a row is pulled towards the first axis: the proposal is not symmetric."""
    true_flow = RowSpheres.geodesic_flow

    def pulled(self, x, p, time, out=None):
        y, r = true_flow(self, x, p, time)
        return y + 0.3 * torch.eye(self.n_inputs, dtype=x.dtype)[0].repeat(self.n_rows) * (time > 0).unsqueeze(-1), r

    monkeypatch.setattr(RowSpheres, "geodesic_flow", pulled)


@pytest.mark.parametrize("kernel", ["block_walk", "random_walk"])
def test_drift_is_caught(kernel, monkeypatch):
    drift(monkeypatch)
    with pytest.raises(AssertionError, match=r"sigma|effective samples"):
        assert_exact(kernel, alphas=(0.1, 0.3, 0.5))


@pytest.mark.parametrize("fault", [accept_everything, swap_sign])
@pytest.mark.parametrize("kernel", ["block_walk", "spin_flip"])
def test_fault_is_caught(kernel, fault, monkeypatch):
    in_parts(monkeypatch)
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=r"sigma|effective samples"):
        assert_exact(kernel)


def test_half_of_the_sites_is_caught(monkeypatch):
    """A kernel that never flips the second layer, from a planted start."""

    class FirstLayerOnly(SpinFlip):
        def step(self, streams, system, state, beta, params, step):
            found, info = super().step(streams, system, state, beta, params, step)
            is_second = (found.x != state.x)[..., system.n_sites // 2 :].any(-1)
            return spin_flip.select(~is_second, found, state), info

    monkeypatch.setitem(KERNELS, "spin_flip", FirstLayerOnly())
    with pytest.raises(AssertionError, match=r"sigma|effective samples"):
        assert_exact("spin_flip", alphas=(0.1, 0.3, 0.5))
