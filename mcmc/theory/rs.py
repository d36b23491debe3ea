"""The replica-symmetric saddle point at any depth, with its stability and its quadrature error.

The equations are in `rs_equations`; here they are followed from high temperature and solved by Anderson acceleration,
and the steps of the Gaussian averages are halved one by one until what a step changes is below the tolerance.
"""

import math
from collections.abc import Sequence

import numpy as np

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.fixed_point import FixedPoint, Vector, find_fixed_point
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import DIRECTIONS, Direction, Quadrature
from mcmc.theory.rs_equations import (
    RsPass,
    energy,
    energy_readout,
    forward_pass,
    free_entropy,
    n_unknowns,
    project,
    updated_unknowns,
)
from mcmc.theory.saddle import SaddlePoint
from mcmc.theory.stability import replicon_pivots

FIRST_BETA = 0.5  # small enough to be reached from beta = 0 in one step for sigma_w = O(1)
BETA_GROWTHS = (2.0, 1.25)  # factor between the temperatures of a continuation; the second where the first fails
CONTINUATION_TOL = 1e-4  # intermediate temperatures only give the next starting point
HOPELESS = 10.0  # a step that is this much too coarse after one evaluation is refined without a second
MAX_POINTS = 1_000_000  # of one layer's grid, about 0.3 s an evaluation; reached far inside the unstable region only
SETTLED = 0.03  # an error this far below its limit stays below it while the other steps are refined


def solve_rs(
    model: TheoryModel,
    beta: float,
    *,
    initial: SaddlePoint | None = None,
    tol: float = 1e-10,
    max_iter: int = 500,
    quadrature: Quadrature | None = None,
) -> SaddlePoint:
    """The replica-symmetric saddle point at one inverse temperature, with its stability and its error.

    Where there are several solutions, this is the one that is connected to beta = 0 through increasing beta: the
    equilibrium one as long as replica symmetry holds. The pivots show a continuous breaking, not a discontinuous one.

    Args:
        beta:       inverse temperature >= 0.
        initial:    solution at a neighbouring beta; without it the solution is followed from high temperature.
        tol:        largest relative change of an order parameter under one more iteration.
        max_iter:   evaluations of the equations, for each temperature and each rule.
        quadrature: rules of the Gaussian averages; steps are halved until their estimated error is at most
                    `quadrature.tol` or `quadrature.max_refinements` is used up (then `SaddlePoint.resolved` is False).
    Raises:
        UsageError:       beta < 0 or not finite, or `initial` is of another depth.
        ConvergenceError: residual, n_iter, tol, beta as attributes.
        QuadratureError:  a single-neuron average does not exist (beta, layer as attributes).
    """
    if not (beta >= 0 and math.isfinite(beta)):
        raise UsageError(
            f"RS saddle point: expected a finite beta >= 0, found {beta}. "
            "The law of H is even (v -> -v): use |beta| and change the sign of the energy.",
            beta=beta,
        )
    if initial is not None and len(initial.overlap) != model.depth + 1:
        raise UsageError(f"initial has {len(initial.overlap) - 1} hidden layers, the model {model.depth}.")
    solver = _Solver(model, tol, max_iter)
    rule = quadrature or Quadrature()
    first = np.zeros(n_unknowns(model)) if initial is None else _unknowns_of(initial)
    for growth in BETA_GROWTHS:
        x = first
        try:
            for b in _continuation(beta, 0.0 if initial is None else initial.beta, growth):
                x = solver.solve(b, x, rule, tol=CONTINUATION_TOL).x
            solution = solver.solve(beta, x, rule)
            break
        except ConvergenceError:
            if growth == BETA_GROWTHS[-1]:
                raise
    return solver.refine(beta, solution, rule)


def _unknowns_of(saddle: SaddlePoint) -> Vector:
    x = [saddle.overlap[0]]
    for s, r in zip(saddle.conjugate_overlap[:-1], saddle.conjugate_self_overlap[:-1], strict=True):
        x += [s, r - s]
    return np.array(x)


def _continuation(beta: float, start: float, growth: float) -> Sequence[float]:
    """Increasing inverse temperatures between start and beta, both excluded."""
    floor = max(start, FIRST_BETA)
    n_steps = math.ceil(math.log(beta / floor, growth)) if beta > floor else 0
    steps = [beta / growth**i for i in range(n_steps, 0, -1)]
    return [b for b in steps if b > start]


