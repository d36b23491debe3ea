"""`verify` passes on sound samplers, and fails on each of those that are wrong in one place."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm, t

from mcmc.compare import verify
from mcmc.compare.check import N_SIGMA, replica_check, statistical_check
from mcmc.compare.verify import verify_config
from mcmc.systems.mlp.energy import MlpSystem
from tests.support.broken import FAULTS
from tests.support.runs import small_config

CONFIG = {
    "model": {"n_networks": 2, "sigma_w": 1.2},
    "sampler": {"kernel": "mala", "step_size": 0.7},
    "tempering": {"beta_max": 2.5, "n_temperatures": 3},
    "run": {"dtype": "float64"},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Less than half of the draws of the command: the faults are large enough."""
    monkeypatch.setattr(verify, "N_BURN_IN", 60)
    monkeypatch.setattr(verify, "N_DRAWS", 120)


def failed(checks):
    return [check.name for check in checks if not check.passed]


@pytest.mark.parametrize(
    "sections",
    [
        CONFIG,
        {"model": {"activation": "relu", "sigma_b": 0.5, "n_networks": 2}, "sampler": {"kernel": "random_walk"}},
        {"model": {"width_ratios": [1.5, 0.5], "n_networks": 2}, "sampler": {"n_leapfrog": [1, 2, 3, 4]}},
    ],
    ids=["mala", "relu", "deep"],
)
def test_sound_samplers_pass(sections):
    checks = verify_config(small_config(**sections))
    assert failed(checks) == []
    names = " ".join(check.name for check in checks)
    for check in (
        "layers: <ln det Sigma_2>",
        "gradient",
        "circle: <e>",
        "sphere: Var e",
        "sphere: <q>",
        "linear: <e>",
        "uniform",
        "identity A",
    ):
        assert check in names
    assert ("float32" in names) == (sections is not CONFIG)
    assert any(check.name.startswith("slope of log P ratio") for check in checks)
    statistical = [c for c in checks if not c.name.startswith(("gradient", "precision"))]
    assert len(statistical) >= 22
    assert np.mean([c.n_sigma**2 for c in statistical]) == pytest.approx(1.0, abs=1.0), "errors are what they say"


@pytest.mark.parametrize(
    "fault", ["correction_times_beta", "swap_sign", "stale_energy_after_swap", "accept_everything"]
)
def test_fault_is_caught(fault, monkeypatch):
    FAULTS[fault](monkeypatch)
    assert len(failed(verify_config(small_config(**CONFIG)))) >= 3


def test_wrong_gradient_is_caught(monkeypatch):
    """Not exact laws but the force itself: Metropolis would hide a force that is a little wrong."""
    true = MlpSystem.energy_and_grad

    def force(self, x):
        energy, grad = true(self, x)
        return energy, 1.001 * grad

    monkeypatch.setattr(MlpSystem, "energy_and_grad", force)
    check = verify._gradient(small_config(**CONFIG))
    assert not check.passed
    assert check.measured == pytest.approx(1e-3, rel=0.1)


def test_lost_precision_is_caught(monkeypatch):
    """Weights so large that float32 spoils beta dH; the same in float64 has no such row."""
    config = small_config(model={"activation": "relu", "sigma_w": 3000.0, "width_ratios": [1.0, 1.0]})
    check = verify._precision(config)
    assert not check.passed
    assert check.measured > 0.01


def test_idle_replicas_fail():
    """Values without scatter are no evidence."""
    check = replica_check("idle", np.zeros((5, 8)), 0.0)
    assert not check.passed
    assert check.n_sigma == math.inf
    json.dumps(check.to_json())


@pytest.mark.parametrize("n", [4, 64])
def test_bound_is_that_of_students_t(n):
    bound = t.isf(norm.sf(N_SIGMA), n - 1)
    assert statistical_check("x", 0.99 * bound, 1.0, 0.0, n).passed
    assert not statistical_check("x", 1.01 * bound, 1.0, 0.0, n).passed
    assert not statistical_check("x", -1.01 * bound, 1.0, 0.0, n).passed


def test_slope_of_two_gaussians():
    """Energies of two Gaussians of the same width, apart by exactly what an inverse temperature makes: slope known."""
    rng = np.random.default_rng(0)
    hot, cold = rng.normal(0.0, 2.0, 200_000), rng.normal(-2.0, 2.0, 200_000)
    assert verify._logistic_slope(hot, cold) == pytest.approx(2.0 / 4.0, abs=5e-3)
