"""The replica-symmetric solution along a list of temperatures, each started from its neighbour."""

from collections.abc import Sequence

from mcmc.theory.model import TheoryModel
from mcmc.theory.quadrature import Quadrature
from mcmc.theory.rs import solve_rs
from mcmc.theory.saddle import SaddlePoint


def solve_rs_curve(
    model: TheoryModel,
    betas: Sequence[float],
    *,
    tol: float = 1e-10,
    max_iter: int = 500,
    quadrature: Quadrature | None = None,
) -> list[SaddlePoint]:
    """Saddle points at these inverse temperatures, in the order given, followed from high temperature.

    Args:
        betas: in any order, each >= 0; they are solved in increasing order.
    Raises:
        UsageError, ConvergenceError, QuadratureError: as `solve_rs`, at the first beta that fails.
    """
    solved: dict[float, SaddlePoint] = {}
    previous = None
    for beta in sorted(set(betas)):
        previous = solve_rs(model, beta, initial=previous, tol=tol, max_iter=max_iter, quadrature=quadrature)
        solved[beta] = previous
    return [solved[beta] for beta in betas]
