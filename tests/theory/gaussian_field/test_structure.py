"""The exact order parameter: full RSB in closed form, its k-step limit, a brute-force minimum, and the certificate."""

import numpy as np
import pytest

from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field import solve as solve_module
from mcmc.theory.gaussian_field import structure
from mcmc.theory.gaussian_field.extrapolation import extrapolate_steps
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.potential import (
    ROUNDING,
    breaking,
    certify,
    potential,
    potential_slope,
    response,
)
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.replica_symmetric import solve_replica_symmetric
from mcmc.theory.gaussian_field.solve import solve
from mcmc.theory.gaussian_field.steps import solve_steps
from mcmc.theory.gaussian_field.support import phase_name, support_of
from tests.theory.gaussian_field.cases import PHASES, exact, p_spin, solved
from tests.theory.gaussian_field.reference import full_rsb_two_plus_four, k_step_energy, staircase_minimum


def test_infinite_temperature_is_one_atom_at_zero():
    solution = solve(p_spin("0.1*q + 0.5*q**2 + 0.04*q**4"), 0.0)
    evidence = solution.evidence
    assert (evidence["plateau"], evidence["worst_overlap"], evidence["optimality_gap"]) == (0.0, 0.0, 0.0)
    assert evidence["atoms"] == [[0.0, 1.0]]
    assert evidence["continuous_mass"] == 0.0
    assert (solution.overlap[0], solution.breaking_points) == ((0.0,), ())
    assert solution.free_entropy_density == solution.energy_density == solution.entropy_density == 0.0


@pytest.mark.parametrize("beta", [1e3, 1e4, 1e5, 1e6])
def test_rounding_of_the_potential_is_what_the_certificate_allows(beta):
    """f at neighbouring floats below q_EA, where it is flat and made of terms that cancel: all its scatter is rounding.

    At beta = 10^5 a smaller allowance accepts or refuses the solution by the number of threads of the BLAS.
    """
    xi = PHASES["continuous 1RSB"][0]
    measure = solve_steps(FieldProblem(xi, beta), 1)[-1].measure
    q = measure.lower[-1] - np.spacing(measure.lower[-1]) * np.arange(1, 200)
    scatter = np.ptp(potential(measure, q))
    assert 0.2 * ROUNDING < scatter < ROUNDING
    assert certify(measure).accepts()
    plateaus = measure.plateaus * (1 + 1e-6)  # and nothing but rounding is allowed
    assert not certify(ParisiMeasure.from_atoms(measure.problem, measure.lower[:-1], plateaus, measure.chi)).accepts()


@pytest.mark.parametrize("beta", [1.05, 2.0, 20.0])
def test_full_breaking_of_two_plus_four(beta):
    """x(q) = xi'''/(2 beta xi''^(3/2)) integrated by an independent quadrature."""
    q_ea, phi, e = full_rsb_two_plus_four(0.5, 0.04, beta)
    solution = solve(p_spin("0.5*q**2 + 0.04*q**4"), beta)
    assert solution.ansatz == "full"
    assert solution.evidence["plateau"] == pytest.approx(q_ea, abs=1e-11)
    assert solution.free_entropy_density == pytest.approx(phi, abs=1e-10)
    assert solution.energy_density == pytest.approx(e, abs=1e-10)
    assert solution.replicon == 0
    (part,) = solution.evidence["continuous_parts"]
    q, x = np.array(part["overlap"]), np.array(part["breaking"])
    np.testing.assert_allclose(x, 24 * 0.04 * q / (2 * beta * (1 + 12 * 0.04 * q**2) ** 1.5), atol=1e-12)
    assert solution.evidence["continuous_mass"] == pytest.approx(x[-1] - x[0])


def test_the_k_step_limit_is_the_closed_form():
    """Full RSB twice: from D(q) = 1/(beta sqrt(xi'')), and as k -> infinity of atoms that know nothing of it."""
    for xi, beta in (
        (p_spin("0.5*q**2 + 0.04*q**4"), 2.0),
        (p_spin("0.1*q + 0.5*q**2 + 0.04*q**4"), 4.0),
        (p_spin("0.5*q**2 + 0.1*q**4"), 5.0),
    ):
        true = solve(xi, beta)
        rows = solve(xi, beta, ansatz="krsb", n_steps=9).evidence["ladder"]
        limit = extrapolate_steps(
            [row["free_entropy_density"] for row in rows[1:]], [row["energy_density"] for row in rows[1:]]
        )
        scale = rows[-1]["free_entropy_density"] - true.free_entropy_density
        assert abs(limit.free_entropy_density - true.free_entropy_density) < 0.03 * scale + 1e-13
        assert abs(limit.free_entropy_density - true.free_entropy_density) < 5 * limit.free_entropy_error + 1e-13
        assert abs(limit.energy_density - true.energy_density) < 5 * limit.energy_error + 1e-12


