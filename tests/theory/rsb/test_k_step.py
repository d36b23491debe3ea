"""Solutions with optimised breaking points, against identities and independent evaluations."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory.annealed import annealed_free_entropy
from mcmc.theory.broken import to_json_record
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature, gauss_hermite_rule
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb import RsbGrid, solve_at, solve_k_step
from mcmc.theory.rsb.equations import Unknowns, energy, forward_pass, free_entropy
from mcmc.theory.rsb.fixed_breaking import KStepSolver, split_start
from mcmc.theory.rsb.k_step import grid_errors
from tests.theory.rsb import nested

JUMP = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)  # discontinuous: 1RSB at beta = 3
SMOOTH = TheoryModel.build("sin")  # breaks continuously, beta = 8
RELU = TheoryModel.build("relu", sigma_w=math.sqrt(2))


@pytest.fixture(scope="module")
def jump():
    return solve_k_step(JUMP, 3.0, 1)


@pytest.fixture(scope="module")
def steps():
    return [solve_k_step(SMOOTH, 8.0, k) for k in (1, 2, 3)]


def nested_phi(solution, x):
    """Phi of the test's own quadratures at the levels of a solution and a breaking point x."""
    return nested.free_entropy(np.sin, 3.0, alpha=8.0, sigma_w=2.0, q=solution.overlap[0], x=x)


def test_a_discontinuous_solution_has_a_large_jump_and_a_stable_replicon(jump):
    assert jump.overlap[0][1] - jump.overlap[0][0] > 0.5
    assert jump.stable
    assert jump.replicon == pytest.approx(0.18712, abs=2e-5)
    assert jump.breaking_points[0] == pytest.approx(0.68167, abs=2e-5)
    assert jump.free_entropy_density < solve_rs(JUMP, 3.0).free_entropy_density - 0.02


def test_phi_and_its_stationarity_in_x_by_nested_quadrature(jump):
    x, step = jump.breaking_points[0], 1e-3
    assert nested_phi(jump, x) == pytest.approx(jump.free_entropy_density, abs=2e-7)
    slope = (nested_phi(jump, x + step) - nested_phi(jump, x - step)) / (2 * step)
    assert slope == pytest.approx(0, abs=2e-6)


def test_a_breaking_point_off_its_optimum_fails_the_same_test(jump):
    x, step = jump.breaking_points[0] + 0.02, 1e-3
    slope = (nested_phi(jump, x + step) - nested_phi(jump, x - step)) / (2 * step)
    assert slope != pytest.approx(0, abs=2e-4)


def test_phi_is_minimal_over_the_breaking_point(jump):
    for x in (jump.breaking_points[0] - 0.05, jump.breaking_points[0] + 0.05):
        with_x = solve_at(JUMP, 3.0, (x,))
        q = with_x.result.overlap[0]
        assert nested.free_entropy(np.sin, 3.0, alpha=8.0, sigma_w=2.0, q=q, x=x) > jump.free_entropy_density + 1e-5


def test_phi_decreases_with_the_number_of_steps(steps):
    phi = [solve_rs(SMOOTH, 8.0).free_entropy_density, *(s.free_entropy_density for s in steps)]
    assert all(b < a - 1e-8 for a, b in pairwise(phi))
    np.testing.assert_allclose(phi[1:], [3.79767072, 3.79766639, 3.79766604], atol=2e-8)


def test_phi_of_every_number_of_steps_is_below_the_annealed_bound(steps, jump):
    assert max(s.free_entropy_density for s in steps) < annealed_free_entropy(SMOOTH, 8.0)
    assert jump.free_entropy_density < annealed_free_entropy(JUMP, 3.0)


def test_every_replicon_is_negative_and_shrinks_with_the_number_of_steps(steps):
    lowest = [max(s.evidence["level_pivots"]) for s in steps]
    assert all(value < 0 for value in lowest)
    assert all(abs(b) < 0.6 * abs(a) for a, b in pairwise(lowest))
    assert not any(s.stable for s in steps)


