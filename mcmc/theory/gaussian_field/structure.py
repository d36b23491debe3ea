"""The exact order parameter of any structure: full RSB, one step and a continuous part, two steps, ...

A few steps of the k-step ladder show where the support lies. If they are exact, that is the answer; if not,
neighbouring levels are grouped in every way into continuous parts and atoms, the few equations of each structure are
solved (`stationarity`), and the certificate of `potential` accepts the one that is the unique minimum. A
continuous part costs two numbers, not a limit k -> infinity; the limit is an independent check (`extrapolation`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, pairwise, product

import numpy as np

from mcmc.theory.gaussian_field.covariance import Array
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.potential import Certificate, certify
from mcmc.theory.gaussian_field.problem import FieldProblem
from mcmc.theory.gaussian_field.stationarity import Stationary, solve_structure
from mcmc.theory.gaussian_field.steps import extend_steps, solve_steps

LADDER = (1, 2, 3, 5, 8)  # numbers of steps at which groupings are tried
MAX_PARTS = 5
BAND_POINTS = 65
SPLIT_WIDTHS = (1e-4, 1e-3, 1e-2, 0.1)


@dataclass(frozen=True)
class ExactSolution:
    """The order parameter, with what was tried on the way.

    Attributes:
        solution:    the measure that minimises Phi.
        certificate: its optimality gap and replicons.
        ladder:      the k-step solutions k = 0, 1, ... that led to it.
        accepted:    the certificate holds; if False, `solution` is the best k-step upper bound.
    """

    solution: Stationary
    certificate: Certificate
    ladder: tuple[Stationary, ...]
    accepted: bool


def solve_exact(problem: FieldProblem) -> ExactSolution:
    """The unique minimum of Phi over all order parameters x(q), with its certificate."""
    ladder = solve_steps(problem, 0)
    for n_steps in LADDER:
        ladder = extend_steps(ladder, n_steps)
        certificate = certify(ladder[-1].measure)
        if ladder[-1].converged and certificate.accepts():
            return ExactSolution(ladder[-1], certificate, tuple(ladder), True)
        starts = chain(_structures(ladder[-1].measure), *(_splits(s.measure) for s in ladder[:2]))
        for solution in map(solve_structure, starts):
            if solution.converged and _bands_increase(solution.measure):
                certificate = certify(solution.measure)
                if certificate.accepts():
                    return ExactSolution(solution, certificate, tuple(ladder), True)
        if len(ladder) <= n_steps:  # no further step to learn from
            break
    return ExactSolution(ladder[-1], certify(ladder[-1].measure), tuple(ladder), False)


def _structures(atoms: ParisiMeasure) -> Iterator[ParisiMeasure]:
    """Starts for every grouping of neighbouring levels into continuous parts, those with the fewest parts first."""
    n = len(atoms.lower)
    for n_parts in range(1, min(n, MAX_PARTS + 1)):
        for cuts in combinations(range(1, n), n_parts - 1):
            yield _grouped(atoms, (0, *cuts, n))


def _splits(atoms: ParisiMeasure) -> Iterator[ParisiMeasure]:
    """Starts in which one atom with a negative replicon is a narrow continuous part, or two atoms.

    For just below a continuous transition, where what a further step gains in Phi drowns in rounding.
    """
    problem = atoms.problem
    unstable = [j for j in range(len(atoms.lower)) if atoms.replicons[j] < 0]
    for j, width in product(unstable, SPLIT_WIDTHS):
        q = atoms.lower[j]
        low = 0.0 if j == 0 and not problem.has_field else max(q - width, 0.5 * q)
        high = min(q + width, 0.5 * (1 + q))
        chi = atoms.chi
        if j == len(atoms.lower) - 1:
            if problem.temperature > 0:
                chi = (1 - high) / problem.temperature
            else:
                high = 1.0
        alpha = min(float(problem.marginal_breaking(np.array(q))), 0.999 * problem.max_plateau)
        lower, upper = atoms.lower.copy(), atoms.upper.copy()
        lower[j], upper[j] = low, high
        yield ParisiMeasure(
            problem, lower, upper, atoms.plateaus, chi, tuple(b or i == j for i, b in enumerate(atoms.is_band))
        )
        if np.isfinite(alpha):
            levels = np.insert(lower, j + 1, high)
            yield ParisiMeasure.from_atoms(problem, levels[:-1], np.insert(atoms.plateaus, j, alpha), chi)


def _grouped(atoms: ParisiMeasure, bounds: tuple[int, ...]) -> ParisiMeasure:
    """Levels bounds[i] ... bounds[i + 1] - 1 made one part; a continuous one reaches half a spacing further."""
    problem, levels = atoms.problem, atoms.lower
    lower, upper, is_band = [], [], []
    for first, end in pairwise(bounds):
        band = end - first > 1
        low, high = levels[first], levels[end - 1]
        if band:
            low = max(low - 0.5 * (levels[first + 1] - low), levels[first - 1] if first else 0.0)
            if first == 0 and not problem.has_field:
                low = 0.0
            if end < len(levels):
                high = min(high + 0.5 * (high - levels[end - 2]), 0.5 * (high + levels[end]))
        lower.append(low)
        upper.append(high)
        is_band.append(band)
    plateaus = [atoms.plateaus[cut - 1] for cut in bounds[1:-1]]
    return ParisiMeasure(
        problem, np.array(lower), np.array(upper), np.array(plateaus, dtype=float), atoms.chi, tuple(is_band)
    )


def _bands_increase(measure: ParisiMeasure) -> bool:
    """x(q) increases along every continuous part and fits between the plateaus on its sides."""
    ladder: Array = np.concatenate([[0.0], measure.plateaus, [measure.problem.max_plateau]])
    for j in np.flatnonzero(measure.is_band):
        # the edges themselves may be singular (xi'' = infinity at q = 1)
        inside = (np.arange(BAND_POINTS) + 0.5) / BAND_POINTS
        alpha = measure.problem.marginal_breaking(measure.lower[j] + inside * (measure.upper[j] - measure.lower[j]))
        slack = 1e-9 * max(1.0, float(alpha[-1]))
        if np.any(np.diff(alpha) < -slack) or alpha[0] < ladder[j] - slack or alpha[-1] > ladder[j + 1] + slack:
            return False
    return True