class _Solver:
    """Solves at one temperature and one rule at a time, and counts evaluations of the equations."""

    def __init__(self, model: TheoryModel, tol: float, max_iter: int):
        self.model = model
        self.tol = tol
        self.max_iter = max_iter
        self.n_iter = 0

    def solve(
        self, beta: float, start: Vector, quadrature: Quadrature, *, tol: float | None = None
    ) -> FixedPoint[RsPass]:
        """The fixed point on given rules."""
        wanted = self.tol if tol is None else tol

        def step(x: Vector) -> tuple[Vector, RsPass]:
            result = forward_pass(self.model, beta, x, quadrature)
            return updated_unknowns(self.model, result), result

        solution = find_fixed_point(step, start, project=project, tol=wanted, max_iter=self.max_iter)
        self.n_iter += solution.n_iter
        if not solution.converged:
            raise ConvergenceError(
                f"RS saddle point: residual {solution.residual:.1e} after {solution.n_iter} iterations "
                f"(wanted <= {wanted:.0e}) at beta={beta:g}. "
                "Raise max_iter, or start from the solution at a neighbouring beta.",
                residual=solution.residual,
                n_iter=solution.n_iter,
                tol=wanted,
                beta=beta,
            )
        return solution

    def refine(self, beta: float, solution: FixedPoint[RsPass], rule: Quadrature) -> SaddlePoint:
        """The saddle point on rules fine enough for their tolerance, with the error that is left."""
        # closed forms have no inner step to refine
        unsettled: list[Direction] = [d for d in DIRECTIONS if d != "xi" or self.model.activation.slopes is None]
        limits = np.array([rule.tol, rule.pivot_tol]) / len(unsettled)
        errors: dict[Direction, np.ndarray] = {}
        for n_left in range(rule.max_refinements, -1, -1):
            hopeless = HOPELESS * limits if n_left else np.full(2, np.inf)
            for direction in unsettled:
                errors[direction] = self._error(beta, solution, rule.refined(direction), hopeless)
            too_coarse = [d for d in unsettled if np.any(errors[d] > limits)]
            n_points = max(layer.n_points for layer in solution.payload.layers) * 2 ** len({*too_coarse} - {"xi"})
            if not too_coarse or not n_left or n_points > MAX_POINTS:
                break
            unsettled = [d for d in unsettled if np.any(errors[d] > SETTLED * limits)]
            rule = rule.refined(*too_coarse)
            solution = self.solve(beta, solution.x, rule)
        total = sum(errors.values(), np.zeros(2))
        return _saddle_point(self.model, beta, solution, rule, (float(total[0]), float(total[1])), self.n_iter)

    def _error(self, beta: float, solution: FixedPoint[RsPass], finer: Quadrature, hopeless: np.ndarray) -> np.ndarray:
        """What a finer rule changes: at the same unknowns if that is already hopeless, else at its own solution."""
        probe = forward_pass(self.model, beta, solution.x, finer)
        self.n_iter += 1
        change = _difference(self.model, beta, solution.payload, probe)
        if np.any(change > hopeless):
            return change
        image = updated_unknowns(self.model, probe)
        if np.max(np.abs(image - solution.x) / (1 + np.abs(solution.x))) <= self.tol:
            return change
        return _difference(self.model, beta, solution.payload, self.solve(beta, image, finer).payload)


def _difference(model: TheoryModel, beta: float, coarse: RsPass, fine: RsPass) -> np.ndarray:
    """Largest change of Phi, e, q_l, r_l between two passes, and of the pivots in units of 1 + pivot^2."""
    values, pivots = zip(*((_observables(model, beta, p), _pivots(model, p)) for p in (coarse, fine)), strict=True)
    pivot_change = (pivots[1] - pivots[0]) / (1 + pivots[0] ** 2)
    return np.array([np.max(np.abs(values[1] - values[0])), np.max(np.abs(pivot_change))])


def _observables(model: TheoryModel, beta: float, result: RsPass) -> np.ndarray:
    energies = (energy(beta, result), energy_readout(model, result))
    return np.array([free_entropy(model, beta, result), *energies, *result.overlap, *result.self_overlap])


def _pivots(model: TheoryModel, result: RsPass) -> np.ndarray:
    return np.array(replicon_pivots(model, result.overlap[0], result.layers))


def _saddle_point(
    model: TheoryModel,
    beta: float,
    solution: FixedPoint[RsPass],
    rule: Quadrature,
    errors: tuple[float, float],
    n_iter: int,
) -> SaddlePoint:
    result = solution.payload
    phi, e = free_entropy(model, beta, result), energy(beta, result)
    pivots = replicon_pivots(model, result.overlap[0], result.layers)
    return SaddlePoint(
        beta=float(beta),
        overlap=result.overlap,
        self_overlap=result.self_overlap,
        conjugate_overlap=result.conjugate_overlap,
        conjugate_self_overlap=tuple(s + d for s, d in zip(result.conjugate_overlap, result.tilt, strict=True)),
        free_entropy_density=phi,
        energy_density=e,
        energy_density_readout=energy_readout(model, result),
        entropy_density=phi + beta * e,
        pivots=pivots,
        stable=all(p > 0 for p in pivots),
        residual=solution.residual,
        quadrature_error=errors[0],
        pivot_error=errors[1],
        n_iter=n_iter,
        quadrature=rule,
    )