def test_the_staircase_of_many_steps_lies_on_the_continuous_curve():
    curve = exact("full RSB").solution.measure
    atoms = solve_steps(curve.problem, 12)[-1].measure
    middle = 0.5 * (atoms.lower[1:] + atoms.lower[:-1])
    np.testing.assert_allclose(breaking(atoms, middle), breaking(curve, middle), rtol=2e-3)
    np.testing.assert_allclose(response(atoms, middle), response(curve, middle), rtol=1e-3)


@pytest.mark.parametrize("name", PHASES)
def test_every_phase_is_found_and_certified(name):
    found = exact(name)
    measure = found.solution.measure
    assert found.accepted
    assert phase_name(measure) == PHASES[name][2]
    assert found.certificate.optimality_gap < 1e-9
    # F = 0 and f equal on the whole support, f lower everywhere else
    edges = np.unique(np.concatenate([measure.lower, measure.upper]))
    inside = np.concatenate(
        [np.linspace(a, b, 9) for a, b, band in zip(measure.lower, measure.upper, measure.is_band, strict=True) if band]
        + [edges]
    )
    np.testing.assert_allclose(potential_slope(measure, inside), 0, atol=1e-9)
    heights = potential(measure, inside)
    np.testing.assert_allclose(heights, heights[0], atol=1e-11)
    assert np.all(potential(measure, np.linspace(0, 0.999, 500)) <= heights[0] + 1e-11)


@pytest.mark.parametrize("name", PHASES)
def test_weights_and_levels_stand_for_the_measure(name):
    xi, beta, _ = PHASES[name]
    solution = solved(name)
    support = support_of(exact(name).solution.measure)
    assert sum(w for _, w in support.atoms) + support.continuous_mass == pytest.approx(1, abs=1e-12)
    assert sum(solution.weights) == pytest.approx(1, abs=1e-12)
    assert min(solution.weights) >= 0
    assert np.all(np.diff(solution.overlap[0]) >= 0)
    from_levels = k_step_energy(lambda q: float(xi(q)), beta, solution.overlap[0], solution.breaking_points)
    assert from_levels == pytest.approx(solution.energy_density, rel=2e-5)
    for layer, levels in enumerate(xi.layer_overlaps(np.array(solution.overlap[0])), start=1):
        assert solution.overlap[layer] == tuple(levels)


@pytest.mark.parametrize("name", ["discontinuous 1RSB", "2RSB", "continuous part below, gap above"])
def test_brute_force_minimum_over_staircases(name):
    """A convex minimisation over x(q) on a grid, which knows of no ansatz: slightly above, never below."""
    xi, beta, _ = PHASES[name]
    true = solved(name).free_entropy_density
    found = staircase_minimum(lambda q: float(xi(q)), beta)
    assert -1e-10 < found - true < 3e-3 * abs(true)
    assert found < solve(xi, beta, ansatz="rs").free_entropy_density


def test_the_certificate_bounds_any_wrong_measure():
    for name in ("RS where 1RSB states are metastable", "discontinuous 1RSB", "2RSB", "full RSB of a network"):
        xi, beta, _ = PHASES[name]
        problem = FieldProblem(xi, beta)
        wrong = solve_replica_symmetric(problem)
        missing = wrong.free_entropy_density - solved(name).free_entropy_density
        assert -1e-13 <= missing <= certify(wrong).optimality_gap + 1e-13


def test_certificate_sees_what_the_replicon_does_not():
    """Just below T_s replica symmetry is locally stable and wrong."""
    rs = solve_replica_symmetric(FieldProblem(p_spin("0.5*q**3"), 1 / 0.585))
    certificate = certify(rs)
    assert certificate.local > 0.9
    assert not certificate.accepts()
    assert certificate.worst_overlap == pytest.approx(0.645, abs=0.01)


def test_where_no_structure_is_accepted_the_steps_are_extrapolated(monkeypatch):
    xi, beta = p_spin("0.5*q**2 + 0.04*q**4"), 2.0
    true = solved("full RSB")
    monkeypatch.setattr(structure, "_structures", lambda atoms: iter(()))
    monkeypatch.setattr(structure, "_splits", lambda atoms: iter(()))
    solution = solve(xi, beta)
    assert solution.ansatz == "8rsb"
    assert not solution.evidence["is_equilibrium"]
    assert abs(solution.free_entropy_density - true.free_entropy_density) < 1e-10
    assert abs(solution.free_entropy_density - true.free_entropy_density) < 5 * solution.free_entropy_error
    assert abs(solution.energy_density - true.energy_density) < 5 * solution.energy_error
    monkeypatch.setattr(solve_module, "HOPELESS_GAP", 0.0)
    with pytest.raises(ConvergenceError, match=r"no order parameter accepted at beta=2.*smaller beta") as caught:
        solve(xi, beta)
    assert 0 < caught.value.optimality_gap < 1e-6
