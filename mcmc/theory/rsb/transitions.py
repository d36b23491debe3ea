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

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.gaussian_field.transitions import Transition, Transitions
from mcmc.theory.high_temperature import energy_scale
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import CUTOFF
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.breaking import scaled_derivatives
from mcmc.theory.rsb.equations import Unknowns, replicon_pivots, updated_unknowns
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
SCAN_STEP = 0.16  # of log(1 - q_1), where the inner level of a single layer is looked for
BOUND_SLACK = 1.02  # the bound on M_1 is an average that a kink of phi makes inaccurate by less
INNER_TOL = 1e-9


def inner_solution_at_one(
    solver: KStepSolver, saddle: SaddlePoint, *, start: KStepPoint | None = None, only_start: bool = False
) -> KStepPoint | None:
    """The 1-step solution at x = 1 with an inner level far from the replica-symmetric one, or None.

    With one layer the inner level is the only unknown, and every solution is found; with more, those that the
    iteration leads to. Of several, the one with the largest dPhi/dx.

    Args:
        start:      a solution at a neighbouring temperature.
        only_start: try nothing else.
    Raises:
        ConvergenceError: no start led anywhere, so that nothing can be said.
    """
    far = JUMP * (1 - saddle.overlap[0])
    starts = [] if start is None else [start.unknowns]
    if not only_start:
        starts += _scanned_starts(solver, saddle) if solver.model.depth == 1 else _split_starts(saddle)
    found: list[KStepPoint] = []
    failures: list[ConvergenceError] = []
    for unknowns in starts:
        try:
            point = solver.solve((1.0,), unknowns, tol=FALLING)
            if point.spread > far:  # has not fallen back to the outer level yet
                point = solver.solve((1.0,), point.unknowns)
        except ConvergenceError as error:
            failures.append(error)
            continue
        if point.spread > far:
            found.append(point)
            if solver.model.depth > 1:
                break
    if starts and len(failures) == len(starts) and not only_start:
        raise failures[0]
    return max(found, key=lambda point: scaled_derivatives(solver, point)[0], default=None)


def _split_starts(saddle: SaddlePoint) -> list[Unknowns]:
    """Levels drawn apart, the outer one replica symmetric, as it is at x = 1."""
    splits = [split_start(saddle, 2, spread) for spread in FAR_SPREADS]
    return [replace(split, overlap=(saddle.overlap[0], *split.overlap[1:])) for split in splits]


def _scanned_starts(solver: KStepSolver, saddle: SaddlePoint) -> list[Unknowns]:
    """For one layer: the far inner levels q_1 that the iteration does not move, and is drawn to."""
    outer = saddle.overlap[0]

    def pull(gap: float) -> float:
        """How far one iteration moves 1/(1 - q_1), in units of 1/(1 - q_0), at 1 - q_1 = gap (1 - q_0)."""
        inner = 1 - gap * (1 - outer)
        image = updated_unknowns(solver.model, solver.evaluate(Unknowns((outer, inner), ()), (1.0,)))
        return (1 - image.overlap[0]) / (1 - image.overlap[1]) - 1 / gap

    least = 1 / (1 + (1 - outer) * (BOUND_SLACK * _largest_pull(solver, saddle) - outer / (1 - outer) ** 2))
    if least >= 1 - JUMP:
        return []
    scan = np.geomspace(1 - JUMP, least, 3 + math.ceil(math.log((1 - JUMP) / least) / SCAN_STEP))
    pulls = np.array([pull(gap) for gap in scan])
    gaps = [
        float(brentq(pull, scan[i], scan[i + 1], rtol=INNER_TOL))
        for i in np.flatnonzero((pulls[:-1] > 0) & (pulls[1:] <= 0))
    ]
    # two solutions between neighbours of the scan, where they have just appeared
    inside = pulls[1:-1]
    for i in np.flatnonzero((inside <= 0) & (inside > pulls[:-2]) & (inside > pulls[2:])) + 1:
        low, high = scan[i + 1], scan[i - 1]
        top = minimize_scalar(lambda gap: -pull(gap), bounds=(low, high), method="bounded", options={"xatol": 1e-6})
        if top.fun < 0:
            gaps.append(float(brentq(pull, low, top.x, rtol=INNER_TOL)))
    return [Unknowns((outer, 1 - gap * (1 - outer)), ()) for gap in gaps]


def _largest_pull(solver: KStepSolver, saddle: SaddlePoint) -> float:
    """A bound on M_1 at any q_1, for one layer: M_1 = alpha sigma_w^2 E <u phi'>^2 <= alpha sigma_w^2 E <(u phi')^2>.

    At x = 1 the average of an inner level over all its descendants is the replica-symmetric one-neuron average.
    """
    model, rule = solver.model, solver.grid.quadrature
    phi, variance = model.activation, model.weight_variance(1)
    c = math.sqrt(variance * (1 - saddle.overlap[0]))
    omega_std = math.sqrt(variance * saddle.overlap[0] + model.bias_variance(1))
    field_std = solver.beta / math.sqrt(model.alpha(1))
    t, y = rule.t_nodes(omega_std, c), rule.y_nodes(field_std)
    u = field_std * y.nodes[:, None]
    steepest = max(abs(slope) for slope in phi.slopes) if phi.slopes is not None else 1.5
    reach = c * (CUTOFF + c * steepest * float(u.abs().max()))
    step = 0.5 * min(c, 1.0) / math.sqrt(1 + c**2 * float(u.abs().max()))
    total = 0.0
    for node, weight in zip((omega_std * t.nodes).tolist(), t.weights.tolist(), strict=True):
        h = node + torch.arange(-reach, reach + step, step, dtype=torch.float64)
        value = phi.phi(h)
        log_weight = u * value - 0.5 * ((h - node) / c) ** 2
        squares = (u * phi.dphi(h, value)) ** 2
        total += weight * float(y.weights @ (torch.softmax(log_weight, dim=1) * squares).sum(1))
    return model.alpha(1) * variance * total


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
