"""k-step replica symmetry breaking with its breaking points: `solve_k_step`, step by step from the 1-step solution."""

import math
from typing import Any

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.breaking import optimise, optimise_one, scaled_derivatives, solve_split
from mcmc.theory.rsb.equations import (
    RsbPass,
    breaking_derivatives,
    energy,
    energy_readout,
    free_entropy,
    replicon_pivots,
)
from mcmc.theory.rsb.fixed_breaking import KStepPoint, KStepSolver, symmetric_start
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.profile import redistributed
from mcmc.theory.rsb.sphere import Levels
from mcmc.theory.rsb.transitions import inner_solution_at_one
from mcmc.theory.saddle import SaddlePoint

FULLY_OPTIMISED = 3  # up to this k the breaking points are stationary to 1e-5
ROUGHLY_OPTIMISED = 5  # up to this k to 1e-3; beyond, they are placed on the curve of the last optimised solution
ROUGH_X = 1e-3
COARSE_TOL = 1e-6  # of solutions that only give the next starting point
REPLICON_TOL = 1e-6  # a pivot above minus this is not negative
MAX_LOST = 1e-7
RESOLVED_STEPS = 3  # up to this k the finer grid is solved, not only evaluated, for the grid error


def check_beta(beta: float) -> None:
    """Raises UsageError unless beta is finite and positive."""
    if not (beta > 0 and math.isfinite(beta)):
        raise UsageError(
            f"replica symmetry breaking: expected a finite beta > 0, found {beta}. The law of H is even (v -> -v): use "
            "|beta| and change the sign of the energy.",
            beta=beta,
        )


def solve_k_step(
    model: TheoryModel,
    beta: float,
    n_steps: int,
    *,
    symmetric: SaddlePoint | None = None,
    start: KStepPoint | None = None,
    grid: RsbGrid | None = None,
    tol: float = 1e-9,
    max_iter: int = 400,
) -> BrokenSolution:
    """The k-step solution of least Phi over its breaking points.

    Args:
        n_steps:   k >= 1. Breaking points are stationary up to k = 5; for more steps they are placed along the curve
                   x(q) of the 5-step solution, which costs O(1/k^4) in Phi.
        symmetric: the replica-symmetric saddle point at this beta, if it is known already.
        start:     a 1-step solution at a neighbouring beta.
        grid:      how finely the recursions are resolved.
        tol:       largest relative change of an order parameter under one more iteration.
        max_iter:  evaluations of the equations for each trial of the breaking points.
    Raises:
        UsageError:       beta <= 0 or n_steps < 1.
        ConvergenceError: no solution with k distinct levels has a lower Phi; beta, breaking_points, residual.
        QuadratureError:  an average does not exist or is not resolved; beta, layer.
    """
    check_beta(beta)
    if n_steps < 1:
        raise UsageError(f"k-step RSB: expected at least one step, found {n_steps}. Use solve_rs.", n_steps=n_steps)
    saddle = symmetric or solve_rs(model, beta)
    solver = KStepSolver(model, beta, grid=grid, tol=tol, max_iter=max_iter)
    points = follow_steps(solver, saddle, n_steps, start=start)
    return to_solution(solver, points[-1])


def follow_steps(
    solver: KStepSolver, saddle: SaddlePoint, n_steps: int, *, start: KStepPoint | None = None
) -> list[KStepPoint]:
    """Solutions with 1, 2, 3, 5 (breaking points optimised) and then n_steps steps, up to n_steps.

    Raises:
        ConvergenceError: no 1-step solution has its least Phi at x < 1, or a step more finds no solution.
    """
    far = None
    if start is None and saddle.stable:
        # nothing breaks continuously: only a far inner level that lowers Phi below x = 1 is left, or nothing
        far = inner_solution_at_one(solver, saddle)
    is_symmetric = start is None and saddle.stable and (far is None or scaled_derivatives(solver, far)[0] < 0)
    one = None if is_symmetric else optimise_one(solver, saddle, start, far=far)
    if one is None:
        raise ConvergenceError(
            f"1-step RSB at beta={solver.beta:g}: no solution with two distinct levels has its least Phi at x < 1 "
            f"(replica-symmetric residual {saddle.residual:.1e}, pivots "
            f"{', '.join(f'{p:.4g}' for p in saddle.pivots)}). "
            + (
                "Replica symmetry holds there; use ansatz rs, or a larger beta."
                if saddle.stable
                else "Replica symmetry is unstable there: follow a solution from a beta closer to where it becomes so."
            ),
            beta=solver.beta,
            breaking_points=(),
            residual=saddle.residual,
            pivots=saddle.pivots,
        )
    points = [one]
    for k in [k for k in (2, 3, 5) if k < n_steps] + ([n_steps] if n_steps > 1 else []):
        points.append(add_steps(solver, points[-1], k))
    return points


