"""Identities that hold at every width, for the networks that users run."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest, norm, t

from mcmc.analysis.equilibration import equilibration
from mcmc.analysis.estimate import network_average
from mcmc.analysis.measured import identity_a, network_means, weight_identities
from mcmc.compare.comparison import compare_with_theory
from mcmc.compare.verify import slope_check
from mcmc.config import load_config, parse_config
from mcmc.io.reader import read_run
from mcmc.io.schema import Key
from mcmc.run.driver import run
from mcmc.run.simulation import Simulation
from tests.support.broken import FAULTS
from tests.support.chains import simulate

pytestmark = pytest.mark.statistical

N_NETWORKS = 240  # the wrong sign of the first of two layers is then six errors from zero


def overlap_cdf(q: np.ndarray, n_sites: int) -> np.ndarray:
    """Law of q^0 at beta = 0: density (1 - q^2)^{(N_0-3)/2}, integrated."""
    area, _ = quad(lambda s: (1 - s * s) ** ((n_sites - 3) / 2), -1, 1)
    grid = np.linspace(-1, 1, 4001)
    density = (1 - grid**2) ** ((n_sites - 3) / 2) / area
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    return np.interp(q, grid, cumulative)


@pytest.mark.parametrize("kernel", ["hmc", "langevin", "random_walk"])
def test_law_of_the_overlap_at_infinite_temperature(kernel):
    """Kolmogorov-Smirnov on draws that are independent from sweep to sweep: at beta = 0 positions are drawn afresh."""
    draws = simulate(activation="tanh", kernel=kernel, betas=(0.0, 1.0), n_inputs=8, n_draws=300, n_replicas=64)
    q = draws.overlap[:, :, 0].ravel()  # [draw, network, temperature 0]
    assert kstest(q, overlap_cdf, args=(8,)).pvalue > 1e-3
    assert kstest(q, overlap_cdf, args=(9,)).pvalue < 1e-3  # the test has teeth: the law of N_0 = 9 is rejected


def identity_run(tmp_path, activation, width_ratios, seed=3):
    config = parse_config(
        {
            "model": {
                "activation": activation,
                "n_inputs": 24,
                "width_ratios": width_ratios,
                "n_networks": N_NETWORKS,
                "sigma_w": 1.3,
            },
            "sampler": {"n_leapfrog": 5},
            "tempering": {"beta_max": 2.5, "n_temperatures": 6},
            "run": {"n_burn_in": 160, "n_sweeps": 250, "seed": seed},
        }
    )
    run(config, tmp_path / "run", is_quiet=True)
    return read_run(tmp_path / "run")


@pytest.mark.parametrize("width_ratios", [[1.0], [1.5, 0.75]], ids=["L1", "L2"])
@pytest.mark.parametrize("activation", ["tanh", "sin"])
def test_identities_of_readout_and_weights(tmp_path, activation, width_ratios):
    """Errors from per-network differences; the wrong sign of the right-hand side is rejected by the same bound."""
    data = identity_run(tmp_path, activation, width_ratios)
    means = network_means(data)
    for estimate in identity_a(means):
        assert estimate.agrees(0.0, n_sigma=4)
        assert estimate.stderr < 0.05
    wrong = means.energy - means.beta * (means.self_overlap[..., -1] - means.overlap[..., -1])
    assert not network_average(wrong[:, -1]).agrees(0.0, n_sigma=4)
    right = weight_identities(data)
    assert right.shape == (N_NETWORKS, 6, len(width_ratios))
    for per_network in right.reshape(N_NETWORKS, -1).T:
        assert network_average(per_network).agrees(0.0, n_sigma=4)
    data.arrays[Key.WEIGHT_RESPONSE_SUM] *= -1
    wrong = weight_identities(data)
    for layer in range(len(width_ratios)):
        assert not network_average(wrong[:, -1, layer]).agrees(0.0, n_sigma=4)
    (finding,) = (f for f in equilibration(data).findings if f.check == "identities of the layers")
    assert not finding.ok


def test_slope_of_neighbouring_temperatures():
    """log P_1(H)/P_2(H) = const - dbeta H for one sin network, and not for a ladder that swaps with the wrong sign."""
    config = parse_config(
        {
            "model": {"activation": "sin", "n_inputs": 16, "n_networks": 1},
            "tempering": {"beta_max": 2.0},
            "run": {"seed": 4},
        }
    )
    assert slope_check(config, 2.0).passed


def test_slope_rejects_a_wrong_swap(monkeypatch):
    FAULTS["swap_sign"](monkeypatch)
    config = parse_config(
        {
            "model": {"activation": "sin", "n_inputs": 16, "n_networks": 1},
            "tempering": {"beta_max": 2.0},
            "run": {"seed": 4},
        }
    )
    assert not slope_check(config, 2.0).passed


@pytest.mark.parametrize("kernel", ["hmc", "langevin"])
def test_float32_positions_stay_on_the_sphere(kernel):
    """Re-projection keeps |x|^2 = N_0 and p tangent to float32 rounding, over a thousand steps without refreshing x."""
    config = parse_config(
        {
            "model": {"activation": "sin", "n_inputs": 32, "n_networks": 2},
            "sampler": {"kernel": kernel, "step_size": 0.1, "n_leapfrog": 20},
            "tempering": {"betas": [1.0, 1.5]},
        }
    )
    simulation = Simulation.start(config, torch.device("cpu"))
    for _ in range(1000):
        simulation.advance()
    (chains,) = simulation.chains
    assert ((chains.x**2).sum(-1) / 32 - 1).abs().max() < 5e-6
    if chains.momentum is not None:
        assert ((chains.x * chains.momentum).sum(-1) / 32).abs().max() < 5e-6
    assert torch.allclose(chains.energy, simulation.system.energy(chains.x), atol=1e-4)


@pytest.mark.parametrize("activation", ["sin", "tanh"])
def test_quickstart_agrees_with_replica_symmetry(tmp_path, activation):
    """The promise of the README: |n_sigma| < 3 at every beta <= 2, with sigma(e) <= 0.01."""
    config = load_config("runs/quickstart.toml", [f"model.activation={activation}", "run.n_sweeps=1000"])
    run(config, tmp_path / "run", is_quiet=True)
    comparison = compare_with_theory(read_run(tmp_path / "run"))
    assert {prediction.phase for prediction in comparison.predictions} == {"RS"}
    checked = 0
    for match in comparison.matches:
        if match.beta <= 2 and "width" not in match.observable:
            bound = t.isf(norm.sf(3), match.measured.n_networks - 1)
            assert match.distance <= bound, f"{match.observable} at beta {match.beta}: {match.n_sigma}"
            if match.observable == "energy_density":
                assert match.measured.stderr <= 0.01
                checked += 1
    assert checked >= 5
    assert math.isclose(comparison.data.beta[-1], 4.0)
