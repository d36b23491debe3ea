"""The replica-symmetric solutions: one atom.

    Phi_RS(q) = 1/2 [ beta^2 (xi(1) - xi(q)) + log(1-q) + q/(1-q) ],     q/(1-q)^2 = beta^2 xi'(q)

stable if and only if lambda = 1 - beta^2 (1-q)^2 xi''(q) >= 0 [Crisanti and Sommers 1992]. In scaled units
chi = beta (1-q) and q = 1 - T chi, so that T = 0 gives chi = 1/sqrt(xi'(1)) and lambda = 1 - xi''(1)/xi'(1).
"""

import numpy as np
from scipy.optimize import brentq

from mcmc.errors import ConvergenceError
from mcmc.theory.gaussian_field.measure import ParisiMeasure
from mcmc.theory.gaussian_field.problem import FieldProblem

NO_LEVELS = np.empty(0)


def rs_measure(problem: FieldProblem, chi: float) -> ParisiMeasure:
    """The measure of a single atom at q = 1 - T chi."""
    return ParisiMeasure.from_atoms(problem, NO_LEVELS, NO_LEVELS, chi)


def rs_roots(problem: FieldProblem) -> list[float]:
    """All chi = beta (1 - q) with q = xi'(q) chi^2, from the largest q down.

    Raises:
        ConvergenceError: no root is bracketed (xi is not a covariance on [0, 1]).
    """
    t = problem.temperature
    if t == 0:
        return [1.0]  # xi'(1) = 1

    def excess(chi: float) -> float:
        return chi**2 * float(problem.xi(max(1 - t * chi, 0.0), 1)[1]) - (1 - t * chi)

    # chi runs from 0 (q = 1) to beta (q = 0); dense at both ends
    share = np.concatenate(
        [np.geomspace(1e-9, 0.05, 300), np.linspace(0.05, 0.95, 600)[1:-1], 1 - np.geomspace(0.05, 1e-14, 400)]
    )
    grid = np.append(share, 1.0) / t
    values = grid**2 * problem.xi(np.maximum(1 - t * grid, 0.0), 1)[1] - (1 - t * grid)
    roots = []
    for i in range(len(grid) - 1):
        if values[i] < 0 <= values[i + 1] or values[i] >= 0 > values[i + 1]:
            roots.append(float(brentq(excess, grid[i], grid[i + 1], xtol=1e-300, rtol=4 * np.finfo(float).eps)))
    if not problem.has_field:
        # q = 0 solves exactly; rounding may have put a root beside it
        roots = [chi for chi in roots if 1 - t * chi > 1e-9] + [1 / t]
    if not roots:
        raise ConvergenceError(
            f"{problem.covariance.label}: no replica-symmetric overlap found at beta={problem.beta:g}: "
            f"q/(1-q)^2 - beta^2 xi'(q) keeps its sign (smallest {np.min(np.abs(values)):.1e}). "
            "Check that xi', the derivative of the covariance, is positive and finite on [0, 1].",
            beta=problem.beta,
            residual=float(np.min(np.abs(values))),
        )
    return roots


def solve_replica_symmetric(problem: FieldProblem) -> ParisiMeasure:
    """The replica-symmetric solution of smallest Phi, the best upper bound that a single atom gives.

    Where several exist this is not always the one connected to beta = 0: below a discontinuous transition Phi of an
    unstable root may fall below that of q = 0; then a broken solution is lower than both.
    """
    return min((rs_measure(problem, chi) for chi in rs_roots(problem)), key=lambda m: m.scaled_free_entropy)
