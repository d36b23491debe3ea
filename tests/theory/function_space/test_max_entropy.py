"""Perturbations of maximal entropy against published numbers, direct maximisation and dynamic programming."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from mcmc.errors import UsageError
from mcmc.theory.function_space.max_entropy import (
    branch_end,
    max_entropy_continuous,
    perturbation_at_inverse_temperature,
    shoot,
)
from mcmc.theory.function_space.max_entropy_binary import (
    alignment_error,
    dynamic_programming,
    interior_solutions,
    max_entropy_binary,
)
from mcmc.theory.function_space.overlap import overlap_profile, perturbation_of_overlap

CONTINUOUS = [
    (0.05, (2.52e-8, 1.2665e-4, 0.006823, 0.040719), -8.66482),
    (0.10, (6.29e-6, 0.0020018, 0.027145, 0.082432), -6.07297),
    (0.20, (0.001451, 0.030393, 0.10689, 0.17368), -3.50387),
    (0.30, (0.030577, 0.13955, 0.23908, 0.28825), -2.03294),
    (0.40, (0.22503, 0.38296, 0.44233, 0.46164), -1.01001),
]
BINARY = [
    (0.10, (0, 0, 0, 0.02447), 0.028741),
    (0.20, (0, 0, 0, 0.09549), 0.078766),
    (0.30, (0, 0, 0, 0.20611), 0.127188),
    (0.35, (0, 0, 0.08219, 0.13956), 0.172065),
    (0.40, (0, 0, 0.15305, 0.18352), 0.226165),
    (0.44, (0, 0.09908, 0.14856, 0.15725), 0.294587),
    (0.49, (0.19408, 0.21446, 0.21690, 0.21721), 0.514548),
]


@pytest.mark.parametrize(("error", "eta", "entropy"), CONTINUOUS)
def test_continuous_weights(error, eta, entropy):
    found = max_entropy_continuous(error, 4)
    assert found.perturbation == pytest.approx(eta, rel=6e-4, abs=5.1e-6)
    assert found.entropy_density == pytest.approx(entropy, abs=5.1e-6)


@pytest.mark.parametrize(("error", "flips", "entropy"), BINARY)
def test_binary_weights(error, flips, entropy):
    found = max_entropy_binary(error, 4)
    assert found.perturbation == pytest.approx(flips, abs=5.1e-6)
    assert found.entropy_density == pytest.approx(entropy, abs=5.1e-7)


@pytest.mark.parametrize("solve", [max_entropy_continuous, max_entropy_binary])
@pytest.mark.parametrize("error", [1e-3, 0.12, 0.37, 0.47, 0.4999])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_recursion_returns_the_error(solve, error, depth):
    weights = "continuous" if solve is max_entropy_continuous else "binary"
    found = solve(error, depth)
    profile = overlap_profile(weights, found.perturbation)
    assert found.error == pytest.approx(error, rel=1e-9)
    assert profile.error == pytest.approx(error, abs=1e-9)
    assert profile.overlap == pytest.approx(found.overlap, abs=1e-9)


@pytest.mark.parametrize("solve", [max_entropy_continuous, max_entropy_binary])
@pytest.mark.parametrize("error", [0.15, 0.36, 0.45])
def test_conjugate_is_the_slope_of_the_entropy(solve, error):
    step = 1e-5
    slope = 4 * (solve(error + step, 4).entropy_density - solve(error - step, 4).entropy_density) / (2 * step)
    assert solve(error, 4).conjugate == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("error", [0.2, 0.33, 0.45])
def test_continuous_weights_by_direct_maximisation(error):
    """Nelder-Mead over the free overlaps, from a start that knows nothing of the solution."""

    def cost(logits):
        shares = 1 / (1 + np.exp(-logits))  # delta_{l-1} as a share of what delta_l allows
        deltas = [error]
        for share in shares:
            deltas.append(share * math.sin(math.pi * deltas[-1] / 2) ** 2)
        eta = perturbation_of_overlap("continuous", 1 - 2 * np.array(deltas[::-1]))
        return -float(np.sum(np.log(eta)))

    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000}
    best = minimize(cost, [0.0, 0.0], method="Nelder-Mead", options=options)
    assert -best.fun / 3 == pytest.approx(max_entropy_continuous(error, 3).entropy_density, abs=1e-9)


@pytest.mark.parametrize("error", [0.05, 0.299, 0.303, 0.38, 0.416, 0.419, 0.46, 0.468, 0.49])
def test_binary_weights_by_dynamic_programming(error):
    """The grid maximum is a lower bound and close: no chain of overlaps, corner or not, does better."""
    found = max_entropy_binary(error, 4)
    bound, flips = dynamic_programming(error, 4)
    assert bound <= found.entropy_density + 1e-12
    assert bound == pytest.approx(found.entropy_density, abs=3e-5)
    assert np.count_nonzero(flips) == np.count_nonzero(found.perturbation)


@pytest.mark.parametrize(
    ("free_layers", "expected", "first"), [(2, 0.30153, 0.0294), (3, 0.41741, 0.0490), (4, 0.46562, 0.0625)]
)
def test_alignment_is_of_first_order(free_layers, expected, first):
    error = alignment_error(free_layers)
    assert error == pytest.approx(expected, abs=5.1e-6)
    below, above = max_entropy_binary(error - 1e-7, 4), max_entropy_binary(error + 1e-7, 4)
    layer = 4 - free_layers
    assert below.perturbation[layer] == 0
    assert above.perturbation[layer] == pytest.approx(first, abs=1e-4)
    assert above.entropy_density == pytest.approx(below.entropy_density, abs=1e-6)


def test_two_branches_at_the_alignment():
    """Of the two stationary points there, the smaller first flip is a minimum along the branch."""
    found = interior_solutions(alignment_error(4) + 1e-3, 4)
    assert len(found) == 2


def test_small_errors_follow_the_asymptote():
    """eta_l^2 = pi^2 delta_l^2/(2^l-1) and L dS/d ln eps = 2^L-1."""
    found = max_entropy_continuous(1e-4, 4)
    delta = (1 - found.overlap[2:]) / 2
    assert found.perturbation[2:] == pytest.approx(math.pi * delta / np.sqrt([7, 15]), rel=1e-3)
    assert found.error * found.conjugate == pytest.approx(15, rel=1e-3)


@pytest.mark.parametrize(("depth", "expected"), [(1, 0.15354), (2, 0.24622)])
def test_gibbs_measure_of_perturbations(depth, expected):
    point = perturbation_at_inverse_temperature(6.0, depth)
    assert point.error == pytest.approx(expected, abs=5.1e-6)
    assert point.conjugate == pytest.approx(6.0 * depth, rel=1e-10)
    if depth == 1:
        assert math.tan(math.pi * point.error) == pytest.approx(math.pi / 6, rel=1e-10)


def test_nothing_is_learnt_at_high_temperature():
    assert perturbation_at_inverse_temperature(0.5, 3) is None
    assert perturbation_at_inverse_temperature(50.0, 3) is not None


def test_end_of_the_branch_is_where_the_load_is_smallest():
    def log_load(first):
        point = shoot(first, 3)
        return math.log(point.conjugate * (1 - point.error))

    end = branch_end(log_load, 3)
    assert log_load(end) < min(log_load(end - 0.01), log_load(end + 0.01))


@pytest.mark.parametrize("solve", [max_entropy_continuous, max_entropy_binary])
@pytest.mark.parametrize(("error", "depth"), [(0.0, 2), (0.5, 2), (float("nan"), 2), (0.3, 0), (0.3, 99)])
def test_errors(solve, error, depth):
    with pytest.raises(UsageError, match="expected"):
        solve(error, depth)
