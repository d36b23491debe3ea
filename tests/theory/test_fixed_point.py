"""Anderson acceleration: where it must arrive, what it must survive, what it must report."""

import numpy as np
import pytest

from mcmc.errors import QuadratureError
from mcmc.theory.fixed_point import find_fixed_point

MATRIX = np.array(
    [[0.9, 0.3, 0.0], [-0.2, 0.5, 0.4], [0.0, 0.1, -2.5]]
)  # spectral radius 2.5: plain iteration diverges
OFFSET = np.array([1.0, -2.0, 0.5])


def affine(x):
    return MATRIX @ x + OFFSET, "payload"


def test_affine_map_is_solved_in_dimension_plus_two_evaluations():
    solution = find_fixed_point(affine, np.zeros(3), project=lambda x: x, tol=1e-12, max_iter=50)
    assert solution.converged
    assert solution.payload == "payload"
    assert solution.n_iter <= 6
    assert solution.x == pytest.approx(np.linalg.solve(np.eye(3) - MATRIX, OFFSET), abs=1e-10)


def test_not_converged_is_said():
    solution = find_fixed_point(affine, np.zeros(3), project=lambda x: x, tol=1e-12, max_iter=2)
    assert not solution.converged
    assert solution.n_iter == 2
    assert solution.residual > 1e-3


def test_steps_back_into_the_domain():
    """F(x) = 3 - log(x) is undefined at x <= 0, where the first steps land."""

    def step(x):
        if x[0] <= 0:
            raise QuadratureError("outside")
        return 0.2 - 3 * np.log(x), None

    solution = find_fixed_point(step, np.array([6.0]), project=lambda x: x, tol=1e-12, max_iter=100)
    assert solution.converged
    assert solution.x[0] == pytest.approx(0.2 - 3 * np.log(solution.x[0]), abs=1e-10)


def test_an_undefined_start_is_an_error():
    def step(x):
        raise QuadratureError("outside")

    with pytest.raises(QuadratureError):
        find_fixed_point(step, np.zeros(1), project=lambda x: x, tol=1e-12, max_iter=10)
