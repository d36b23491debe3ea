"""The front door: every ansatz by its name, the verdict as a label, and what it refuses."""

import json
import math
import sys

import numpy as np
import pytest

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.solve import solve as solve_field
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature, gauss_hermite_rule
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb import solve as module
from mcmc.theory.rsb.equations import free_entropy
from mcmc.theory.rsb.fixed_breaking import KStepSolver, split_start
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.k_step import solve_at, solve_k_step
from mcmc.theory.rsb.solve import PhaseSolution, require_resolved, solve, solve_curve, to_json_record

JUMP = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)
SMOOTH = TheoryModel.build("sin")


def test_auto_labels_its_record_with_the_phase():
    found = solve_curve(JUMP, [3.0, 2.3])
    records = [json.loads(json.dumps(to_json_record(f), allow_nan=False)) for f in found]
    assert [r["ansatz"] for r in records] == [r["phase"] for r in records] == ["1RSB", "RS"]
    (step,) = records[0]["evidence"]["steps"]
    assert step["k"] == 1
    assert step["level_distances"] == pytest.approx(np.diff(records[0]["overlap"][0]).tolist())
    assert min(step["level_pivots"]) > 0
    assert step["free_entropy_density"] == records[0]["free_entropy_density"]
    assert "dynamic" in records[1]["evidence"]["reason"]
    assert [len(law["atoms"]) for law in records[0]["overlap_law"]] == [2, 2]


@pytest.mark.parametrize(("ansatz", "k", "name"), [("rs", None, "rs"), ("1rsb", None, "1rsb"), ("krsb", 2, "2rsb")])
def test_explicit_ansaetze_keep_their_lower_case_names(ansatz, k, name):
    found = solve(SMOOTH, 8.0, ansatz=ansatz, n_steps=k)
    record = to_json_record(found)
    assert record["ansatz"] == name
    assert "phase" not in record
    assert found.phase == name.upper()


@pytest.mark.parametrize(("ansatz", "k"), [("wild", None), ("krsb", None), ("rs", 2), ("krsb", 0)])
def test_wrong_ansaetze(ansatz, k):
    with pytest.raises(UsageError):
        solve(SMOOTH, 1.0, ansatz=ansatz, n_steps=k)


@pytest.mark.parametrize("broken", [False, True], ids=["RS", "1RSB"])
def test_wide_layers_tend_to_the_gaussian_field_like_one_over_alpha(broken):
    """alpha = 10^3 and 2*10^3 against the solver of section 11: every number, and its difference halved."""
    beta, ansatz, depth = (3.0, "1rsb", 1) if broken else (1.5, "rs", 2)
    field = solve_field(NetworkCovariance.build("sin", sigma_w=2.0, depth=depth), beta, ansatz=ansatz)
    differences = []
    for alpha in (1e3, 2e3):
        model = TheoryModel.build("sin", sigma_w=2.0, width_ratios=alpha, depth=depth)
        found = solve(model, beta, ansatz=ansatz).solution
        numbers = [[s.free_entropy_density, s.energy_density, *np.ravel(s.overlap)] for s in (found, field)]
        differences.append(np.subtract(*numbers))
    assert np.all(np.abs(differences[0]) > 1e-6)
    assert np.max(np.abs(differences[0])) < 2e-2
    np.testing.assert_allclose(differences[0] / differences[1], 2, atol=0.05)


def test_a_breaking_point_towards_zero_gives_the_replica_symmetric_phi():
    """Phi(x) = Phi_RS + c x + O(x^2): two small x remove the linear term, where one of 1e-7 would lose digits."""
    saddle = solve_rs(SMOOTH, 8.0, quadrature=Quadrature(tol=1e-11))
    solver = KStepSolver(SMOOTH, 8.0, grid=RsbGrid(resolution=7.0, quadrature=Quadrature(y_step=0.1, xi_step=0.25)))
    phi, start = [], split_start(saddle, 2, 0.6)
    for x in (2e-5, 1e-5):
        point = solver.solve((x,), start, tol=1e-11)
        assert point.spread > 0.03
        phi.append(free_entropy(SMOOTH, point.result))
    assert 2 * phi[1] - phi[0] == pytest.approx(saddle.free_entropy_density, abs=1e-10)


