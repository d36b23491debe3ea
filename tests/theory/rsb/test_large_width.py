"""Wide layers tend to a Gaussian field of covariance xi(q) = exp(-sigma_w^2) sinh(sigma_w^2 q), solved here afresh."""

import math

import numpy as np
import pytest
from scipy.optimize import fsolve

from mcmc.theory.model import TheoryModel
from mcmc.theory.rsb import solve_k_step

SIGMA, BETA = 2.0, 3.0


def xi(q):
    return math.exp(-(SIGMA**2)) * np.sinh(SIGMA**2 * q)


def d_xi(q):
    return SIGMA**2 * math.exp(-(SIGMA**2)) * np.cosh(SIGMA**2 * q)


def phi(q0, q1, x):
    """Crisanti and Sommers' Phi of one breaking point."""
    inner, outer = 1 - q1, 1 - q1 + x * (q1 - q0)
    sphere = np.log(inner) + np.log(outer / inner) / x + q0 / outer
    return 0.5 * (BETA**2 * (xi(1.0) - x * xi(q0) - (1 - x) * xi(q1)) + sphere)


def field_solution(start):
    """(q_0, q_1, x) where Phi is stationary."""

    def equations(values):
        q0, q1, x = values
        inner, outer = 1 - q1, 1 - q1 + x * (q1 - q0)
        h = 1e-6
        return [
            q0 / outer**2 - BETA**2 * d_xi(q0),
            (1 / inner - 1 / outer) / x - BETA**2 * (d_xi(q1) - d_xi(q0)),
            (phi(q0, q1, x + h) - phi(q0, q1, x - h)) / (2 * h),
        ]

    return fsolve(equations, start, xtol=1e-12)


def test_the_difference_to_the_gaussian_field_is_of_order_one_over_alpha():
    differences = []
    for alpha in (250.0, 1000.0):
        solution = solve_k_step(TheoryModel.build("sin", sigma_w=SIGMA, width_ratios=alpha), BETA, 1)
        limit = field_solution([*solution.overlap[0], solution.breaking_points[0]])
        assert limit[1] - limit[0] > 0.4
        ours = [*solution.overlap[0], *solution.breaking_points, solution.free_entropy_density]
        differences.append(np.array(ours) - np.array([*limit, phi(*limit)]))
    assert np.max(np.abs(differences[1])) < 0.02
    np.testing.assert_allclose(differences[0] / differences[1], 4, atol=0.4)


def test_phi_without_its_energetic_term_fails_the_same_comparison():
    solution = solve_k_step(TheoryModel.build("sin", sigma_w=SIGMA, width_ratios=1000.0), BETA, 1)
    (q0, q1), x = solution.overlap[0], solution.breaking_points[0]
    energetic = 0.5 * BETA**2 * (xi(1.0) - x * xi(q0) - (1 - x) * xi(q1))
    assert solution.free_entropy_density == pytest.approx(phi(q0, q1, x), abs=0.02)
    assert solution.free_entropy_density != pytest.approx(phi(q0, q1, x) - energetic, abs=0.02)
