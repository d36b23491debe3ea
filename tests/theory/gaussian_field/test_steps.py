"""RS and k-step solutions against closed equations, finite differences and an independent sum for Phi."""

import math

import numpy as np
import pytest

import mcmc.theory.gaussian_field.measure as measure_module
import mcmc.theory.gaussian_field.stationarity as stationarity
from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.segment_functions import h1, h2
from mcmc.theory.gaussian_field.solve import solve
from mcmc.theory.gaussian_field.steps import gradient
from mcmc.theory.linear import solve_linear
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from tests.theory.gaussian_field.cases import PHASES, p_spin, solved
from tests.theory.gaussian_field.reference import (
    k_step_energy,
    k_step_free_entropy,
    pure_p_one_step,
    pure_p_static_temperature,
)

CASES = [pytest.param(xi, beta, id=name) for name, (xi, beta, _) in PHASES.items()]
BROKEN_CASES = [pytest.param(xi, beta, id=name) for name, (xi, beta, phase) in PHASES.items() if phase != "RS"]


def measure_of(xi, beta, levels, points):
    problem = FieldProblem(xi, beta)
    plateaus = np.array(points) / problem.temperature
    return ParisiMeasure.from_atoms(problem, levels[:-1], plateaus, (1 - levels[-1]) / problem.temperature)


def test_segment_functions():
    y = np.array([-0.5, -0.02, -1e-9, 1e-12, 0.0199, 0.02, 0.3, 0.99])
    np.testing.assert_allclose(h1(y), -np.log1p(-y) / y, rtol=1e-13)
    assert h2(np.array(0.0)) == 0.5
    for value in (0.0199, 0.0201, 0.4):
        series = sum(value**n / (n + 2) for n in range(400))
        assert h2(np.array(value)) == pytest.approx(series, rel=1e-14)


@pytest.mark.parametrize(("xi", "beta"), CASES)
def test_free_entropy_and_energy_of_any_staircase(xi, beta):
    levels, points = [0.1, 0.35, 0.6, 0.9], [0.2, 0.25, 0.8]
    measure = measure_of(xi, beta, levels, points)
    assert measure.free_entropy_density == pytest.approx(k_step_free_entropy(xi, beta, levels, points), rel=1e-12)
    assert measure.energy_density == pytest.approx(k_step_energy(xi, beta, levels, points), rel=1e-12)


def test_gradient_by_finite_differences():
    problem = FieldProblem(p_spin("0.2*q + 0.5*q**3"), 2.0)
    u = np.array([0.15, 0.5, 0.3, 0.7, 0.5])

    def measure(v):
        return ParisiMeasure.from_atoms(problem, v[:2], v[2:4], v[4])

    exact = gradient(measure(u))
    h = 1e-6
    for i, direction in enumerate(np.eye(5) * h):
        rise = measure(u + direction).scaled_free_entropy - measure(u - direction).scaled_free_entropy
        assert exact[i] == pytest.approx(rise / (2 * h), abs=1e-9)


@pytest.mark.parametrize(("xi", "beta"), CASES)
def test_equal_levels_are_replica_symmetric(xi, beta):
    rs = solve(xi, beta, ansatz="rs")
    (q,) = rs.overlap[0]
    for points in ([0.3], [0.1, 0.9]):
        merged = measure_of(xi, beta, [q] * (len(points) + 1), points)
        assert merged.free_entropy_density == pytest.approx(rs.free_entropy_density, abs=1e-10)
    # x -> 0: the upper level alone counts; x -> 1: the lower one
    above, below = 0.5 * (1 + q), q * 0.5
    for levels, x in (([below, q], 1e-13), ([q, above], 1 - 1e-13)):
        assert measure_of(xi, beta, levels, [x]).free_entropy_density == pytest.approx(
            rs.free_entropy_density, abs=1e-10
        )


