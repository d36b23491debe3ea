"""The front door: a covariance and a temperature in, a `BrokenSolution` out, for every ansatz."""

from typing import Any

import numpy as np

from mcmc.errors import ConvergenceError, UsageError
from mcmc.theory.broken import BrokenSolution
from mcmc.theory.gaussian_field.covariance import Array, Covariance
from mcmc.theory.gaussian_field.evidence import ladder_evidence, measure_evidence
from mcmc.theory.gaussian_field.extrapolation import Extrapolation, extrapolate_steps
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.stationarity import Stationary
from mcmc.theory.gaussian_field.steps import extend_steps, solve_steps
from mcmc.theory.gaussian_field.structure import ExactSolution, solve_exact
from mcmc.theory.gaussian_field.support import ansatz_name, levels_of

ANSATZE = ("auto", "rs", "1rsb", "krsb", "full")
STABLE_TOL = 1e-8  # a replicon above minus this is zero
HOPELESS_GAP = 1e-2  # of Phi: an upper bound this loose is not handed out as the solution


def solve(
    covariance: Covariance,
    beta: float,
    *,
    ansatz: str = "auto",
    n_steps: int | None = None,
    ladder_steps: int = 1,
) -> BrokenSolution:
    """The solution of the mixed p-spin model at one temperature.

    Args:
        beta:    inverse temperature >= 0, finite (`ground_state` for infinity).
        ansatz:  "rs", "1rsb", "krsb" (with n_steps = k): the best solution found with so many breaking points,
                 equilibrium or not (k + 1 atoms may have several local minima); `evidence["optimality_gap"]` bounds
                 what it misses. "auto": the true solution, whatever it is. "full": the same, which without a continuous
                 part is the finite number of steps that is exact.
        n_steps: k >= 0 of "krsb".
        ladder_steps: for "auto" and "full", the least number of steps to quote in `evidence["ladder"]` where no finite
                 number is exact; they are not needed for the solution.
    Raises:
        UsageError:       unknown ansatz, n_steps without "krsb", beta < 0 or not finite.
        ConvergenceError: no stationary point found; beta, residual as attributes.
        QuadratureError:  the integral over a continuous part did not reach its tolerance.
    """
    k = _number_of_steps(ansatz, n_steps)
    if not (beta >= 0 and np.isfinite(beta)):
        raise UsageError(
            f"{covariance.label}: expected a finite inverse temperature beta >= 0, found {beta}. The law of H is even: "
            "use |beta| and change the sign of the energy; for beta = infinity use ground_state.",
            beta=beta,
        )
    if beta == 0:
        return _infinite_temperature(covariance)
    problem = FieldProblem(covariance, beta)
    if k is None:
        return _exact(solve_exact(problem), ladder_steps)
    ladder = solve_steps(problem, k)
    last = ladder[-1]
    _require_converged(problem, last, len(ladder) - 1)
    return to_solution(last, ladder=ladder, n_levels=k + 1)


def _number_of_steps(ansatz: str, n_steps: int | None) -> int | None:
    """k of a k-step ansatz, None for the exact solution."""
    if ansatz not in ANSATZE:
        raise UsageError(f"unknown ansatz '{ansatz}'. Known: {', '.join(ANSATZE)}.")
    if (ansatz == "krsb") != (n_steps is not None) or (n_steps is not None and n_steps < 0):
        raise UsageError(
            f"ansatz '{ansatz}' with n_steps={n_steps}: 'krsb' takes n_steps = k >= 0, the others take none."
        )
    return {"auto": None, "full": None, "rs": 0, "1rsb": 1, "krsb": n_steps}[ansatz]


def _require_converged(problem: FieldProblem, solution: Stationary, k: int) -> None:
    if not solution.converged:
        raise ConvergenceError(
            f"{problem.covariance.label}: {k}-step solution at beta={problem.beta:g}: residual {solution.residual:.1e} "
            "of the stationarity equations. Use ansatz 'auto', another number of steps, or a neighbouring beta.",
            beta=problem.beta,
            residual=solution.residual,
            n_steps=k,
        )


