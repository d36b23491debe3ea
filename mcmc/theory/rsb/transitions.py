"""The temperatures at which replica symmetry ends: continuously (AT line) or by a jump (dynamic and static).

A 1-step solution at x = 1 has the replica-symmetric outer level and free entropy; its inner level, where it exists,
is another solution q_1 > q_0 of

    1/(1 - q_1) - 1/(1 - q_0) = M_1 - M_0        (first layer; deeper ones likewise)

It appears at the dynamic temperature, where it is marginal in the direction of q_1; from the static temperature on,
dPhi/dx > 0 at x = 1, so that a smaller x has a lower Phi.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from scipy.optimize import brentq

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory.gaussian_field.transitions import Transition, Transitions
from mcmc.theory.high_temperature import energy_scale
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.breaking import scaled_derivatives
from mcmc.theory.rsb.equations import replicon_pivots
from mcmc.theory.rsb.fixed_breaking import KStepPoint, KStepSolver, split_start
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.saddle import SaddlePoint

JUMP = 0.05  # an inner level this much nearer to 1 than the outer one, relative to 1 - q_0, is a jump
FALLING = 3e-3  # residual down to which a start is followed before asking whether it falls back
FAR_SPREADS = (0.9, 0.75, 0.6, 0.45)
COLDEST = 16.0  # beta, in units of 1/energy_scale, until which transitions are looked for
SCAN_GROWTH, N_SCANNED = 1.25, 16  # of beta in the search of the AT temperature
JUST_BELOW = 1e-3  # relative distance in beta from the dynamic temperature at which q_1 is read off
JUST_ABOVE = 1e-3  # relative distance in beta from the AT temperature at which a far level is asked for


def inner_solution_at_one(
    solver: KStepSolver, saddle: SaddlePoint, *, start: KStepPoint | None = None, only_start: bool = False
) -> KStepPoint | None:
    """The 1-step solution at x = 1 with an inner level far from the replica-symmetric one, or None.

    Args:
        start:      a solution at a neighbouring temperature.
        only_start: try nothing else.
    """
    far = JUMP * (1 - saddle.overlap[0])
    starts = [] if start is None else [start.unknowns]
    for spread in () if only_start else FAR_SPREADS:
        split = split_start(saddle, 2, spread)
        # at x = 1 the outer level is replica symmetric
        starts.append(replace(split, overlap=(saddle.overlap[0], *split.overlap[1:])))
    for unknowns in starts:
        try:
            point = solver.solve((1.0,), unknowns, tol=FALLING)
            if point.spread > far:  # has not fallen back to the outer level yet
                point = solver.solve((1.0,), point.unknowns)
        except (ConvergenceError, QuadratureError):
            continue
        if point.spread > far:
            return point
    return None


def find_transitions(model: TheoryModel, *, coldest: float | None = None, grid: RsbGrid | None = None) -> Transitions:
    """AT, static and dynamic temperatures of the replica-symmetric branch, looked for at beta <= coldest.

    A far inner level, once it exists, exists at every lower temperature: it is asked for just above the AT temperature,
    or at the coldest one. A static transition colder than the AT temperature is not reported: its branch would be
    unstable there. `breaking` of the AT transition is not computed (nan); `top` of the dynamic one is that of a
    temperature lower by a thousandth.

    Args:
        coldest: largest beta, 16 / sqrt(r_L - q_L) if not given.
    Raises:
        ConvergenceError, QuadratureError: as the single transitions.
    """
    scale = energy_scale(model)
    last = COLDEST / scale if coldest is None else coldest
    at, stable_until = None, last
    low, saddle = 0.0, None
    for beta in [last / SCAN_GROWTH**i for i in range(N_SCANNED, -1, -1)]:
        saddle = solve_rs(model, beta, initial=saddle)
        if min(saddle.pivots) <= 0:
            at = _transition(model, "at", at_beta(model, low, beta), None)
            stable_until = at.beta * (1 - JUST_ABOVE)
            break
        low = beta
    static = dynamic = None
    solver = KStepSolver(model, stable_until, grid=grid)
    far = inner_solution_at_one(solver, solve_rs(model, stable_until))
    if far is not None:
        beta_d = dynamic_beta(model, stable_until, grid=grid)
        dynamic = _transition(model, "dynamic", beta_d, _top(model, beta_d * (1 + JUST_BELOW), grid))
        if scaled_derivatives(solver, far)[0] > 0:
            beta_s = static_beta(model, beta_d, stable_until, grid=grid)
            static = _transition(model, "static", beta_s, _top(model, beta_s, grid))
    return Transitions(at, static, dynamic)


def _top(model: TheoryModel, beta: float, grid: RsbGrid | None) -> float:
    """q_1 of the far inner level; nan if it is not found."""
    point = inner_solution_at_one(KStepSolver(model, beta, grid=grid), solve_rs(model, beta))
    return math.nan if point is None else point.result.overlap[0][1]


def _transition(model: TheoryModel, kind: str, beta: float, top: float | None) -> Transition:
    overlap = solve_rs(model, beta).overlap[0]
    if top is None:
        return Transition(kind, beta, overlap, overlap, math.nan)
    return Transition(kind, beta, overlap, top, 1.0)


def at_beta(model: TheoryModel, low: float, high: float, *, rtol: float = 1e-6) -> float:
    """beta at which a replicon pivot of replica symmetry first turns negative, between low and high.

    Raises:
        UsageError: replica symmetry is unstable at low or stable at high.
    """

    def pivot(beta: float) -> float:
        lowest = min(solve_rs(model, beta).pivots)
        return lowest / (1 + abs(lowest))

    return _root(pivot, low, high, "replicon of replica symmetry", rtol, falling=True)


def static_beta(
    model: TheoryModel, low: float, high: float, *, grid: RsbGrid | None = None, rtol: float = 1e-6
) -> float:
    """beta of the discontinuous transition: dPhi/dx = 0 at x = 1 for the solution with the far inner level.

    Raises:
        UsageError: dPhi/dx does not change sign between low and high (no far inner level counts as negative).
    """

    def derivative(beta: float) -> float:
        solver = KStepSolver(model, beta, grid=grid)
        point = inner_solution_at_one(solver, solve_rs(model, beta))
        return -1.0 if point is None else float(scaled_derivatives(solver, point)[0])

    return _root(derivative, low, high, "dPhi/dx of the far level at x = 1", rtol, falling=False)


def dynamic_beta(
    model: TheoryModel, high: float, *, grid: RsbGrid | None = None, rtol: float = 1e-5, max_steps: int = 40
) -> float:
    """beta at which the far inner level at x = 1 first exists, followed from `high` towards smaller beta.

    The inner replicon vanishes there like (beta - beta_d)^{1/2}: the root of its square is extrapolated, and the next
    temperature lies between.

    Raises:
        UsageError:       there is no far inner level at high.
        ConvergenceError: the extrapolation did not settle; beta as an attribute.
    """
    beta, point = high, inner_solution_at_one(KStepSolver(model, high, grid=grid), solve_rs(model, high))
    if point is None:
        raise UsageError(
            f"dynamic temperature: expected a solution with a far inner level at beta={high:g}, found none. "
            "Choose a larger beta.",
            beta=high,
        )
    square, trial, root, last_root = _inner_replicon(model, high, grid, point) ** 2, 0.98 * high, 0.0, -1.0
    for _ in range(max_steps):
        solver = KStepSolver(model, trial, grid=grid, max_iter=1000)
        found = inner_solution_at_one(solver, solve_rs(model, trial), start=point, only_start=True)
        if found is None:
            trial = 0.5 * (trial + beta)
            continue
        new = _inner_replicon(model, trial, grid, found) ** 2
        if new < square:
            root = trial - new * (beta - trial) / (square - new)
            if abs(root - last_root) <= rtol * root:
                return root
            last_root = root
        beta, square, point = trial, new, found
        trial = root + 0.25 * (beta - root) if new < square or root > 0 else 0.98 * beta
    raise ConvergenceError(
        f"dynamic temperature: not settled after {max_steps} temperatures, last beta={beta:g}, extrapolated {root:g} "
        f"(wanted to rtol={rtol:.0e}). Start from another beta.",
        beta=beta,
        residual=abs(root - last_root),
    )


def _inner_replicon(model: TheoryModel, beta: float, grid: RsbGrid | None, point: KStepPoint) -> float:
    result = KStepSolver(model, beta, grid=grid).evaluate(point.unknowns, point.x, point.grids, second=True)
    return replicon_pivots(model, result)[-1][-1]


def _root(
    function: Callable[[float], float], low: float, high: float, what: str, rtol: float, *, falling: bool
) -> float:
    ends = function(low), function(high)
    signs = (1, -1) if falling else (-1, 1)
    if not (0 < low < high and ends[0] * signs[0] > 0 and ends[1] * signs[1] > 0):
        raise UsageError(
            f"{what}: expected a change of sign between beta={low:g} and {high:g}, found {ends[0]:.3g} and "
            f"{ends[1]:.3g}. Choose another interval.",
            low=low,
            high=high,
        )
    return float(brentq(function, low, high, rtol=max(rtol, 1e-14), xtol=1e-12))
