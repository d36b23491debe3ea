"""The replica-symmetric saddle point at any depth (equations.md, section 4).

    Phi = 1/2 [ log(1-q_0) + q_0/(1-q_0) ] + sum_l alpha_l [ -1/2 (R_l r_l - S_l q_l) + G_l ] + beta^2/2 (r_L - q_L)

    q_l = E <phi>^2,  r_l = E <phi^2>,   S_L = R_L = beta^2 / alpha_L
    S_{l-1} = (alpha_l/alpha_{l-1}) sigma_w^2 E (d_omega f_l)^2,   R_{l-1} - S_{l-1} = (...) E d_omega^2 f_l
    q_0 / (1-q_0)^2 = alpha_1 sigma_w^2 E (d_omega f_1)^2

The unknowns are q_0 and (S_l, R_l - S_l) of l < L: given these, one pass from the input to the readout gives every
(q_l, r_l), and the same layer averages give the new unknowns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcmc.errors import ConvergenceError, QuadratureError, UsageError
from mcmc.theory.fixed_point import FixedPoint, Vector, find_fixed_point
from mcmc.theory.layer import LayerAverage, layer_average
from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import DIRECTIONS, Direction, Quadrature
from mcmc.theory.saddle import SaddlePoint
from mcmc.theory.stability import replicon_pivots

FIRST_BETA = 0.5  # small enough to be reached from beta = 0 for sigma_w = O(1)
BETA_GROWTH = 2.0
CONTINUATION_TOL = 1e-4  # intermediate temperatures only give the next starting point
SETTLED = 0.03  # an error this far below its limit stays below it while the other steps are refined
MAX_OVERLAP = 1 - 1e-9  # keeps c > 0 while the iteration overshoots


@dataclass(frozen=True)
class _Pass:
    """One pass from the input to the readout at given unknowns."""

    overlap: tuple[float, ...]
    self_overlap: tuple[float, ...]
    conjugate_overlap: tuple[float, ...]
    tilt: tuple[float, ...]
    layers: list[LayerAverage]


def sphere_overlap(field: float) -> float:
    """q in [0, 1) with q/(1-q)^2 = field >= 0, without cancellation at either end."""
    return 2 * field / (2 * field + 1 + math.sqrt(4 * field + 1))


def _forward(model: TheoryModel, beta: float, x: Vector, quadrature: Quadrature) -> _Pass:
    depth = model.depth
    overlap, self_overlap = [float(x[0])], [1.0]
    conjugates = [*(float(s) for s in x[1::2]), beta**2 / model.alpha(depth)]
    tilts = [*(float(d) for d in x[2::2]), 0.0]
    layers = []
    for layer in range(1, depth + 1):
        try:
            average = layer_average(
                model,
                layer,
                overlap=overlap[-1],
                self_overlap=self_overlap[-1],
                conjugate_overlap=conjugates[layer - 1],
                tilt=tilts[layer - 1],
                quadrature=quadrature,
            )
        except QuadratureError as error:
            raise QuadratureError(f"RS saddle point at beta={beta:g}, {error}", **vars(error), beta=beta) from error
        layers.append(average)
        overlap.append(average.overlap)
        self_overlap.append(average.self_overlap)
    return _Pass(tuple(overlap), tuple(self_overlap), tuple(conjugates), tuple(tilts), layers)


def _update(model: TheoryModel, result: _Pass) -> Vector:
    """The unknowns that the layer averages of a pass imply."""
    first = result.layers[0]
    x = [sphere_overlap(model.alpha(1) * model.weight_variance(1) * first.d_omega_squared)]
    for layer in range(2, model.depth + 1):
        gain = model.width_gain(layer) * model.weight_variance(layer)
        average = result.layers[layer - 1]
        x += [gain * average.d_omega_squared, gain * average.d_omega2]
    return np.array(x)


def _project(x: Vector) -> Vector:
    bounded = x.copy()
    bounded[0] = min(max(x[0], 0.0), MAX_OVERLAP)
    bounded[1::2] = np.maximum(x[1::2], 0.0)
    return bounded


def _solve(
    model: TheoryModel, beta: float, start: Vector, quadrature: Quadrature, tol: float, max_iter: int
) -> FixedPoint[_Pass]:
    def step(x: Vector) -> tuple[Vector, _Pass]:
        result = _forward(model, beta, x, quadrature)
        return _update(model, result), result

    solution = find_fixed_point(step, start, project=_project, tol=tol, max_iter=max_iter)
    if not solution.converged:
        raise ConvergenceError(
            f"RS saddle point: residual {solution.residual:.1e} after {solution.n_iter} iterations (wanted <= {tol:.0e}) "
            f"at beta={beta:g}. Raise max_iter, or start from the solution at a neighbouring beta.",
            residual=solution.residual,
            n_iter=solution.n_iter,
            tol=tol,
            beta=beta,
        )
    return solution


def _free_entropy(model: TheoryModel, beta: float, result: _Pass) -> float:
    q0 = result.overlap[0]
    total = 0.5 * (math.log1p(-q0) + q0 / (1 - q0))
    for layer in range(1, model.depth + 1):
        q, r = result.overlap[layer], result.self_overlap[layer]
        s, d = result.conjugate_overlap[layer - 1], result.tilt[layer - 1]
        # R r - S q = S (r - q) + (R - S) r
        total += model.alpha(layer) * (result.layers[layer - 1].free_entropy - 0.5 * (s * (r - q) + d * r))
    return total + 0.5 * beta**2 * (result.self_overlap[-1] - result.overlap[-1])


def _observables(model: TheoryModel, beta: float, result: _Pass) -> np.ndarray:
    """Phi, both energies, q_l, r_l: the numbers whose quadrature error is estimated."""
    energy = -beta * (result.self_overlap[-1] - result.overlap[-1])
    readout = -math.sqrt(model.alpha(model.depth)) * result.layers[-1].readout
    return np.array(
        [_free_entropy(model, beta, result), energy, readout, *result.overlap, *result.self_overlap], dtype=float
    )


def _start_from(initial: SaddlePoint) -> Vector:
    x = [initial.overlap[0]]
    for s, r in zip(initial.conjugate_overlap[:-1], initial.conjugate_self_overlap[:-1], strict=True):
        x += [s, r - s]
    return np.array(x)


def _continuation(beta: float, start: float = 0.0) -> Sequence[float]:
    """Inverse temperatures between start and beta, increasing, through which the solution is followed."""
    floor = max(start, FIRST_BETA)
    n_steps = math.ceil(math.log(beta / floor, BETA_GROWTH)) if beta > floor else 0
    steps = [beta / BETA_GROWTH**i for i in range(n_steps, 0, -1)]
    return [b for b in steps if b > start]


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

    Where there are several solutions, this is the one that is connected to beta = 0 through increasing beta, which is
    the equilibrium one until the replicon turns negative.

    Args:
        beta:       inverse temperature >= 0.
        initial:    solution at a neighbouring beta; without it the solution is followed from high temperature.
        tol:        largest relative change of an order parameter under one more iteration.
        max_iter:   evaluations of the equations, for each temperature of the continuation.
        quadrature: rules of the Gaussian averages; steps are halved until their estimated error is at most
                    `quadrature.tol` or `quadrature.max_refinements` is used up (then `SaddlePoint.resolved` is False).
    Raises:
        UsageError:       beta < 0 or not finite.
        ConvergenceError: residual, n_iter, tol, beta as attributes.
        QuadratureError:  a single-neuron average does not exist (beta, layer as attributes).
    """
    if not (beta >= 0 and math.isfinite(beta)):
        raise UsageError(
            f"RS saddle point: expected a finite beta >= 0, found {beta}. With v -> -v, beta < 0 is the same as |beta|.",
            beta=beta,
        )
    rule = quadrature or Quadrature()
    n_iter = 0
    if initial is None:
        start, path = np.zeros(2 * model.depth - 1), _continuation(beta)
    else:
        if len(initial.overlap) != model.depth + 1:
            raise UsageError(f"initial has {len(initial.overlap) - 1} hidden layers, the model {model.depth}.")
        start, path = _start_from(initial), _continuation(beta, initial.beta)
    for b in path:
        warm = _solve(model, b, start, rule, CONTINUATION_TOL, max_iter)
        start, n_iter = warm.x, n_iter + warm.n_iter
    solution = _solve(model, beta, start, rule, tol, max_iter)
    n_iter += solution.n_iter
    # closed forms have no inner step to refine
    unsettled = list(DIRECTIONS) if model.activation.slopes is None else ["t", "y"]
    limits = np.array([rule.tol, rule.pivot_tol]) / len(unsettled)
    errors: dict[Direction, np.ndarray] = {}
    for refinement in range(rule.max_refinements + 1):
        finer = {d: _solve(model, beta, solution.x, rule.refined(d), tol, max_iter) for d in unsettled}
        n_iter += sum(f.n_iter for f in finer.values())
        errors |= {d: _difference(model, beta, solution.payload, f.payload) for d, f in finer.items()}
        too_coarse = [d for d in unsettled if np.any(errors[d] > limits)]
        if not too_coarse or refinement == rule.max_refinements:
            break
        # steps do not see each other: one that passed with room to spare needs no second look at finer other steps
        unsettled = [d for d in unsettled if np.any(errors[d] > limits * SETTLED)]
        rule = rule.refined(*too_coarse)
        if len(too_coarse) == 1:
            solution = finer[too_coarse[0]]
        else:
            start = solution.x + sum((finer[d].x - solution.x for d in too_coarse), np.zeros_like(start))
            solution = _solve(model, beta, start, rule, tol, max_iter)
            n_iter += solution.n_iter
    quadrature_error, pivot_error = sum(errors.values(), np.zeros(2)).tolist()
    return _saddle_point(model, beta, solution, rule, (quadrature_error, pivot_error), n_iter)


