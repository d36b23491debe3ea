"""The annealed bound: an extremum found by brute force, sampled exactly where it can be, and Phi below it."""

import math

import numpy as np
import pytest

from mcmc.errors import UsageError
from mcmc.theory.annealed import annealed_free_entropy
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs

Z = np.linspace(-12, 12, 4001)
WEIGHTS = np.exp(-Z * Z / 2) / np.exp(-Z * Z / 2).sum()


def single(phi, variance, tilt):
    """log E exp(tilt phi^2/2) and the tilted <phi^2>."""
    square = phi(math.sqrt(variance) * Z) ** 2
    top = tilt * square.max() / 2
    weight = WEIGHTS * np.exp(tilt * square / 2 - top)
    return top + math.log(weight.sum()), float(weight @ square / weight.sum())


def scanned(phi, beta, sigma_w, alpha):
    """The maximum over the tilt of the first of two layers, on a grid."""
    best = -math.inf
    for tilt in np.linspace(0, 1.5 * beta**2 / alpha[0] + 1, 1500):
        log_z, r = single(phi, sigma_w[0] ** 2, tilt)
        inner = alpha[0] * (log_z - tilt * r / 2)
        best = max(best, inner + alpha[1] * single(phi, sigma_w[1] ** 2 * r, beta**2 / alpha[1])[0])
    return best


@pytest.mark.parametrize("beta", [0.5, 4.0, 16.0])
@pytest.mark.parametrize(("sigma_w", "alpha"), [((1.0, 1.0), (1.0, 1.0)), ((2.0, 0.6), (0.5, 3.0))])
@pytest.mark.parametrize(("name", "phi"), [("tanh", np.tanh), ("sin", np.sin)])
def test_two_layers_by_a_scan(name, phi, beta, sigma_w, alpha):
    model = TheoryModel.build(name, depth=2, sigma_w=sigma_w, width_ratios=alpha)
    bound, scan = annealed_free_entropy(model, beta), scanned(phi, beta, sigma_w, alpha)
    assert scan <= bound + 1e-9
    assert bound == pytest.approx(scan, rel=1e-5)


def test_one_layer_is_exact_at_any_width():
    """E Z = E exp(beta^2 N_0 |a|^2 / (2 N_1)) over one Gaussian layer: the product of its units."""
    model = TheoryModel.build("tanh", sigma_w=1.5, width_ratios=0.6)
    log_z, _ = single(np.tanh, 1.5**2, 3.0**2 / 0.6)
    assert annealed_free_entropy(model, 3.0) == pytest.approx(0.6 * log_z, rel=1e-10)


def test_unbounded_activations():
    """relu, L = 1: alpha log [ 1/2 + 1/2 (1 - beta^2 sigma_w^2/alpha)^(-1/2) ], then infinity; L = 2: infinity."""
    relu = TheoryModel.build("relu", sigma_w=math.sqrt(2), width_ratios=3.0)
    wanted = 3 * math.log(0.5 + 0.5 / math.sqrt(1 - 2 / 3))
    assert annealed_free_entropy(relu, 1.0) == pytest.approx(wanted, rel=1e-12)
    assert annealed_free_entropy(relu, 1.3) == math.inf
    assert annealed_free_entropy(TheoryModel.build("relu", depth=2), 0.1) == math.inf
    assert annealed_free_entropy(TheoryModel.build("relu", depth=2), 0.0) == 0


@pytest.mark.parametrize(
    ("model", "beta"),
    [
        (TheoryModel.build("tanh", depth=2, sigma_w=1.5, width_ratios=(2.0, 0.5)), 3.0),
        (TheoryModel.build("sin", depth=3), 1.0),
        (TheoryModel.build("relu", width_ratios=8.0), 2.0),
        (TheoryModel.build("linear", width_ratios=8.0), 2.0),
    ],
    ids=["tanh", "sin", "relu", "linear"],
)
def test_replica_symmetric_phi_is_below(model, beta):
    assert solve_rs(model, beta).free_entropy_density < annealed_free_entropy(model, beta) < math.inf


def test_it_is_nearly_reached_at_high_temperature():
    model = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
    assert 0 < annealed_free_entropy(model, 1.0) - solve_rs(model, 1.0).free_entropy_density < 0.02


def test_negative_beta_is_refused():
    with pytest.raises(UsageError, match="beta >= 0, found -1"):
        annealed_free_entropy(TheoryModel.build("sin"), -1.0)