def test_phi_is_stationary_in_both_breaking_points_by_finite_differences():
    """Two steps, the levels held fixed and, as a check of the check, one breaking point moved away."""
    solution = solve_k_step(SMOOTH, 8.0, 2)
    point = solve_at(SMOOTH, 8.0, solution.breaking_points)
    solver, h = KStepSolver(SMOOTH, 8.0), 1e-3

    def slope(i, around):
        up, down = (tuple(x + s * h * (j == i) for j, x in enumerate(around)) for s in (1, -1))
        values = [free_entropy(SMOOTH, solver.evaluate(point.unknowns, x, point.grids)) for x in (up, down)]
        return (values[0] - values[1]) / (2 * h)

    x = solution.breaking_points
    for i in (0, 1):
        assert abs(slope(i, x)) < 2e-8
        assert abs(slope(i, tuple(b + 0.05 * (j == i) for j, b in enumerate(x)))) > 1e-6


def test_a_solution_on_another_branch_is_caught(monkeypatch):
    """Replica symmetry handed out for a broken phase breaks the convexity of Phi."""

    def lost(model, beta, ansatz, n_steps):
        if beta > 3.0:
            return PhaseSolution(solve_rs(model, beta), "RS")
        return PhaseSolution(solve_k_step(model, beta, 1), "1RSB")

    monkeypatch.setattr(module, "_solve", lost)
    with pytest.raises(
        ConvergenceError, match=r"sin, L=1.*Phi rises by .* from beta=3 to 3\.05.*residuals.*Look"
    ) as caught:
        solve_curve(JUMP, [3.05, 3.0])
    assert caught.value.beta == 3.05
    assert caught.value.residual < 1e-8


def test_a_quadrature_that_misses_its_tolerance_is_an_error():
    rule = Quadrature(y_rule=lambda field_std: gauss_hermite_rule(41), max_refinements=0)
    bad = solve_rs(SMOOTH, 16.0, quadrature=rule)
    with pytest.raises(
        QuadratureError, match=r"RS saddle point at beta=16: .*layers 1 .*residual.*Use a smaller"
    ) as caught:
        require_resolved(SMOOTH, bad)
    assert caught.value.quadrature_error > caught.value.tol


def test_no_one_step_solution_where_replica_symmetry_is_unstable_is_not_called_symmetric():
    model = TheoryModel.build("relu", depth=2, sigma_w=3.0)
    with pytest.raises(ConvergenceError, match=r"beta=4.*residual .*pivots -1\.7.*unstable there: follow") as caught:
        solve(model, 4.0, ansatz="1rsb")
    assert min(caught.value.pivots) < 0


@pytest.mark.parametrize("ansatz", ["1rsb", "krsb", "full", "auto"])
def test_diverging_averages_name_beta_layer_and_remedy_in_every_ansatz(monkeypatch, ansatz):
    """relu, L = 2, with the tilt of its hidden layer beyond 1/c^2 in the start of every broken solution."""
    model = TheoryModel.build("relu", depth=2, sigma_w=math.sqrt(2))

    def diverging(solver, *arguments, **options):
        start = split_start(solve_rs(model, solver.beta), 2, 0.3)
        ((levels, _tilt),) = start.hidden
        return solver.solve((0.5,), type(start)(start.overlap, ((levels, 5.0),)))

    place = sys.modules[f"mcmc.theory.rsb.{'classify' if ansatz == 'auto' else 'k_step'}"]
    monkeypatch.setattr(place, "inner_solution_at_one", diverging)
    with pytest.raises(QuadratureError, match=r"beta=2, layer 1: .*does not exist.*Use a smaller beta") as caught:
        solve(model, 2.0, ansatz=ansatz, n_steps=2 if ansatz == "krsb" else None)
    assert (caught.value.beta, caught.value.layer) == (2.0, 1)
    assert caught.value.positivity < 0
