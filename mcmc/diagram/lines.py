"""The transitions of one model on the way from high temperature to the coldest point of a diagram.

They are solved for, not read off the points: the points only tell between which temperatures to look.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcmc.diagram.point import Point
from mcmc.errors import MlpGibbsError
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.gaussian_field.transitions import HIGHEST_BETA, find_transitions
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.breaking import scaled_derivatives
from mcmc.theory.rsb.fixed_breaking import KStepSolver
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.transitions import at_beta, dynamic_beta, inner_solution_at_one, static_beta
from mcmc.theory.saddle import SaddlePoint

KINDS = ("at", "dynamic", "static")
GROWTH = 1.15  # factor between temperatures at which a change is looked for
HOTTEST = 1e-3  # no transition is hotter: at beta = HOTTEST every pivot is 1 to within beta^2
RTOL = {"at": 1e-6, "static": 1e-6, "dynamic": 1e-5}
BELOW_AT = 1 - 1e-3  # where the far level is looked for, just before replica symmetry becomes unstable
FIELD_RTOL = 1e-10  # of the equations of a transition at infinite width


@dataclass(frozen=True)
class Line:
    """One kind of transition of one model.

    Attributes:
        kind:        "at", "dynamic" or "static".
        beta:        inverse temperature; NaN if there is none or it was not solved.
        beta_error:  what is left of its tolerance and of the grids.
        searched_to: the largest beta that was looked at.
        note:        "" | "none found up to beta=..." | "not solved: ...".
    """

    kind: str
    beta: float
    beta_error: float
    searched_to: float
    note: str = ""


def find_network_lines(model: TheoryModel, points: Sequence[Point]) -> tuple[Line, ...]:
    """AT, dynamic and static transitions at finite width ratios up to the coldest of the points.

    A discontinuous transition is looked for on the stable side of the AT line, at the points, and next to its end.
    """
    end = points[-1].beta
    try:
        bracket = _at_bracket(model, points[0].beta, end)
        at = Line("at", math.nan, math.nan, end, _none_up_to(end))
        if bracket is not None:
            at = _at_line(model, bracket, end)
    except MlpGibbsError as error:
        at = Line("at", math.nan, math.nan, end, f"not solved: {error}")
    stable_end = at.beta * BELOW_AT if math.isfinite(at.beta) else end
    try:
        jumps = _jump_lines(model, [p.beta for p in points], stable_end, end)
    except MlpGibbsError as error:
        note = f"not solved: {error}"
        jumps = tuple(Line(kind, math.nan, math.nan, stable_end, note) for kind in ("dynamic", "static"))
    return (at, *jumps)


def _none_up_to(beta: float) -> str:
    return f"none found up to beta={beta:g}"


def _at_bracket(model: TheoryModel, first: float, end: float) -> tuple[float, float] | None:
    """Neighbouring temperatures between which replica symmetry becomes unstable, or None."""
    saddle = solve_rs(model, first)
    while not saddle.stable and saddle.beta > HOTTEST:
        saddle = solve_rs(model, saddle.beta / 2)
    n_steps = math.ceil(math.log(end / saddle.beta) / math.log(GROWTH)) if end > saddle.beta else 0
    betas = [saddle.beta * (end / saddle.beta) ** ((i + 1) / n_steps) for i in range(n_steps)]
    for beta in betas:
        colder = solve_rs(model, beta, initial=saddle)
        if not colder.stable:
            return saddle.beta, beta
        saddle = colder
    return None


def _at_line(model: TheoryModel, bracket: tuple[float, float], end: float) -> Line:
    beta = at_beta(model, *bracket, rtol=RTOL["at"])
    low, high = (solve_rs(model, beta * factor) for factor in (1 - 1e-3, 1 + 1e-3))
    slope = abs(min(high.pivots) - min(low.pivots)) / (high.beta - low.beta)
    error = RTOL["at"] * beta + max(low.pivot_error, high.pivot_error) / slope
    return Line("at", beta, error, end)


def _jump_lines(model: TheoryModel, betas: Sequence[float], stable_end: float, end: float) -> tuple[Line, ...]:
    """The dynamic and static transition of a discontinuous breaking on the stable side."""
    probes = sorted({*(b for b in betas if b < stable_end), stable_end})
    drives = [_drive(model, beta) for beta in probes]
    nothing = _none_up_to(stable_end) + (", where replica symmetry ends" if stable_end < end else "")
    dynamic = Line("dynamic", math.nan, math.nan, stable_end, nothing)
    static = Line("static", math.nan, math.nan, stable_end, nothing)
    first_far = next((beta for beta, drive in zip(probes, drives, strict=True) if drive is not None), None)
    if first_far is not None:
        dynamic = _solved("dynamic", stable_end, lambda grid: dynamic_beta(model, first_far, grid=grid))
    first = next((i for i, drive in enumerate(drives) if drive is not None and drive > 0), None)
    if first is not None:
        low, high = (probes[first - 1] if first else 0.5 * probes[0]), probes[first]
        static = _solved("static", stable_end, lambda grid: static_beta(model, low, high, grid=grid))
    return dynamic, static


def _drive(model: TheoryModel, beta: float) -> float | None:
    """dPhi/dx at x = 1 of the solution with a far inner level, scaled; None where there is none."""
    saddle: SaddlePoint = solve_rs(model, beta)
    solver = KStepSolver(model, beta)
    point = inner_solution_at_one(solver, saddle) if saddle.stable else None
    return None if point is None else float(scaled_derivatives(solver, point)[0])


def _solved(kind: str, searched_to: float, solve: Callable[[RsbGrid], float]) -> Line:
    """The transition on two grids; their difference is the error."""
    try:
        beta, finer = solve(RsbGrid()), solve(RsbGrid().refined())
    except MlpGibbsError as error:
        return Line(kind, math.nan, math.nan, searched_to, f"not solved: {error}")
    return Line(kind, beta, abs(beta - finer) + RTOL[kind] * beta, searched_to)


def find_field_lines(covariance: NetworkCovariance) -> tuple[Line, ...]:
    """The same at infinite width, where they are found down to T = 1e-4 in units of the energy."""
    searched_to = HIGHEST_BETA / math.sqrt(float(covariance.derivatives(1.0, 1)[1]))
    try:
        found = find_transitions(covariance)
    except MlpGibbsError as error:
        return tuple(Line(kind, math.nan, math.nan, searched_to, f"not solved: {error}") for kind in KINDS)
    relative = FIELD_RTOL + covariance.error / float(covariance(1.0))
    lines = []
    for kind in KINDS:
        transition = getattr(found, kind)
        if transition is None:
            lines.append(Line(kind, math.nan, math.nan, searched_to, _none_up_to(searched_to)))
        else:
            lines.append(Line(kind, transition.beta, relative * transition.beta, searched_to))
    return tuple(lines)