@pytest.mark.parametrize("share", [0.99, 0.85, 0.3])
@pytest.mark.parametrize("p", [3, 4])
def test_pure_p_spin_of_the_textbook(p, share):
    beta = 1 / (share * pure_p_static_temperature(p))
    q1, x = pure_p_one_step(p, beta)
    solution = solve(p_spin(f"0.5*q**{p}"), beta, ansatz="1rsb")
    assert solution.overlap[0][0] == 0
    assert solution.overlap[0][1] == pytest.approx(q1, abs=1e-12)
    assert solution.breaking_points[0] == pytest.approx(x, abs=1e-12)
    assert solution.replicon == pytest.approx(1 - beta**2 * (1 - q1) ** 2 * p * (p - 1) / 2 * q1 ** (p - 2), abs=1e-12)
    assert solution.stable


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_linear_covariance_is_the_linear_network(beta):
    exact = solve_linear(TheoryModel.build("linear"), beta)
    solution = solve(p_spin("q"), beta)
    assert solution.ansatz == "rs"
    assert solution.overlap[0][0] == pytest.approx(exact.overlap[0], abs=1e-14)
    assert solution.free_entropy_density == pytest.approx(exact.free_entropy_density, abs=1e-13)
    assert solution.energy_density == pytest.approx(exact.energy_density, abs=1e-13)
    if beta == 1.0:
        assert round(solution.free_entropy_density, 6) == 0.377428


def test_spherical_two_spin_is_marginal_below_its_transition():
    for beta in (1.2, 2.0, 50.0):
        solution = solve(p_spin("0.5*q**2"), beta)
        assert solution.ansatz == "rs"
        assert solution.overlap[0][0] == pytest.approx(1 - 1 / beta, abs=1e-12)
        assert solution.replicon == pytest.approx(0, abs=1e-10)
        assert solution.stable
    assert solve(p_spin("0.5*q**2"), 0.9).overlap[0] == (0.0,)


def test_finite_widths_approach_this_limit_like_one_over_alpha():
    limit = solve(NetworkCovariance.build("sin"), 2.0, ansatz="rs")
    differences = []
    for alpha in (30.0, 300.0):
        finite = solve_rs(TheoryModel.build("sin", width_ratios=alpha), 2.0)
        differences.append(
            [
                finite.overlap[0] - limit.overlap[0][0],
                finite.overlap[1] - limit.overlap[1][0],
                finite.free_entropy_density - limit.free_entropy_density,
                finite.energy_density - limit.energy_density,
                finite.pivots[-1] - limit.replicon,
            ]
        )
    ratio = np.divide(*differences)
    np.testing.assert_allclose(ratio, 10, rtol=0.15)
    assert np.max(np.abs(differences[1])) < 5e-3


def assert_stationary(xi, beta, k):
    """dPhi/dx_i = 0 and dPhi/dq_i = 0, with Phi from the independent sum."""
    solution = solve(xi, beta, ansatz="krsb", n_steps=k)
    levels, points = np.array(solution.overlap[0]), np.array(solution.breaking_points)
    h = 1e-3 * min(float(np.min(np.diff(levels))), 1 - levels[-1])
    for i in range(k):
        for array, step in ((points, 1e-3 * min(points[0], 1 - points[-1])), (levels[1:], h)):
            moved = {}
            for n in (-2, -1, 1, 2):
                array[i] += n * step
                moved[n] = k_step_free_entropy(xi, beta, levels, points)
                array[i] -= n * step
            slope = (8 * (moved[1] - moved[-1]) - (moved[2] - moved[-2])) / (12 * step)
            assert slope == pytest.approx(0, abs=1e-14 * (1 + abs(moved[1])) / step)
    assert k_step_free_entropy(xi, beta, levels, points) == pytest.approx(solution.free_entropy_density, rel=1e-12)


@pytest.mark.parametrize(("xi", "beta"), BROKEN_CASES)
def test_one_step_is_stationary_in_everything(xi, beta):
    assert_stationary(xi, beta, 1)


def test_three_steps_are_stationary_in_everything():
    assert_stationary(p_spin("0.5*q**2 + 0.04*q**4"), 2.0, 3)
    assert_stationary(p_spin("0.1*q + 0.5*q**2 + 0.04*q**4"), 4.0, 2)


def test_a_wrong_stationarity_equation_is_caught(monkeypatch):
    monkeypatch.setattr(stationarity, "h2", lambda y: 1.001 * h2(y))
    with pytest.raises((AssertionError, ConvergenceError)):
        assert_stationary(p_spin("0.5*q**3"), 1.8, 1)


def assert_slope_is_energy(xi, beta, **ansatz):
    """dPhi/dbeta = -e by central differences."""
    h = 3e-4 * beta
    rise = solve(xi, beta + h, **ansatz).free_entropy_density - solve(xi, beta - h, **ansatz).free_entropy_density
    assert rise / (2 * h) == pytest.approx(-solve(xi, beta, **ansatz).energy_density, rel=5e-7)


