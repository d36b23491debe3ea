"""W_1 between laws: exact cases, a bootstrap error that is what it says, and no winner where there is none."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from mcmc.compare.distance import LawDistance, law_distance, wasserstein
from mcmc.compare.finite_size import OverlapKernel
from tests.support.broken_phase import ONE_STEP, THREE_LEVELS, WIDTH, run_with_law

EDGES = np.linspace(-1, 1, 2001)


def kernel(solution, width=WIDTH):
    levels = np.array(solution.overlap)
    return OverlapKernel(levels, np.array(solution.weights), np.full(levels.shape, width), "fitted")


def symmetric(mean, width):
    return OverlapKernel(np.full((2, 1), mean), np.ones(1), np.full((2, 1), width), "fitted")


def test_a_shift_is_its_own_distance():
    first, second = (symmetric(mean, 0.05).distribution(EDGES, 0) for mean in (0.1, 0.35))
    assert wasserstein(first, second, EDGES) == pytest.approx(0.25, abs=1e-6)
    assert wasserstein(first, first, EDGES) == 0.0


def test_against_scipy():
    """Levels without width, by another implementation."""
    one, three = (kernel(solution, width=1e-4).distribution(EDGES, 0) for solution in (ONE_STEP, THREE_LEVELS))
    exact = wasserstein_distance(ONE_STEP.overlap[0], THREE_LEVELS.overlap[0], ONE_STEP.weights, THREE_LEVELS.weights)
    assert wasserstein(one, three, EDGES) == pytest.approx(exact, abs=1e-3)


def test_distance_of_a_run_to_its_own_law():
    data = run_with_law(ONE_STEP)
    found = law_distance(data, -1, "1rsb", kernel(ONE_STEP), symmetric(0.28, 0.27))
    assert found.value < 1.5 * found.noise
    assert found.symmetric_value > 4 * found.value
    assert found.gain == pytest.approx(found.symmetric_value - found.value)
    assert found.is_better is True
    assert law_distance(data, -1, "1rsb", kernel(ONE_STEP), symmetric(0.28, 0.27)) == found, "the same digits again"


def test_the_error_is_that_of_other_networks():
    """A law far away: W_1 is the difference of the means, and its error the standard error of the mean."""
    data = run_with_law(ONE_STEP)
    found = law_distance(data, -1, "rs", symmetric(-0.9, 0.001), symmetric(-0.9, 0.001))
    per_network = data.overlap[:, :, -1, :, 0].mean((0, 2), dtype=np.float64)
    # a histogram of 40 bins knows a mean only to a share of its bins
    assert found.value == pytest.approx(per_network.mean() + 0.9, abs=0.02)
    assert found.stderr == pytest.approx(per_network.std() / np.sqrt(len(per_network)), rel=0.15)
    assert found.is_better is None


@pytest.mark.parametrize(
    ("gain", "gain_stderr", "noise", "answer"),
    [
        (0.05, 0.01, 0.02, True),
        (-0.05, 0.01, 0.02, False),
        (0.05, 0.03, 0.02, None),
        (0.0001, 0.00001, 0.007, None),  # two single peaks of the same fitted width
    ],
)
def test_nearer_means_by_more_than_errors_and_noise(gain, gain_stderr, noise, answer):
    distance = LawDistance(1.0, "1rsb", 0.04, 0.01, 0.04 + gain, 0.01, gain, gain_stderr, noise)
    assert distance.is_better is answer
    assert distance.to_json() == dataclasses.asdict(distance)
