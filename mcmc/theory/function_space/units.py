"""What a layer of units does to the correlation of two networks: q^l = K(x^l), x^l = kappa_l mix(q^{l-1}).

x is the correlation of the fields of a unit in the reference network and in the perturbed one, kappa_l that of their
weights, q that of their outputs [Li and Saad, PRL 120, 248301 (2018)]:

    sign      s = sgn h                              K = (2/pi) arcsin x                            equations (8), (11)
    thermal   P(s|h) = exp(beta s h)/(2 cosh)        K = E tanh(beta h^) tanh(beta h)               equation (6)
    relu      a = max(h, 0), normalised              K = [sqrt(1-x^2) + (pi - arccos x) x]/pi

Rows of weights with covariance (sigma^2/N)(I + gamma 1 1^T/N) give mix(q) = (q + gamma/pi)/(1 + gamma/pi) behind ReLU
units, whose mean output is not zero, and change nothing for spins. A one-dimensional convolution with many channels has
the same recursion as a dense network.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mcmc.errors import UsageError
from mcmc.names import nearest
from mcmc.systems.mlp.activations import make_activation
from mcmc.theory.gaussian_field.dual_activation import Dual, dual_activation, piecewise_linear_dual

Array = NDArray[np.float64]
UNIT_NAMES = ("sign", "thermal", "relu")
MAX_THERMAL = 7.0  # the Hermite series of tanh(beta sigma z) has its error below 1e-12 up to here


@dataclass(frozen=True)
class Unit:
    """A layer of units as the recursion of overlaps sees it.

    Attributes:
        name:            sign, thermal or relu.
        dual:            (x, order) -> (K, K', ...) at correlations x of the fields.
        row_correlation: gamma >= -1 of the weights in a row.
    """

    name: str
    dual: Dual
    row_correlation: float = 0.0

    @classmethod
    def sign(cls) -> Self:
        """Spins at zero temperature."""
        return cls("sign", _sign_dual)

    @classmethod
    def thermal(cls, beta: float, sigma: float = 1.0) -> Self:
        """Spins at inverse temperature beta; sigma is the standard deviation of a weight.

        Raises:
            UsageError: beta or sigma is not positive and finite, or beta sigma is above MAX_THERMAL.
        """
        width = beta * sigma
        if not (beta > 0 and sigma > 0 and math.isfinite(width)):
            raise UsageError(f"thermal units: expected beta > 0 and sigma > 0, found beta={beta}, sigma={sigma}.")
        if width > MAX_THERMAL:
            raise UsageError(
                f"thermal units: expected beta sigma up to {MAX_THERMAL:g}, found {width:g}: the average of two tanh "
                "is not resolved beyond. Use sign units, the limit of large beta.",
                beta=beta,
            )
        dual, _ = dual_activation(make_activation("tanh", depth=1), width**2)

        def by_correlation(x: Array, order: int) -> Array:
            scale = width ** (2 * np.arange(order + 1.0))
            result: Array = dual(width**2 * x, order) * scale.reshape(-1, *(1,) * x.ndim)
            return result

        return cls("thermal", by_correlation)

    @classmethod
    def relu(cls, row_correlation: float = 0.0) -> Self:
        """Rectified units.

        Raises:
            UsageError: gamma < -1, where the weights have no covariance.
        """
        if not (row_correlation >= -1 and math.isfinite(row_correlation)):
            raise UsageError(f"row correlation: expected a finite gamma >= -1, found {row_correlation}.")
        return cls("relu", piecewise_linear_dual((0.0, math.sqrt(2)), 1.0), row_correlation)

    @property
    def is_spin(self) -> bool:
        """True where outputs are +-1."""
        return self.name != "relu"

    def mix(self, overlap: float) -> float:
        """Correlation of two fields before the weights differ, from the overlap q of their inputs."""
        mean = self.row_correlation / math.pi
        return (overlap + mean) / (1 + mean)


def make_unit(name: str, *, beta: float | None = None, sigma: float = 1.0, row_correlation: float = 0.0) -> Unit:
    """The unit of a name, with the numbers that this one takes.

    Raises:
        UsageError: unknown name, a number out of range, or one that this unit does not take.
    """
    if name not in UNIT_NAMES:
        raise UsageError(f"unknown unit '{name}'.{nearest(name, UNIT_NAMES)}")
    if (beta is not None) != (name == "thermal"):
        raise UsageError(f"beta is for thermal units, and they need it; found beta={beta} with {name} units.")
    if row_correlation and name != "relu":
        raise UsageError(
            f"row correlation is for relu units (spins of mean zero do not feel it), found it with {name} units."
        )
    if name == "thermal":
        assert beta is not None
        return Unit.thermal(beta, sigma)
    return Unit.sign() if name == "sign" else Unit.relu(row_correlation)


def _sign_dual(x: Array, order: int) -> Array:
    """(2/pi) arcsin x and its first two derivatives, infinite at |x| = 1."""
    with np.errstate(divide="ignore"):
        root = np.sqrt((1 - x) * (1 + x))
        values = [np.arcsin(x), 1 / root, x / root**3]
    return (2 / math.pi) * np.array(values[: order + 1])
