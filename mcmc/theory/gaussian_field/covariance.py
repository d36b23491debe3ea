"""The covariance of the energy as a function of the overlap: what every solver of this folder is given.

H is a Gaussian field on the sphere with E H(x) H(x') = N_0 xi(q), q = x.x'/N_0 (equations.md, "Infinite width"). xi has
a power series in q with non-negative coefficients: xi, xi', xi'', ... are non-negative and increase on [0, 1].
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
MAX_ORDER = 4  # the slope of x(q) on a continuous part contains xi''''


class Covariance(ABC):
    """xi(q) on 0 <= q <= 1 with its derivatives.

    Attributes:
        label: how to name it in messages and figures.
        error: estimated absolute error of xi and xi' on [0, 1], 0 for closed forms.
    """

    label: str
    error: float

    @abstractmethod
    def derivatives(self, overlap: ArrayLike, order: int = 3) -> Array:
        """(xi, xi', ..., xi^(order)) at these overlaps.

        Args:
            overlap: any shape, in [0, 1].
            order:   highest derivative, at most MAX_ORDER.
        Returns:
            (order + 1, *overlap.shape); +inf where a derivative diverges (relu: xi'' at q = 1).
        """

    def layer_overlaps(self, overlap: ArrayLike) -> tuple[Array, ...]:
        """(q^1, ..., q^L) of the hidden layers, slaved to q^0; empty if there are no layers."""
        return ()

    def __call__(self, overlap: ArrayLike) -> Array:
        """xi(q)."""
        return self.derivatives(overlap, 0)[0]


def compose(outer: Array, inner: Array) -> Array:
    """Derivatives of f(g(q)) from those of f at g(q) and those of g at q [Faa di Bruno], to the order given (<= 4).

    Args:
        outer: (order + 1, ...) f, f', ... at g(q); may be infinite.
        inner: (order + 1, ...) g, g', ... at q.
    """
    terms: list[list[tuple[float, tuple[int, ...]]]] = [
        [(1.0, ())],
        [(1.0, (1,))],
        [(1.0, (1, 1)), (1.0, (2,))],
        [(1.0, (1, 1, 1)), (3.0, (1, 2)), (1.0, (3,))],
        [(1.0, (1, 1, 1, 1)), (6.0, (1, 1, 2)), (3.0, (2, 2)), (4.0, (1, 3)), (1.0, (4,))],
    ]
    result = np.zeros_like(outer)
    for order in range(len(outer)):
        for factor, parts in terms[order]:
            result[order] += factor * _product(outer[len(parts)], [inner[i] for i in parts])
    return result


def _product(first: Array, others: list[Array]) -> Array:
    """Product in which 0 times infinity is 0: an absent term, not an undefined one."""
    product = first
    for factor in others:
        is_zero = (product == 0) | (factor == 0)
        product = np.where(is_zero, 0.0, np.where(is_zero, 1.0, product) * np.where(is_zero, 1.0, factor))
    return product
