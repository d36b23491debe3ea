"""One item of a diagram: its points in the order of beta, each started from its neighbour, and its transitions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from mcmc.diagram.lines import Line, find_field_lines, find_network_lines
from mcmc.diagram.point import NOT_SOLVED, Point
from mcmc.diagram.request import Item
from mcmc.errors import MlpGibbsError
from mcmc.theory.broken import BrokenSolution, plain
from mcmc.theory.gaussian_field.classify import classify as classify_field
from mcmc.theory.gaussian_field.network import NetworkCovariance
from mcmc.theory.model import TheoryModel
from mcmc.theory.rs import solve_rs
from mcmc.theory.rsb.classify import Classification, classify

N_STEPS = 8  # of a full-RSB point: its label does not need more, and its error says what they leave
# what a solver raises where it fails; anything else is a mistake in a program and ends it
SOLVER_FAILURES = (MlpGibbsError, ArithmeticError, ValueError, RuntimeError, np.linalg.LinAlgError)


@dataclass(frozen=True)
class ItemResult:
    """What was found for one item: a point for each of its temperatures, a line for each kind of transition."""

    item: Item
    points: tuple[Point, ...]
    lines: tuple[Line, ...]


def solve_item(item: Item, on_point: Callable[[Point], object] = lambda point: None) -> ItemResult:
    """Every point and line of an item; a point or line that fails says why and the others go on.

    Args:
        on_point: called after each point.
    Raises:
        QuadratureError: the covariance of an infinitely wide network cannot be resolved.
    """
    model = item.model.build()
    verdict = _field_verdict(model) if isinstance(model, NetworkCovariance) else _network_verdict(model)
    points = []
    for beta in item.betas:
        points.append(_timed(verdict, beta))
        on_point(points[-1])
    lines: tuple[Line, ...] = ()
    if item.has_lines and isinstance(model, NetworkCovariance):
        lines = find_field_lines(model)
    elif item.has_lines and isinstance(model, TheoryModel):
        lines = find_network_lines(model, points)
    return ItemResult(item, tuple(points), lines)


def _timed(verdict: Callable[[float], Point], beta: float) -> Point:
    start = perf_counter()
    try:
        point = verdict(beta)
    except SOLVER_FAILURES as error:
        point = Point(beta, NOT_SOLVED, error=f"{type(error).__name__}: {error}")
    return replace(point, seconds=perf_counter() - start)


def _network_verdict(model: TheoryModel) -> Callable[[float], Point]:
    """beta -> its point, for increasing beta: what was found last is where the next one starts."""
    last: Classification | None = None

    def verdict(beta: float) -> Point:
        nonlocal last
        before, start = (None, None) if last is None else (last.symmetric, last.one_step)
        symmetric = solve_rs(model, beta, initial=before)
        last = classify(model, beta, n_steps=N_STEPS, symmetric=symmetric, start=start)
        return network_point(last)

    return verdict


def network_point(found: Classification) -> Point:
    """The point of a verdict at finite width ratios."""
    saddle, solution = found.symmetric, found.solution
    evidence = {"pivot_error": saddle.pivot_error, **plain(found.evidence)}
    nearest_pivot = min(saddle.pivots)
    if found.label == "RS" and nearest_pivot / (1 + nearest_pivot**2) <= saddle.pivot_error:
        message = (
            f"pivot {nearest_pivot:.2e} of replica symmetry is not known well enough (error {saddle.pivot_error:.1e}) "
            "to tell whether it is stable."
        )
        return Point(saddle.beta, NOT_SOLVED, error=message, pivots=saddle.pivots, evidence=evidence)
    if solution is not None:
        return replace(_broken_point(solution, found.label, saddle.pivots), evidence=evidence)
    return Point(
        beta=saddle.beta,
        label=found.label,
        free_entropy_density=saddle.free_entropy_density,
        free_entropy_error=saddle.quadrature_error,
        energy_density=saddle.energy_density,
        energy_error=max(saddle.quadrature_error, abs(saddle.energy_density - saddle.energy_density_readout)),
        replicon=saddle.pivots[-1],
        pivots=saddle.pivots,
        overlap=tuple((q,) for q in saddle.overlap),
        evidence=evidence,
    )


def _field_verdict(covariance: NetworkCovariance) -> Callable[[float], Point]:
    def verdict(beta: float) -> Point:
        found = classify_field(covariance, beta, ladder_steps=0)
        point = _broken_point(found.solution, found.phase, found.solution.pivots or (found.solution.replicon,))
        if found.is_certain:
            return point
        message = (
            f"no structure of the order parameter passed: the best solution ({found.phase}) may miss the minimum of "
            f"Phi by {found.evidence['optimality_gap']:.1e}."
        )
        return replace(point, label=NOT_SOLVED, error=message)

    return verdict


def _broken_point(solution: BrokenSolution, label: str, pivots: tuple[float, ...]) -> Point:
    return Point(
        beta=solution.beta,
        label=label,
        free_entropy_density=solution.free_entropy_density,
        free_entropy_error=solution.free_entropy_error,
        energy_density=solution.energy_density,
        energy_error=solution.energy_error,
        replicon=solution.replicon,
        pivots=pivots,
        overlap=solution.overlap,
        breaking_points=solution.breaking_points,
        evidence=plain(solution.evidence),
    )