def _exact(exact: ExactSolution, ladder_steps: int) -> BrokenSolution:
    """The accepted solution, or the k-step ladder with its extrapolation where no structure was accepted."""
    problem = exact.solution.measure.problem
    if exact.accepted:
        return to_solution(exact.solution, ladder=extend_steps(list(exact.ladder), ladder_steps))
    gap = exact.certificate.optimality_gap
    converged = [s for s in exact.ladder if s.converged]
    phi = [s.measure.free_entropy_density for s in converged]
    if gap > HOPELESS_GAP or len(converged) < 5:
        raise ConvergenceError(
            f"{problem.covariance.label}: no order parameter accepted at beta={problem.beta:g}: with "
            f"{len(exact.ladder) - 1} steps Phi may still be {gap:.1e} too large (residual "
            f"{exact.solution.residual:.1e}). Use a smaller beta, or ansatz 'krsb' with more steps and judge its "
            "optimality gap.",
            beta=problem.beta,
            residual=exact.solution.residual,
            optimality_gap=gap,
        )
    limit = extrapolate_steps(phi[1:], [s.measure.energy_density for s in converged[1:]])
    return to_solution(converged[-1], ladder=exact.ladder, limit=limit)


def to_solution(
    solution: Stationary,
    *,
    ladder: tuple[Stationary, ...] | list[Stationary] = (),
    n_levels: int | None = None,
    limit: Extrapolation | None = None,
) -> BrokenSolution:
    """The record of a stationary measure.

    Args:
        ladder:   the k-step solutions to quote as evidence.
        n_levels: pad with copies of the top level at x = 1, of no weight: fewer steps than asked for are exact.
        limit:    k -> infinity of Phi and e, where the measure is only the last of a sequence.
    """
    measure = solution.measure
    problem = measure.problem
    levels, points = levels_of(measure)
    if n_levels is not None and n_levels > len(levels):
        points = np.append(points, np.ones(n_levels - len(levels)))
        levels = np.append(levels, np.full(n_levels - len(levels), levels[-1]))
    phi, e = measure.free_entropy_density, measure.energy_density
    phi_error, e_error = _errors(solution)
    if limit is not None:
        phi, e = limit.free_entropy_density, limit.energy_density
        phi_error, e_error = phi_error + limit.free_entropy_error, e_error + limit.energy_error
    evidence: dict[str, Any] = measure_evidence(measure)
    evidence["ladder"] = ladder_evidence(ladder)
    return BrokenSolution(
        beta=problem.beta,
        ansatz=f"{n_levels - 1}rsb" if n_levels is not None and n_levels > 1 else ansatz_name(measure),
        overlap=_layers(problem.covariance, levels),
        self_overlap=(1.0, *(float(r) for r in problem.covariance.layer_overlaps(1.0))),
        breaking_points=tuple(float(x) for x in points),
        free_entropy_density=float(phi),
        energy_density=float(e),
        entropy_density=float(phi + problem.beta * e),
        replicon=float(measure.replicons[-1]),
        stable=bool(np.min(measure.replicons) >= -STABLE_TOL),
        residual=solution.residual,
        free_entropy_error=phi_error,
        energy_error=e_error,
        evidence=evidence,
    )


def _errors(solution: Stationary) -> tuple[float, float]:
    """Errors of Phi and e from the last Newton step, rounding and the covariance; Phi is stationary, e is not."""
    measure: ParisiMeasure = solution.measure
    problem = measure.problem
    step = solution.step if np.isfinite(solution.step) else 1.0
    size = 1.0 + float(np.max(measure.plateaus, initial=0.0))
    rounding = 2e-15  # of T Phi, where nothing cancels
    scaled = size * step * max(step, solution.residual) + rounding
    phi = scaled * problem.max_plateau + problem.beta**2 * problem.covariance.error
    e = problem.energy_unit * (size * step + rounding) + 2 * problem.beta * problem.covariance.error
    return float(phi), float(e)


def _layers(covariance: Covariance, levels: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(q) for q in layer) for layer in (levels, *covariance.layer_overlaps(levels)))


def _infinite_temperature(covariance: Covariance) -> BrokenSolution:
    """beta = 0: the uniform measure."""
    return BrokenSolution(
        beta=0.0,
        ansatz="rs",
        overlap=_layers(covariance, np.zeros(1)),
        self_overlap=(1.0, *(float(r) for r in covariance.layer_overlaps(1.0))),
        breaking_points=(),
        free_entropy_density=0.0,
        energy_density=0.0,
        entropy_density=0.0,
        replicon=1.0,
        stable=True,
        residual=0.0,
        free_entropy_error=0.0,
        energy_error=0.0,
        evidence={
            "phase": "RS",
            "optimality_gap": 0.0,
            "is_equilibrium": True,
            "replicons": [1.0],
            "worst_overlap": 0.0,
            "atoms": [[0.0, 1.0]],
            "continuous_parts": [],
            "continuous_mass": 0.0,
            "plateau": 0.0,
            "metastable": [],
            "ladder": [],
        },
    )