def add_steps(solver: KStepSolver, point: KStepPoint, n_steps: int) -> KStepPoint:
    """A solution with n_steps steps from one with fewer; breaking points optimised up to ROUGHLY_OPTIMISED."""
    unknowns, x = redistributed(point, n_steps)
    if n_steps > ROUGHLY_OPTIMISED:
        return solver.solve(x, unknowns, tol=max(10 * solver.tol, 1e-8))
    start = solver.solve(x, unknowns, tol=max(COARSE_TOL, solver.tol))
    return optimise(solver, start, x_tol=1e-5 if n_steps <= FULLY_OPTIMISED else ROUGH_X)


def solve_at(
    model: TheoryModel,
    beta: float,
    breaking_points: Levels,
    *,
    symmetric: SaddlePoint | None = None,
    start: KStepPoint | None = None,
    grid: RsbGrid | None = None,
    tol: float = 1e-9,
) -> KStepPoint:
    """The k-step saddle point at breaking points of the caller's choice, 0 < x_1 <= ... <= x_k <= 1.

    Raises:
        UsageError: breaking points out of order or range.
    """
    check_beta(beta)
    x = tuple(float(b) for b in breaking_points)
    if not x or min(x) <= 0 or max(x) > 1 or list(x) != sorted(x):
        raise UsageError(f"breaking points: expected 0 < x_1 <= ... <= x_k <= 1, found {x}.", breaking_points=x)
    solver = KStepSolver(model, beta, grid=grid, tol=tol)
    if start is not None:
        return solver.solve(x, start.unknowns)
    saddle = symmetric or solve_rs(model, beta)
    return solve_split(solver, saddle, x) or solver.solve(x, symmetric_start(saddle, len(x) + 1))


def lowest_pivots(pivots: tuple[Levels, ...]) -> Levels:
    """The lowest pivot of each level, outermost first: negative where the ansatz is unstable."""
    return tuple(min(chain) for chain in pivots)


def to_solution(
    solver: KStepSolver, point: KStepPoint, *, ansatz: str | None = None, evidence: dict[str, Any] | None = None
) -> BrokenSolution:
    """The result with its replicons and its errors from a finer grid."""
    model, beta = solver.model, solver.beta
    result = solver.evaluate(point.unknowns, point.x, point.grids, second=True)
    phi, e = free_entropy(model, result), energy(beta, result)
    pivots = replicon_pivots(model, result)
    lost = max(layer.lost for layer in result.layers)
    if lost > MAX_LOST:
        raise QuadratureError(
            f"{len(point.x)}-step RSB at beta={beta:g}: the measure of a layer adds up to 1 only within {lost:.1e} "
            f"(wanted <= {MAX_LOST:.0e}): the grid does not hold it. Raise the resolution from "
            f"{solver.grid.resolution:g}.",
            beta=beta,
            residual=lost,
        )
    phi_error, e_error = grid_errors(solver, point, phi, e)
    e_error = max(e_error, abs(e - energy_readout(model, beta, result)))
    details: dict[str, Any] = {
        "pivots_by_level": pivots,
        "level_pivots": lowest_pivots(pivots),
        "dphi_dx": breaking_derivatives(model, result),
        "energy_density_readout": energy_readout(model, beta, result),
        "quadrature_error": max(phi_error, e_error),
        "lost_measure": lost,
        "n_iter": solver.n_iter,
        **(evidence or {}),
    }
    k = len(point.x)
    return BrokenSolution(
        beta=float(beta),
        ansatz=ansatz or f"{k}rsb",
        overlap=result.overlap,
        self_overlap=result.self_overlap,
        breaking_points=point.x,
        free_entropy_density=phi,
        energy_density=e,
        entropy_density=phi + beta * e,
        replicon=min(pivots[-1]),
        stable=min(lowest_pivots(pivots)) > -REPLICON_TOL,
        residual=point.residual,
        free_entropy_error=phi_error,
        energy_error=e_error,
        pivots=pivots[-1],
        evidence=details,
    )


def grid_errors(solver: KStepSolver, point: KStepPoint, phi: float, e: float) -> Levels:
    """Changes of Phi and e on a grid finer by 3/2 in every direction (few steps: at its own solution)."""
    finer = KStepSolver(solver.model, solver.beta, grid=solver.grid.refined(), tol=solver.tol, max_iter=solver.max_iter)
    result: RsbPass
    if len(point.x) <= RESOLVED_STEPS:
        result = finer.solve(point.x, point.unknowns, tol=max(solver.tol, 1e-8)).result
    else:
        result = finer.evaluate(point.unknowns, point.x)
    solver.n_iter += finer.n_iter
    return abs(free_entropy(solver.model, result) - phi), abs(energy(solver.beta, result) - e)
