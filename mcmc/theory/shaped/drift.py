"""What one layer of a shaped activation does to the covariance of its pre-activations, to first order in 1/L.

    phi_L = identity + O(1/sqrt(L)):   q -> q + F(q, r)/L,   r -> r + V(r)/L,   V(r) = F(r, r)

for two pre-activations of variance r and covariance q. F is all that the limit L -> infinity keeps of an activation
(equations.md, section 12):

    shaped_tanh   s tanh(z/s) = z - z^3/(3 shape^2 L) + ...:        F = -(2/shape^2) q r
    shaped_relu   z + delta |z|/sqrt(L) - delta^2 z/(2 L) + ...:    F = delta^2 (K(q) - q),   K the dual of |z|,
                  delta = (c_+ - c_-)/2;  V = 0 because of the normalisation
    linear        F = 0
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcmc.errors import ConfigError
from mcmc.names import nearest
from mcmc.systems.mlp.activations import make_activation

Array = NDArray[np.float64]
SHAPED_NAMES = ("shaped_tanh", "shaped_relu", "linear")


class Drift(ABC):
    """F(q, r) and its derivatives; arguments and values are arrays of one shape.

    D = r - q is an argument of its own: at low temperature r - q is lost to rounding.
    """

    @abstractmethod
    def self_drift(self, r: Array) -> Array:
        """V(r)."""

    @abstractmethod
    def self_slope(self, r: Array) -> Array:
        """V'(r)."""

    @abstractmethod
    def spread(self, q: Array, d: Array) -> Array:
        """V(r) - F(q, r) at r = q + D: the drift of D."""

    @abstractmethod
    def spread_slope(self, q: Array, d: Array) -> Array:
        """d/dq of `spread` at fixed D."""

    @abstractmethod
    def slope(self, q: Array, d: Array) -> Array:
        """dF/dq at fixed r."""

    @abstractmethod
    def curvature(self, q: Array, d: Array) -> Array:
        """d^2F/dq^2 at fixed r."""


@dataclass(frozen=True)
class CubicDrift(Drift):
    """F = -rate q r: an odd activation with a cubic term; rate = 0 is the linear activation.

    Attributes:
        rate: 2/shape^2 for shaped_tanh.
    """

    rate: float

    def self_drift(self, r: Array) -> Array:
        return -self.rate * r**2

    def self_slope(self, r: Array) -> Array:
        return -2 * self.rate * r

    def spread(self, q: Array, d: Array) -> Array:
        return -self.rate * (q + d) * d

    def spread_slope(self, q: Array, d: Array) -> Array:
        return -self.rate * d

    def slope(self, q: Array, d: Array) -> Array:
        return -self.rate * (q + d)

    def curvature(self, q: Array, d: Array) -> Array:
        return np.zeros_like(q)


@dataclass(frozen=True)
class KinkDrift(Drift):
    """F = delta^2 (2/pi) [ r sin(theta) - q theta ],  cos(theta) = q/r: a kink of strength delta at zero.

    Attributes:
        delta: (c_+ - c_-)/2 for shaped_relu.
    """

    delta: float

    @property
    def _strength(self) -> float:
        return self.delta**2 * 2 / math.pi

    @staticmethod
    def _root(q: Array, d: Array) -> Array:
        """sqrt(r^2 - q^2) = r sin(theta); zero while an iteration has left the domain."""
        root: Array = np.sqrt(np.maximum(d * (2 * q + d), 0.0))
        return root

    def _angle(self, q: Array, d: Array) -> Array:
        angle: Array = np.arctan2(self._root(q, d), q)
        return angle

    def self_drift(self, r: Array) -> Array:
        return np.zeros_like(r)

    def self_slope(self, r: Array) -> Array:
        return np.zeros_like(r)

    def spread(self, q: Array, d: Array) -> Array:
        return -self._strength * (self._root(q, d) - q * self._angle(q, d))

    def spread_slope(self, q: Array, d: Array) -> Array:
        angle = self._angle(q, d)
        return self._strength * (angle - np.sin(angle))

    def slope(self, q: Array, d: Array) -> Array:
        return -self._strength * self._angle(q, d)

    def curvature(self, q: Array, d: Array) -> Array:
        return self._strength / self._root(q, d)


def drift_of(activation: str, params: Mapping[str, float]) -> Drift:
    """The drift of a shaped activation with these parameters (missing ones at their defaults).

    Raises:
        ConfigError: the activation has no limit of infinite depth, or the parameters are wrong.
    """
    if activation not in SHAPED_NAMES:
        raise ConfigError(
            f"infinite depth: expected an activation that weakens with depth, found '{activation}'."
            f"{nearest(activation, SHAPED_NAMES)}"
        )
    # c_± is compared with sqrt(depth) there: at large depth nothing but the parameters themselves can be wrong
    chosen = make_activation(activation, depth=10**9, **params).params
    if not all(math.isfinite(value) for value in chosen.values()):
        raise ConfigError(f"activation '{activation}': expected finite parameters, found {chosen}.")
    if activation == "shaped_relu":
        return KinkDrift((chosen["c_plus"] - chosen["c_minus"]) / 2)
    return CubicDrift(2 / chosen["shape"] ** 2 if activation == "shaped_tanh" else 0.0)