@pytest.mark.parametrize("k", [1, 2])
def test_energy_is_minus_the_derivative_of_phi(k, steps):
    h = 0.02
    low, high = (solve_k_step(SMOOTH, 8.0 + s * h, k).free_entropy_density for s in (-1, 1))
    assert -(high - low) / (2 * h) == pytest.approx(steps[k - 1].energy_density, abs=2e-6)


def test_both_energies_agree_within_the_error(jump, steps):
    for s in (jump, *steps):
        assert abs(s.energy_density - s.evidence["energy_density_readout"]) <= s.energy_error < 1e-7


def test_breaking_points_are_stationary_with_many_digits(steps):
    for s in steps:
        assert max(map(abs, s.evidence["dphi_dx"])) < 1e-7


def test_solutions_are_followed_from_a_neighbour():
    one = solve_at(SMOOTH, 8.0, (0.34,))
    assert solve_k_step(SMOOTH, 8.2, 1, start=one).breaking_points[0] == pytest.approx(0.332, abs=0.004)


def test_the_error_of_a_coarse_grid_is_seen():
    coarse = RsbGrid(resolution=0.7)
    rough = solve_k_step(SMOOTH, 8.0, 1, grid=coarse)
    exact = solve_k_step(SMOOTH, 8.0, 1).free_entropy_density
    assert rough.free_entropy_error > 1e-8
    assert abs(rough.free_entropy_density - exact) < 3 * rough.free_entropy_error


def test_the_error_of_41_gauss_hermite_points_at_low_temperature_is_seen():
    grid = RsbGrid(quadrature=Quadrature(y_rule=lambda field_std: gauss_hermite_rule(41)))
    solver = KStepSolver(SMOOTH, 16.0, grid=grid)
    point = solver.solve((0.17,), split_start(solve_rs(SMOOTH, 16.0), 2, 0.6))
    phi, e = free_entropy(SMOOTH, point.result), energy(16.0, point.result)
    assert max(grid_errors(solver, point, phi, e)) > 1e-3


def test_a_grid_that_does_not_hold_the_measure_is_refused():
    with pytest.raises(QuadratureError, match="adds up to 1 only within") as caught:
        solve_k_step(SMOOTH, 8.0, 1, grid=RsbGrid(resolution=1.2, quadrature=Quadrature(y_step=0.6)))
    assert caught.value.residual > 1e-7


def test_relu_is_replica_symmetric_until_its_replicon_turns_negative():
    with pytest.raises(ConvergenceError, match=r"1-step RSB at beta=6.*Replica symmetry holds") as caught:
        solve_k_step(RELU, 6.0, 1)
    assert caught.value.beta == 6.0


def test_wrong_requests_are_refused():
    with pytest.raises(UsageError, match="beta > 0"):
        solve_k_step(SMOOTH, -1.0, 1)
    with pytest.raises(UsageError, match="at least one step"):
        solve_k_step(SMOOTH, 8.0, 0)
    with pytest.raises(UsageError, match="breaking points"):
        solve_at(SMOOTH, 8.0, (0.6, 0.3))


def test_an_undefined_average_names_beta_and_layer():
    with pytest.raises(QuadratureError, match=r"1-step RSB at beta=2, layer 1: .* does not exist") as caught:
        forward_pass(
            TheoryModel.build("relu", depth=2), 2.0, Unknowns((0.2, 0.3), (((0.1, 0.2), 5.0),)), (0.5,), RsbGrid()
        )
    assert (caught.value.beta, caught.value.layer) == (2.0, 1)


def test_the_record_is_valid_json(jump):
    record = json.loads(json.dumps(to_json_record(jump), allow_nan=False))
    assert record["ansatz"] == "1rsb"
    assert len(record["overlap"][0]) == len(record["breaking_points"]) + 1 == 2