def _difference(model: TheoryModel, beta: float, coarse: _Pass, fine: _Pass) -> np.ndarray:
    """Largest change of Phi, e, q_l, r_l between two solutions, and of the pivots in units of 1 + pivot^2."""
    change = _observables(model, beta, fine) - _observables(model, beta, coarse)
    coarse_pivots, fine_pivots = (np.array(replicon_pivots(model, p.overlap[0], p.layers)) for p in (coarse, fine))
    pivot_change = (fine_pivots - coarse_pivots) / (1 + coarse_pivots**2)
    return np.array([np.max(np.abs(change)), np.max(np.abs(pivot_change))])


def _saddle_point(
    model: TheoryModel,
    beta: float,
    solution: FixedPoint[_Pass],
    rule: Quadrature,
    errors: tuple[float, float],
    n_iter: int,
) -> SaddlePoint:
    result = solution.payload
    phi, energy, readout = _observables(model, beta, result)[:3].tolist()
    pivots = replicon_pivots(model, result.overlap[0], result.layers)
    return SaddlePoint(
        beta=float(beta),
        overlap=result.overlap,
        self_overlap=result.self_overlap,
        conjugate_overlap=result.conjugate_overlap,
        conjugate_self_overlap=tuple(s + d for s, d in zip(result.conjugate_overlap, result.tilt, strict=True)),
        free_entropy_density=phi,
        energy_density=energy,
        energy_density_readout=readout,
        entropy_density=phi + beta * energy,
        pivots=pivots,
        stable=all(p > 0 for p in pivots),
        residual=solution.residual,
        quadrature_error=errors[0],
        pivot_error=errors[1],
        n_iter=n_iter,
        quadrature=rule,
    )
