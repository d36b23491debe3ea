"""Which replica symmetry breaking describes a model at a temperature, with the evidence for the answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcmc.errors import ConvergenceError, QuadratureError
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.breaking import optimise_one, scaled_derivatives
from mcmc.theory.rsb.fixed_breaking import KStepPoint, KStepSolver
from mcmc.theory.rsb.full import full_from
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.k_step import add_steps, check_beta, to_solution
from mcmc.theory.rsb.mixed import phase_of, split_unstable
from mcmc.theory.rsb.transitions import inner_solution_at_one
from mcmc.theory.saddle import SaddlePoint

MAX_STEPS_TRIED = 3  # a solution with more than three stable steps is not told from full breaking


@dataclass(frozen=True)
class Classification:
    """The verdict at one temperature.

    Attributes:
        label:     "RS", "1RSB", "2RSB", "3RSB", "full RSB" or "1RSB + full", ... (see `mixed.phase_of`).
        symmetric: the replica-symmetric saddle point.
        solution:  the broken solution of that label, None for "RS".
        evidence:  "pivots" (of replica symmetry), "far_level" (an inner level exists at x = 1 far from the outer one),
                   "steps": per k tried {"k", "free_entropy_density", "level_pivots", "breaking_points", "overlap",
                   "level_distances", "smallest_gap"}, and "reason", a sentence.
        one_step:  the 1-step solution that was found first, to start a neighbouring temperature from; None for "RS".
    """

    label: str
    symmetric: SaddlePoint
    solution: BrokenSolution | None
    evidence: dict[str, Any]
    one_step: KStepPoint | None = None


def classify(
    model: TheoryModel,
    beta: float,
    *,
    n_steps: int = 10,
    symmetric: SaddlePoint | None = None,
    start: KStepPoint | None = None,
    grid: RsbGrid | None = None,
    tol: float = 1e-9,
) -> Classification:
    """RS, 1RSB, 2RSB, 3RSB, full RSB or a mixture such as 1RSB + full at one temperature.

    Replica symmetry holds where its pivots are positive and no solution with a far inner level has a lower Phi. A
    k-step solution holds where the pivots of all its levels are positive; where none up to three steps is, the
    unstable levels break up continuously: all of them (full RSB), or those beyond a gap (1RSB + full).

    Args:
        n_steps:   of the full-RSB solution, even, >= 8.
        symmetric: the replica-symmetric saddle point at this beta, if it is known already.
        start:     a 1-step solution at a neighbouring beta.
    Raises:
        ConvergenceError: a replica-symmetric saddle point is unstable and no broken solution was found.
    """
    check_beta(beta)
    saddle = symmetric or solve_rs(model, beta)
    solver = KStepSolver(model, beta, grid=grid, tol=tol)
    evidence: dict[str, Any] = {"pivots": saddle.pivots, "far_level": None, "steps": []}
    far = _far_level(solver, saddle)
    if saddle.stable:
        evidence["far_level"] = far is not None
        if far is None or scaled_derivatives(solver, far)[0] < 0:
            evidence["reason"] = "every replica-symmetric pivot is positive and " + (
                "no solution with a far inner level exists."
                if far is None
                else "the solution with a far inner level at x = 1 lowers Phi only for x > 1 (dynamic phase)."
            )
            return Classification("RS", saddle, None, evidence)
    elif far is not None and scaled_derivatives(solver, far)[0] < 0:
        far = None
    point = optimise_one(solver, saddle, start, far=far)
    if point is None:
        raise ConvergenceError(
            f"classification at beta={beta:g}: replica symmetry is unstable (pivots "
            f"{', '.join(f'{p:.4g}' for p in saddle.pivots)}; residual {saddle.residual:.1e}) but no 1-step solution "
            "with x < 1 was found. "
            "Follow it from a neighbouring beta with solve_k_step(start=...).",
            beta=beta,
            pivots=saddle.pivots,
            residual=saddle.residual,
        )
    return _refine(solver, saddle, point, evidence, n_steps)


def _far_level(solver: KStepSolver, saddle: SaddlePoint) -> KStepPoint | None:
    """The far inner level at x = 1; past the AT line, where the breaking may go on from a jump before it, too.

    There it only tells where to start, so that it is looked for where that is cheap, and may fail.
    """
    if saddle.stable:
        return inner_solution_at_one(solver, saddle)
    if solver.model.depth > 1:
        return None
    try:
        return inner_solution_at_one(solver, saddle)
    except ConvergenceError:
        return None


def _refine(
    solver: KStepSolver, saddle: SaddlePoint, point: KStepPoint, evidence: dict[str, Any], n_steps: int
) -> Classification:
    """Add steps until a solution is stable, or its unstable levels are told apart from its stable ones."""
    points, solutions = [point], [to_solution(solver, point)]
    evidence["steps"].append(_facts(solutions[0]))
    while phase_of(_pivots(solutions)) != f"{len(points)}RSB" and len(points) < MAX_STEPS_TRIED:
        try:
            points.append(_one_more(solver, points[-1], _pivots(solutions)))
            solutions.append(to_solution(solver, points[-1]))
        except (ConvergenceError, QuadratureError) as error:
            evidence["stopped"] = str(error)
            points = points[: len(solutions)]
            break
        evidence["steps"].append(_facts(solutions[-1]))
    label, best = phase_of(_pivots(solutions)), solutions[-1]
    if label == f"{len(points)}RSB":
        evidence["reason"] = f"every pivot of the {len(points)}-step solution is positive."
        return Classification(label, saddle, best, evidence, point)
    worst = ", ".join(f"{min(step['level_pivots']):.3g}" for step in evidence["steps"])
    evidence["reason"] = f"every k-step solution has a negative replicon ({worst} for k = 1 ... {len(points)})"
    if label == "full RSB":
        try:
            best = full_from(solver, points, n_steps)
            evidence["reason"] += f", {min(best.evidence['level_pivots']):.3g} at k = {n_steps}" + (
                "; it vanishes with k." if best.evidence["marginal"] else "; it does not yet shrink with k."
            )
            return Classification(label, saddle, best, evidence, point)
        except (ConvergenceError, QuadratureError) as error:
            evidence["stopped"] = str(error)
    evidence["reason"] += f"; its levels have the pivots {', '.join(f'{p:.3g}' for p in _pivots(solutions))}."
    return Classification(label, saddle, _with_last_step(solutions), evidence, point)


def _one_more(solver: KStepSolver, point: KStepPoint, level_pivots: Sequence[float]) -> KStepPoint:
    """A solution with one step more: along the curve of all levels, or within the unstable part if some are stable."""
    if phase_of(level_pivots) == "full RSB":
        try:
            return add_steps(solver, point, len(point.x) + 1)
        except (ConvergenceError, QuadratureError):
            pass
    return split_unstable(solver, point, level_pivots)


def _pivots(solutions: Sequence[BrokenSolution]) -> Sequence[float]:
    pivots: Sequence[float] = solutions[-1].evidence["level_pivots"]
    return pivots


def _facts(solution: BrokenSolution) -> dict[str, Any]:
    distances = np.diff(solution.overlap[0]).tolist()
    return {
        "k": solution.n_steps,
        "free_entropy_density": solution.free_entropy_density,
        "level_pivots": solution.evidence["level_pivots"],
        "breaking_points": solution.breaking_points,
        "overlap": solution.overlap[0],
        "level_distances": distances,
        "smallest_gap": min(distances),
    }


def _with_last_step(solutions: Sequence[BrokenSolution]) -> BrokenSolution:
    """The solution with the most steps; what its last step changed counts as error of Phi and e.

    With a single one, what breaking by one step changed would be no error: infinite then.
    """
    best = solutions[-1]
    changes = (math.inf, math.inf)
    if len(solutions) > 1:
        before = solutions[-2]
        changes = (
            abs(best.free_entropy_density - before.free_entropy_density),
            abs(best.energy_density - before.energy_density),
        )
    return replace(
        best,
        free_entropy_error=best.free_entropy_error + changes[0],
        energy_error=best.energy_error + changes[1],
    )
