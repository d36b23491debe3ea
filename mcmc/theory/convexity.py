"""Phi(beta) is convex with slope -e: neighbouring solutions that violate it are on different branches."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from mcmc.errors import ConvergenceError

CONVEXITY_TOL = 1e-9


class CurvePoint(Protocol):
    """What a solution of any ansatz tells about the curve."""

    @property
    def beta(self) -> float: ...
    @property
    def free_entropy_density(self) -> float: ...
    @property
    def energy_density(self) -> float: ...
    @property
    def residual(self) -> float: ...
    @property
    def free_entropy_error(self) -> float: ...


def require_convex(label: str, curve: Sequence[CurvePoint]) -> None:
    """For each pair of neighbours Phi(b) >= Phi(a) - e(a) (b - a) and the reverse.

    Args:
        label: of the model, for the message.
        curve: in increasing beta.
    Raises:
        ConvergenceError: such a violation; beta, residual.
    """
    for left, right in pairwise(curve):
        step = right.beta - left.beta
        rise = right.free_entropy_density - left.free_entropy_density
        slack = CONVEXITY_TOL * (1 + abs(rise)) + left.free_entropy_error + right.free_entropy_error
        below, above = -left.energy_density * step, -right.energy_density * step
        if not below - slack <= rise <= above + slack:
            raise ConvergenceError(
                f"{label}: Phi rises by {rise:.10g} from beta={left.beta:g} to {right.beta:g}, expected between "
                f"{below:.10g} and {above:.10g}: one of the solutions is on another branch (residuals "
                f"{left.residual:.1e}, {right.residual:.1e}). Look at both with ansatz auto, and at temperatures "
                "between them.",
                beta=right.beta,
                residual=max(left.residual, right.residual),
            )
