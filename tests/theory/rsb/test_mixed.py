"""Phases with a jump and a continuous part behind it, and far inner levels, which no iteration may miss."""

import math

import pytest

from mcmc.errors import ConvergenceError
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb import classify, solve_full
from mcmc.theory.rsb.equations import Unknowns
from mcmc.theory.rsb.fixed_breaking import KStepSolver, _kept_apart
from mcmc.theory.rsb.mixed import phase_of
from mcmc.theory.rsb.transitions import _largest_pull, inner_solution_at_one

MIXED = TheoryModel.build("sin", sigma_w=1.5)
JUMP = TheoryModel.build("sin", sigma_w=2.0, width_ratios=8.0)


@pytest.mark.parametrize(
    ("pivots", "name"),
    [
        ((0.1, 0.2), "1RSB"),
        ((0.1, 0.2, 0.0), "2RSB"),
        ((-0.1, -0.2), "full RSB"),
        ((-0.1, -0.2, -0.3, -0.1), "full RSB"),
        ((0.1, -0.2), "1RSB + full"),
        ((0.1, -0.2, -0.3, -0.3), "1RSB + full"),
        ((-0.1, -0.2, 0.3), "1RSB + full"),
        ((0.1, 0.1, -0.2, -0.2), "2RSB + full"),
        ((-0.1, -0.2, 0.1, -0.2, -0.2), "2RSB + full"),
    ],
)
def test_names(pivots, name):
    assert phase_of(pivots) == name


@pytest.fixture(scope="module")
def verdict():
    return classify(MIXED, 7.0)


def test_a_jump_followed_by_continuous_breaking(verdict):
    """It was called full RSB, with levels that had merged, or not solved."""
    assert verdict.label == "1RSB + full"
    steps = verdict.evidence["steps"]
    assert [step["k"] for step in steps] == [1, 2, 3]
    # the lowest level is an atom: its pivot stays, those of the levels beyond the gap shrink
    assert steps[2]["level_pivots"][0] > 0.9 * steps[1]["level_pivots"][0] > 0.005
    worst = [min(step["level_pivots"]) for step in steps]
    assert 0 > worst[2] > 0.5 * worst[1] > 0.25 * worst[0]
    gaps = [b - a for a, b in zip(steps[2]["overlap"][:-1], steps[2]["overlap"][1:], strict=True)]
    assert gaps[0] > 0.2 > 5 * max(gaps[1:])


def test_phi_of_the_mixed_phase(verdict):
    """It falls with k, is stationary in x, and its error covers what one more step would still change."""
    phi = [step["free_entropy_density"] for step in verdict.evidence["steps"]]
    assert verdict.symmetric.free_entropy_density > phi[0] > phi[1] > phi[2]
    assert verdict.solution.free_entropy_error > phi[1] - phi[2] > 0
    assert max(map(abs, verdict.solution.evidence["dphi_dx"])) < 1e-8


def test_energy_of_the_mixed_phase_is_minus_the_slope(verdict):
    h = 0.05
    low, high = (classify(MIXED, 7.0 + s * h).solution.free_entropy_density for s in (-1, 1))
    assert -(high - low) / (2 * h) == pytest.approx(verdict.solution.energy_density, abs=2e-5)


def test_one_continuous_curve_through_a_gap_is_refused():
    """Steps along a curve through the gap merge, or raise Phi: no number then."""
    with pytest.raises(ConvergenceError):
        solve_full(MIXED, 7.0, n_steps=12)


@pytest.mark.parametrize(("beta", "exists"), [(2.2794, False), (2.2797, True)])
def test_a_far_level_is_found_as_soon_as_it_exists(beta, exists):
    """The dynamic temperature is 2.27951."""
    point = inner_solution_at_one(KStepSolver(JUMP, beta), solve_rs(JUMP, beta))
    assert (point is not None) == exists


@pytest.mark.parametrize("model", [JUMP, MIXED, TheoryModel.build("tanh"), TheoryModel.build("relu", sigma_w=1.4)])
@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_the_pull_of_any_inner_level_is_below_its_bound(model, beta):
    saddle, solver = solve_rs(model, beta), KStepSolver(model, beta)
    outer, scale = saddle.overlap[0], model.alpha(1) * model.weight_variance(1)
    bound = _largest_pull(solver, saddle)
    pulls = []
    for gap in (1.0, 0.5, 0.25, 0.15):
        result = solver.evaluate(Unknowns((outer, 1 - gap * (1 - outer)), ()), (1.0,))
        pulls.append(scale * result.layers[0].d_omega_squared[1])
    assert pulls == sorted(pulls)
    assert pulls[0] == pytest.approx(outer / (1 - outer) ** 2, rel=1e-6)
    assert pulls[-1] < bound < 3 * pulls[-1]


def test_a_far_level_that_cannot_exist_costs_one_average():
    """tanh at beta = 1/2: the bound alone excludes it."""
    model = TheoryModel.build("tanh")
    solver = KStepSolver(model, 0.5)
    assert inner_solution_at_one(solver, solve_rs(model, 0.5)) is None
    assert solver.n_iter == 0


def test_a_search_that_fails_everywhere_is_no_verdict(monkeypatch):
    """It was one: replica symmetry held wherever no start converged."""
    model = TheoryModel.build("sin", depth=2)

    def solve(self, *args, **kwargs):
        raise ConvergenceError("residual 0.1")

    monkeypatch.setattr(KStepSolver, "solve", solve)
    with pytest.raises(ConvergenceError, match=r"residual 0\.1"):
        classify(model, 1.0)


def test_extrapolation_does_not_put_the_last_level_next_to_one():
    """It did, at 1 - 1e-9: single passes of seconds, hundreds of times (sin, sigma_w = 2, beta = 2)."""
    image = Unknowns((0.1, 0.4), ()).to_vector()
    kept = _kept_apart(Unknowns((0.1, 1 - 1e-9), ()).to_vector(), image, 2, 1)
    assert 1 - kept[1] >= 0.2 * (1 - 0.4) - 1e-12
    assert kept[0] == pytest.approx(0.1)
    near = Unknowns((0.1, 0.45), ()).to_vector()
    assert _kept_apart(near, image, 2, 1) == pytest.approx(near)


def test_a_symmetric_model_that_was_slow():
    """Over 500 s before; replica symmetric, and its far level excluded at every q_1."""
    verdict = classify(TheoryModel.build("sin", sigma_w=2.0), 2.0)
    assert verdict.label == "RS"
    assert math.isclose(min(verdict.symmetric.pivots), 0.875, abs_tol=1e-3)


def test_a_jump_just_below_its_at_line():
    """It was not solved: the end of the bracket was looked for from the other end, and fell back."""
    verdict = classify(TheoryModel.build("sin", sigma_w=1.8, width_ratios=8.0), 2.25)
    assert verdict.label == "1RSB"
    assert verdict.symmetric.pivots[0] < 0
    assert verdict.solution.free_entropy_density < verdict.symmetric.free_entropy_density
    assert abs(verdict.solution.evidence["dphi_dx"][0]) < 1e-7
    assert verdict.solution.overlap[0][1] - verdict.solution.overlap[0][0] > 0.2