@pytest.mark.parametrize(
    "ansatz",
    [{"ansatz": "rs"}, {"ansatz": "1rsb"}, {"ansatz": "krsb", "n_steps": 2}, {"ansatz": "auto"}],
    ids=lambda a: a["ansatz"],
)
@pytest.mark.parametrize(("xi", "beta"), CASES)
def test_slope_of_the_free_entropy_is_the_energy(xi, beta, ansatz):
    assert_slope_is_energy(xi, beta, **ansatz)


def test_an_energy_off_by_a_millionth_is_caught(monkeypatch):
    energy = measure_module.ParisiMeasure.energy_density.fget
    monkeypatch.setattr(
        measure_module.ParisiMeasure, "energy_density", property(lambda self: energy(self) * (1 + 1e-6))
    )
    with pytest.raises(AssertionError):
        assert_slope_is_energy(p_spin("0.5*q**3"), 1.8, ansatz="1rsb")


@pytest.mark.parametrize("name", [name for name, (_, _, phase) in PHASES.items() if phase != "RS"])
def test_free_entropy_falls_with_every_step(name):
    xi, beta, _ = PHASES[name]
    exact = solved(name)
    rows = solve(xi, beta, ansatz="krsb", n_steps=4).evidence["ladder"]
    phi = [row["free_entropy_density"] for row in rows]
    assert np.all(np.diff(phi) < 0)
    assert phi[-1] >= exact.free_entropy_density - 1e-12
    for row in rows:  # the bound holds for every number of steps
        missing = row["free_entropy_density"] - exact.free_entropy_density
        assert missing <= row["optimality_gap"] + 1e-12


def test_twenty_steps_of_a_full_breaking():
    xi = p_spin("0.5*q**2 + 0.04*q**4")
    solution = solve(xi, 2.0, ansatz="krsb", n_steps=20)
    assert solution.n_steps == 20
    assert solution.residual < 1e-12
    replicons = [row["replicon"] for row in solution.evidence["ladder"]]
    assert np.all(np.diff(replicons) > 0), "the innermost replicon rises towards 0"
    assert -5e-5 < replicons[-1] < 0
    assert not solution.stable


def test_steps_that_are_not_needed_are_copies_without_weight():
    solution = solve(p_spin("0.5*q**3"), 1.8, ansatz="krsb", n_steps=3)
    assert solution.ansatz == "3rsb"
    assert len(solution.evidence["ladder"]) == 2
    assert solution.weights[2:] == (0.0, 0.0)
    assert solution.free_entropy_density == solve(p_spin("0.5*q**3"), 1.8).free_entropy_density


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"beta": -1.0}, "beta >= 0, found -1"),
        ({"beta": math.nan}, "found nan"),
        ({"beta": math.inf}, "use ground_state"),
        ({"beta": 1.0, "ansatz": "2rsb"}, "unknown ansatz '2rsb'"),
        ({"beta": 1.0, "ansatz": "krsb"}, "n_steps=None"),
        ({"beta": 1.0, "ansatz": "rs", "n_steps": 2}, "the others take none"),
    ],
)
def test_bad_requests(arguments, why):
    with pytest.raises(UsageError, match=why):
        solve(p_spin("0.5*q**3"), **arguments)


def test_a_solution_that_is_not_stationary_is_not_handed_out(monkeypatch):
    monkeypatch.setattr(stationarity, "TOL", 0.0)
    monkeypatch.setattr(stationarity, "_tolerance", lambda measure, tol: -1.0)
    with pytest.raises(ConvergenceError, match=r"1-step solution at beta=1.8: residual .*neighbouring beta") as caught:
        solve(p_spin("0.5*q**3"), 1.8, ansatz="1rsb")
    assert caught.value.beta == 1.8
    assert caught.value.residual >= 0


@pytest.mark.parametrize("beta", [1e-6, 1e-3, 1e3, 1e6])
def test_extreme_temperatures(beta):
    for xi in (NetworkCovariance.build("sin", sigma_w=2.0), p_spin("0.5*q**2 + 0.04*q**4")):
        solution = solve(xi, beta)
        assert solution.evidence["is_equilibrium"]
        assert math.isfinite(solution.free_entropy_density)
