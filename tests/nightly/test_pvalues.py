"""The instruments: p-values of good numbers are uniform; the maps of the targets hold for draws without a chain."""

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest

from mcmc.rng import Streams
from mcmc.run.build import build_system
from mcmc.systems.function_space.learning import LearningSystem
from mcmc.systems.layers.ancestral import ancestral_positions
from mcmc.systems.mlp.exact import linear_field
from tests.nightly.pvalues import kolmogorov, limit, student, uniformity
from tests.nightly.targets import SMOOTH, TARGETS, Size, rejection
from tests.support.chains import small_config
from tests.support.tiny_learning import DEPTH, WIDTH

pytestmark = pytest.mark.statistical
SMALLEST = Size(2, n_burn_in=1, n_snapshots=1)


@pytest.mark.parametrize("n", [48, 160])
@pytest.mark.parametrize("statistic", ["law", "mean", "width"])
def test_p_values_are_uniform(statistic, n):
    """Thousands, of numbers from another generator: their law, and how many are below 1/1000."""
    u = np.random.default_rng(5).random((n, 2_000 if statistic == "law" else 40_000))  # the exact law takes time
    values = {"law": u, "mean": u - 0.5, "width": np.abs(2 * u - 1) - 0.5}[statistic]
    p = kolmogorov(values) if statistic == "law" else student(values)
    assert kstest(p, "uniform").pvalue > 1e-4
    n_small = int((p < 1e-3).sum())
    assert 1e-4 < binom.cdf(n_small, p.size, 1e-3) < 1 - 1e-4


def test_smallest_p_value_keeps_its_rate():
    """A tenth of all nights is below a tenth, at most: Bonferroni asks no independence of the statistics."""
    fresh = np.random.default_rng(6)
    p = np.array([uniformity(fresh.random((4, 1, 2, 160, 2))).p for _ in range(200)])
    assert binom.sf((p < 0.1).sum() - 1, len(p), 0.1) > 1e-4
    assert (p < 0.1).sum() > 5, "safe, not blind"


def draws_of(name: str) -> tuple[np.ndarray, object, float]:
    """Positions (n, n_sites) without a chain, the system of one network and the inverse temperature."""
    fresh, n = torch.Generator().manual_seed(7), 6000
    if name.startswith("layers"):
        _, chain, _ = TARGETS[name].sample("hmc", True, 3, SMALLEST)
        x, _ = ancestral_positions(chain.narrow(0, 1), Streams.of(11, [0], range(n)))
        return x[0].numpy(), chain.narrow(0, 1), 1.0
    if name.startswith("students"):
        weights = name.split(", ")[1]
        system = LearningSystem.draw(weights, depth=DEPTH, width=WIDTH, n_networks=1, seed=3, dtype=torch.float64)
        return rejection(system, 0.3, n, fresh, 0.0), system, 0.3
    sizes = {
        "von Mises-Fisher": {"n_inputs": 4},
        "von Mises-Fisher, L=3": {"n_inputs": 5, "width_ratios": (1.5, 0.75, 1.25)},
        "circle, sin": {"activation": "sin", "n_inputs": 2, **SMOOTH},
        "sphere, relu": {"activation": "relu", "n_inputs": 3, **SMOOTH},
    }[name]
    system = build_system(small_config(n_networks=1, seed=9, **sizes), torch.device("cpu"))
    if name.startswith("von"):
        floor = -float(torch.linalg.vector_norm(linear_field(system.networks))) * system.n_sites**0.5
    else:
        noise = torch.randn((1, 200_000, system.n_sites), generator=fresh, dtype=torch.float64)
        floor = float(system.energy(system.manifold.random_point(noise)).min()) - 0.05
    return rejection(system, 1.2, n, fresh, floor), system, 1.2


@pytest.mark.parametrize("name", TARGETS)
def test_map_holds_for_exact_draws(name):
    x, system, beta = draws_of(name)
    fresh = np.random.default_rng(8)
    u = TARGETS[name].uniforms(x, system, beta, fresh)
    found = uniformity(u[None, None, None])
    assert found.p > limit(len(TARGETS)), found
    wrong = TARGETS[name].uniforms(x, system, 0.75 * beta, fresh)
    if not name.startswith("layers"):  # their map knows one temperature
        assert uniformity(wrong[None, None, None]).p < limit(len(TARGETS)), "another temperature must show"
