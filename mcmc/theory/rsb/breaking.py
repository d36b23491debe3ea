"""The breaking points of k-step solutions: Phi is minimal, so stationary, over x_1 < ... < x_k.

At a saddle point dPhi/dx_i at fixed order parameters is the derivative along the solution too. Where levels merge it
vanishes like the cube of their distance whatever x is: the root is sought for dPhi/dx_i divided by that cube, which
has no root at the replica-symmetric point.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from mcmc.errors import ConvergenceError, QuadratureError
from mcmc.theory.fixed_point import Vector, find_fixed_point
from mcmc.theory.rsb.equations import breaking_derivatives
from mcmc.theory.rsb.fixed_breaking import KStepPoint, KStepSolver, split_start
from mcmc.theory.rsb.sphere import Levels, sphere_gaps
from mcmc.theory.saddle import SaddlePoint

MERGED = 1e-4  # levels of q_0 closer than this are one level
SCAN = (1.0, 0.95, 0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.05)
SPREADS = (0.6, 0.3, 0.1)
X_TOL = 1e-7
MIN_X = 1e-3
STIFFNESS = 0.4  # 0.33 ... 0.54 for sin at beta = 16 ... 5.5, 0.96 for relu at 16; smaller for large jumps
N_HALVINGS = 6  # of the interval in which a solution ends, looking for dPhi/dx < 0
MAX_SHIFT, MAX_CLOSING = 0.4, 0.7  # of the distance to the next breaking point, by the map and by its acceleration
RELATIVE_TOL = 1e-7
MERGED_STEP = 1e-2  # a step this much smaller than the average has merged


def is_broken(point: KStepPoint) -> bool:
    """The levels did not merge."""
    return point.spread > MERGED


def has_merged(point: KStepPoint) -> bool:
    """Two neighbouring levels of q_0 are much closer than levels are on average."""
    steps = np.diff(point.result.overlap[0])
    return bool(np.min(steps) < MERGED_STEP * np.mean(steps)) or not is_broken(point)


def solve_split(solver: KStepSolver, saddle: SaddlePoint, x: Levels) -> KStepPoint | None:
    """A solution with distinct levels at these breaking points, from replica-symmetric levels drawn apart, or None."""
    for spread in SPREADS:
        try:
            point = solver.solve(x, split_start(saddle, len(x) + 1, spread))
        except (ConvergenceError, QuadratureError):
            continue
        if is_broken(point):
            return point
    return None


def scaled_derivatives(solver: KStepSolver, point: KStepPoint) -> Vector:
    """dPhi/dx_i (D_{i-1} D_i)^{3/2} / (q_0[i] - q_0[i-1])^3, i = 1 ... k: slope about STIFFNESS in x_i."""
    q = point.result.overlap[0]
    d = np.array(sphere_gaps(q, point.x))
    steps = np.maximum(np.diff(q), 1e-12)
    return np.array(breaking_derivatives(solver.model, point.result)) * (d[:-1] * d[1:]) ** 1.5 / steps**3


def optimise_one(
    solver: KStepSolver, saddle: SaddlePoint, start: KStepPoint | None = None, *, far: KStepPoint | None = None
) -> KStepPoint | None:
    """The 1-step solution of least Phi, or None where no 1-step solution has its least Phi at x < 1.

    Args:
        start: a solution near by (of a neighbouring temperature, say); otherwise x is scanned downwards from 1.
        far:   the solution at x = 1, if it is known already.
    """
    points = _near(solver, start) if start is not None else []
    bracket = _bracket(solver, points)
    if bracket is None:
        bracket = _bracket(solver, _scan(solver, saddle, far))
    if bracket is None:
        return None
    low, high = bracket
    best = low

    def derivative(x: float) -> float:
        nonlocal best
        near = min((best, low, high), key=lambda known: abs(known.x[0] - x))
        point = solver.solve((x,), near.unknowns, grids=high.grids)
        if not is_broken(point):
            raise ConvergenceError(
                f"1-step RSB at beta={solver.beta:g}: the solution fell back to one level at x={x:.6g}, between "
                f"x={low.x[0]:.4g} and {high.x[0]:.4g} where it has two. Start from a neighbouring temperature.",
                beta=solver.beta,
                breaking_points=(x,),
                residual=point.residual,
            )
        best = point
        return float(scaled_derivatives(solver, point)[0])

    x_star = float(brentq(derivative, low.x[0], high.x[0], xtol=X_TOL, rtol=1e-12))
    return solver.solve((x_star,), best.unknowns)


def _scan(solver: KStepSolver, saddle: SaddlePoint, first: KStepPoint | None) -> list[KStepPoint]:
    """Solutions at x downwards from 1 until dPhi/dx turns negative, closer together where the solution ends."""
    points = [] if first is None else [first]
    for x in SCAN[len(points) :]:
        point = _continued(solver, points, x) or solve_split(solver, saddle, (x,))
        if point is None and points:
            lost = x
            for _ in range(N_HALVINGS):
                middle = 0.5 * (lost + min(p.x[0] for p in points))
                near = _continued(solver, points, middle)
                if near is None:
                    lost = middle
                else:
                    points.append(near)
                if _bracket(solver, points) is not None:
                    return points
        elif point is not None:
            points.append(point)
            if _bracket(solver, points) is not None:
                break
    return points


def _continued(solver: KStepSolver, points: Sequence[KStepPoint], x: float) -> KStepPoint | None:
    """The broken solution at x followed from the last of the points, or None."""
    if not points:
        return None
    try:
        point = solver.solve((x,), min(points, key=lambda p: p.x).unknowns)
    except (ConvergenceError, QuadratureError):
        return None
    return point if is_broken(point) else None


def _near(solver: KStepSolver, start: KStepPoint) -> list[KStepPoint]:
    points: list[KStepPoint] = []
    for x in sorted({min(max(start.x[0] * f, MIN_X), 1.0) for f in (0.85, 0.95, 1.05, 1.2)}):
        try:
            point = solver.solve((x,), start.unknowns)
        except (ConvergenceError, QuadratureError):
            continue
        if is_broken(point):
            points.append(point)
    return points


def _bracket(solver: KStepSolver, points: Sequence[KStepPoint]) -> tuple[KStepPoint, KStepPoint] | None:
    """Neighbours in x between which dPhi/dx turns from negative to positive."""
    ordered = sorted(points, key=lambda p: p.x)
    for low, high in pairwise(ordered):
        if scaled_derivatives(solver, low)[0] < 0 < scaled_derivatives(solver, high)[0]:
            return low, high
    return None


def optimise(solver: KStepSolver, start: KStepPoint, *, x_tol: float = 1e-5, max_iter: int = 60) -> KStepPoint:
    """The k-step solution whose breaking points are stationary, from one with distinct levels near by.

    A fixed point of x_i <- x_i - s_i / STIFFNESS, s_i the scaled derivative: each breaking point follows, for the most
    part, the step of q that it makes.

    Args:
        x_tol:    largest shift of a breaking point that is left; Phi is stationary, so its error is of order x_tol^2.
        max_iter: solutions at given breaking points.
    Raises:
        ConvergenceError: the breaking points did not settle, or levels merged; beta, breaking_points, residual.
    """
    best = start
    x_now = np.array(start.x)
    # levels must be known to much less than their distance, for its cube is divided by
    inner_tol = max(min(solver.tol, RELATIVE_TOL * start.spread / len(start.x)), 1e-13)

    def step(x: Vector) -> tuple[Vector, KStepPoint]:
        nonlocal best, x_now
        try:
            point = solver.solve(tuple(x.tolist()), best.unknowns, grids=start.grids, tol=inner_tol)
        except ConvergenceError as error:
            raise QuadratureError(str(error), breaking_points=tuple(x.tolist())) from error
        if has_merged(point):  # as if outside of the domain: the iteration steps back
            raise QuadratureError(f"levels merged at breaking points {point.x}.", breaking_points=point.x)
        best, x_now = point, x
        shift = -scaled_derivatives(solver, best) / STIFFNESS
        room = np.diff([0.0, *x, 1.0])
        image: Vector = x + np.clip(shift, -MAX_SHIFT * room[:-1], MAX_SHIFT * room[1:])
        return image, best

    def between(x: Vector) -> Vector:
        """x, moved towards the last one until it is increasing in (0, 1)."""
        move, room = np.diff([0.0, *(x - x_now), 0.0]), np.diff([0.0, *x_now, 1.0])
        closing = move < 0
        share = float(np.min(MAX_CLOSING * room[closing] / -move[closing], initial=1.0))
        moved: Vector = x_now + share * (x - x_now)
        return moved

    trouble, residual = "", math.nan
    try:
        memory = min(len(x_now) + 2, 12)
        solution = find_fixed_point(step, x_now, project=between, tol=x_tol, max_iter=max_iter, memory=memory)
        residual = solution.residual
        final = solver.solve(tuple(solution.x.tolist()), solution.payload.unknowns)
        if not solution.converged:
            trouble = f"they still move by {residual:.1e} (wanted <= {x_tol:.0e})"
        elif has_merged(final):
            trouble = "levels merged on a finer grid"
    except QuadratureError as error:
        trouble = str(error).rstrip(".")
    if trouble:
        raise ConvergenceError(
            f"{len(start.x)}-step RSB at beta={solver.beta:g}: no stationary breaking points near "
            f"({', '.join(f'{x:.4g}' for x in start.x)}): {trouble}. "
            "Start from a neighbouring temperature, or use fewer steps.",
            beta=solver.beta,
            breaking_points=best.x,
            residual=residual,
        )
    return final
