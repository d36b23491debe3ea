"""Which replica symmetry breaking describes a model at a temperature, with the evidence for the answer."""

from dataclasses import dataclass
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
from mcmc.theory.rsb.transitions import inner_solution_at_one
from mcmc.theory.saddle import SaddlePoint

MAX_STEPS_TRIED = 3  # a solution with more than three stable steps is not told from full breaking
NEGATIVE = -1e-6  # a pivot below this is negative


@dataclass(frozen=True)
class Classification:
    """The verdict at one temperature.

    Attributes:
        label:     "RS", "1RSB", "2RSB", "3RSB" or "full RSB".
        symmetric: the replica-symmetric saddle point.
        solution:  the broken solution of that label, None for "RS".
        evidence:  "pivots" (of replica symmetry), "far_level" (an inner level exists at x = 1 far from the outer one),
                   "steps": per k tried {"k", "free_entropy_density", "level_pivots", "breaking_points", "overlap",
                   "smallest_gap"}, and "reason", a sentence.
    """

    label: str
    symmetric: SaddlePoint
    solution: BrokenSolution | None
    evidence: dict[str, Any]


def classify(
    model: TheoryModel,
    beta: float,
    *,
    symmetric: SaddlePoint | None = None,
    n_steps: int = 10,
    grid: RsbGrid | None = None,
    tol: float = 1e-9,
) -> Classification:
    """RS, 1RSB, 2RSB, 3RSB or full RSB at one temperature.

    Replica symmetry holds where its pivots are positive and no solution with a far inner level has a lower Phi. A
    k-step solution holds where the pivots of all its levels are positive; where none up to three steps is, and the
    negative replicons shrink with k, the breaking is full.

    Args:
        symmetric: the replica-symmetric saddle point at this beta, if it is known already.
        n_steps:   of the full-RSB solution, even, >= 8.
    Raises:
        ConvergenceError: a replica-symmetric saddle point is unstable and no broken solution was found.
    """
    check_beta(beta)
    saddle = symmetric or solve_rs(model, beta)
    solver = KStepSolver(model, beta, grid=grid, tol=tol)
    evidence: dict[str, Any] = {"pivots": saddle.pivots, "far_level": None, "steps": []}
    far = None
    if saddle.stable:
        far = inner_solution_at_one(solver, saddle)
        evidence["far_level"] = far is not None
        if far is None or scaled_derivatives(solver, far)[0] < 0:
            evidence["reason"] = "every replica-symmetric pivot is positive and " + (
                "no solution with a far inner level exists."
                if far is None
                else "the solution with a far inner level at x = 1 lowers Phi only for x > 1 (dynamic phase)."
            )
            return Classification("RS", saddle, None, evidence)
    point = optimise_one(solver, saddle, far=far)
    if point is None:
        raise ConvergenceError(
            f"classification at beta={beta:g}: replica symmetry is unstable (pivots "
            f"{', '.join(f'{p:.4g}' for p in saddle.pivots)}) but no 1-step solution with x < 1 was found. "
            "Follow it from a neighbouring beta with solve_k_step(start=...).",
            beta=beta,
            pivots=saddle.pivots,
            residual=float("nan"),
        )
    return _refine(solver, saddle, point, evidence, n_steps)


def _refine(
    solver: KStepSolver, saddle: SaddlePoint, point: KStepPoint, evidence: dict[str, Any], n_steps: int
) -> Classification:
    """Add steps until a solution is stable."""
    points: list[KStepPoint] = [point]
    while True:
        k = len(points[-1].x)
        solution = to_solution(solver, points[-1])
        lowest = solution.evidence["level_pivots"]
        gaps = np.diff(solution.overlap[0])
        evidence["steps"].append(
            {
                "k": k,
                "free_entropy_density": solution.free_entropy_density,
                "level_pivots": lowest,
                "breaking_points": solution.breaking_points,
                "overlap": solution.overlap[0],
                "smallest_gap": float(np.min(gaps)),
            }
        )
        if min(lowest) > NEGATIVE:
            evidence["reason"] = f"every pivot of the {k}-step solution is positive."
            return Classification(f"{k}RSB", saddle, solution, evidence)
        if k == MAX_STEPS_TRIED:
            break
        try:
            points.append(add_steps(solver, points[-1], k + 1))
        except (ConvergenceError, QuadratureError) as error:
            evidence["stopped"] = str(error)
            break
    full = full_from(solver, points, n_steps)
    worst = [min(step["level_pivots"]) for step in evidence["steps"]]
    evidence["reason"] = (
        f"every k-step solution has a negative replicon ({', '.join(f'{w:.3g}' for w in worst)} for k = 1 ... "
        f"{len(worst)}), {min(full.evidence['level_pivots']):.3g} at k = {n_steps}"
        + ("; it vanishes with k." if full.evidence["marginal"] else "; it does not yet shrink with k.")
    )
    return Classification("full RSB", saddle, full, evidence)
