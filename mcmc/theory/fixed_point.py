"""Fixed points x = F(x) of a few variables by Anderson acceleration.

    x_{n+1} = x_n + f_n - (dX + dF) gamma,   gamma = argmin | f_n - dF gamma |,   f_n = F(x_n) - x_n

with dX, dF the last differences of x and f [Walker and Ni, SIAM J. Numer. Anal. 49, 1715 (2011)]. One F per iteration,
no Jacobian; `scipy.optimize.anderson` offers no way to keep x in its domain or to step back from where F is undefined.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcmc.errors import QuadratureError

Vector = NDArray[np.float64]
Payload = TypeVar("Payload")
MAX_BACKTRACKS = 12
MIN_DAMPING = 0.1
MAX_MOVE = 1.0  # in units of 1 + |x|: extrapolating from nearly parallel differences can point anywhere
RESTART_GROWTH = 3.0  # residual this much above the best one: the linear model of F is stale, forget it


@dataclass(frozen=True)
class FixedPoint(Generic[Payload]):
    """Where the iteration stopped.

    Attributes:
        x:         the point at which F was last evaluated.
        payload:   what F returned beside F(x).
        residual:  max_i |F(x) - x|_i / (1 + |x_i|).
        n_iter:    evaluations of F.
        converged: residual <= tol.
    """

    x: Vector
    payload: Payload
    residual: float
    n_iter: int
    converged: bool


def find_fixed_point(
    step: Callable[[Vector], tuple[Vector, Payload]],
    start: Vector,
    *,
    project: Callable[[Vector], Vector],
    tol: float,
    max_iter: int,
    memory: int = 8,
) -> FixedPoint[Payload]:
    """Iterate x <- F(x) with Anderson acceleration until the residual is at most tol.

    Args:
        step:    x -> (F(x), payload); a QuadratureError means that x is outside of the domain of F.
        start:   (n,) first point, inside of the domain.
        project: brings a point back into the domain's simple bounds.
    Raises:
        QuadratureError: F is undefined at the start, or all the way towards it.
    """
    x = project(start)
    points: list[Vector] = []
    errors: list[Vector] = []
    best, damping, n_iter = np.inf, 1.0, 0
    while True:
        image, payload, x = _evaluate(step, x, points[-1] if points else None)
        n_iter += 1
        error = image - x
        residual = float(np.max(np.abs(error) / (1 + np.abs(x)), initial=0.0))
        if residual <= tol or n_iter >= max_iter or not np.isfinite(residual):
            return FixedPoint(x, payload, residual, n_iter, residual <= tol)
        if residual > RESTART_GROWTH * best:
            points, errors = [], []
            best, damping = residual, max(damping / 2, MIN_DAMPING)
        elif residual < best:
            best, damping = residual, min(damping * 1.5, 1.0)
        points, errors = [*points[-memory:], x], [*errors[-memory:], error]
        move = _mix(points, errors, damping) - x
        x = project(x + move * min(1.0, MAX_MOVE / np.max(np.abs(move) / (1 + np.abs(x)))))


def _mix(points: list[Vector], errors: list[Vector], damping: float) -> Vector:
    """The next point of Anderson's method from the last points and their errors."""
    x, error = points[-1], errors[-1]
    if len(points) == 1:
        return x + damping * error
    scale = 1 / (1 + np.abs(x))  # conjugates are of order beta^2, overlaps of order 1
    d_errors = np.diff(np.array(errors), axis=0).T
    d_points = np.diff(np.array(points), axis=0).T
    gamma = np.linalg.lstsq(d_errors * scale[:, None], error * scale, rcond=1e-12)[0]
    return x + damping * error - (d_points + damping * d_errors) @ gamma


def _evaluate(
    step: Callable[[Vector], tuple[Vector, Payload]], x: Vector, last: Vector | None
) -> tuple[Vector, Payload, Vector]:
    """F(x), halving the way from the last good point while x is outside of the domain of F."""
    for attempt in range(MAX_BACKTRACKS + 1):
        try:
            image, payload = step(x)
            return image, payload, x
        except QuadratureError:
            if last is None or attempt == MAX_BACKTRACKS:
                raise
            x = (x + last) / 2
    raise AssertionError("unreachable")
